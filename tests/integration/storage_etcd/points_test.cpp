// The script of storage_script.hpp on a real etcd, interrupted at every request: the connection is
// cut, etcd is killed, the storage is killed, each before the request has arrived and after it was
// carried out.

#include "integration/failpoint/failpoint.hpp"
#include "integration/plugin/storage_script.hpp"
#include "integration/storage_etcd/cutting_proxy.hpp"
#include "integration/storage_etcd/etcd_fixture.hpp"

#include <csignal>
#include <filesystem>

namespace umbra::plugin_test {
namespace {

using failpoint::How;
using Hang = CuttingProxy::Hang;

constexpr int requests_max = 500;

class EtcdPoints : public EtcdTest {
protected:
    /// Each run has a state directory and a prefix of its own.
    void begin() {
        ++round_;
        std::filesystem::create_directory(state());
        options_ = {{"endpoints", std::vector<std::string>{proxy_.url()}},
                    {"prefix", "/round" + std::to_string(round_) + "/"}};
    }
    [[nodiscard]] std::string state() const {
        return room_.path() + "/state" + std::to_string(round_);
    }
    failpoint::Ended run(std::size_t steps, How how = How::nothing, std::uint64_t at = 0) {
        std::vector<std::string> command{UMBRA_TEST_SCRIPT_RUNNER, storage_under_test().file,
                                         state(), std::to_string(steps)};
        for (auto& option : to_arguments(options_)) command.push_back(std::move(option));
        return point_.run(command, state(), how, at);
    }
    void expect_possible(std::size_t acknowledged, bool exactly) {
        StorageDriver storage{plugin(), state(), options_};
        const auto opened = storage.open().get();
        ASSERT_TRUE(opened.ok()) << opened.error().message;
        std::string why;
        const auto now = read_content(storage, why);
        ASSERT_EQ(why, "");
        ASSERT_TRUE(exactly ? now == content_after(acknowledged) : is_possible(now, acknowledged))
            << to_string(now) << "; acknowledged: " << to_string(content_after(acknowledged));
        const auto next = entry_of(opened->last.seq + 1);
        ASSERT_TRUE(storage.append({next}).get().ok());
        EXPECT_EQ(*storage.read(next.position.seq, 9).get(), std::vector<LogEntry>{next});
    }
    /// Hangs up at every request in turn, until a run has fewer. @return How many there were.
    int everywhere(Hang how, const std::function<void()>& act, bool client_dies) {
        for (int at = 1; at < requests_max; ++at) {
            begin();
            proxy_.hang_up(at, how, act);
            const auto ended = run(script().size());
            SCOPED_TRACE("request " + std::to_string(at));
            const bool happened = proxy_.requests() >= at;
            proxy_.hang_up(0, how);
            const auto reported = read_report(ended.out);
            EXPECT_EQ(reported.refused, 0) << ended.out;
            if (happened && client_dies) {
                EXPECT_EQ(ended.signal, SIGKILL) << ended.out;
                expect_possible(reported.acknowledged, false);
            } else {
                EXPECT_EQ(ended.status, 0) << ended.out;
                EXPECT_EQ(reported.acknowledged, script().size());
                expect_possible(script().size(), true);
            }
            if (HasFailure()) return 0;
            if (!happened) return at - 1;
        }
        return 0;
    }

    EtcdServer server_;
    CuttingProxy proxy_{server_.port()};
    TemporaryDirectory room_{fast_place()};
    failpoint::Failpoint point_{UMBRA_TEST_FAILPOINT, room_.path()};
    OptionValues options_;
    int round_ = 0;
};

TEST_F(EtcdPoints, CutAtEveryRequestNothingIsLostOrDoneTwice) {
    EXPECT_GT(everywhere(Hang::before_request, nullptr, false), 15);
    EXPECT_GT(everywhere(Hang::before_answer, nullptr, false), 15);
}

TEST_F(EtcdPoints, KilledAtEveryRequestNothingAcknowledgedIsLost) {
    const auto kill = [this] { point_.kill(); };
    EXPECT_GT(everywhere(Hang::before_request, kill, true), 15);
    EXPECT_GT(everywhere(Hang::before_answer, kill, true), 15);
}

TEST_F(EtcdPoints, WithoutEtcdAtEveryRequestItWaitsAndLosesNothing) {
    const auto restart = [this] {
        server_.kill();
        server_.start();
    };
    EXPECT_GT(everywhere(Hang::before_request, restart, false), 15);
    EXPECT_GT(everywhere(Hang::before_answer, restart, false), 15);
}

TEST_F(EtcdPoints, KilledBeforeEveryChangeOfItsOwnFilesItStartsAgain) {
    std::uint64_t at = 1;
    for (; at < requests_max; ++at) {
        begin();
        const auto ended = run(script().size(), How::torn, at);
        SCOPED_TRACE("change " + std::to_string(at) + ", " + point_.where());
        if (!point_.struck()) break;
        EXPECT_EQ(ended.signal, SIGKILL) << ended.out;
        expect_possible(read_report(ended.out).acknowledged, false);
        if (HasFatalFailure()) return;
    }
    EXPECT_GT(at, 4u);
}

}  // namespace
}  // namespace umbra::plugin_test
