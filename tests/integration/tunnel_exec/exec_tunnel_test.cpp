#include "integration/plugin/sockets.hpp"
#include "integration/plugin/tunnel_driver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>
#include <unistd.h>

namespace umbra::plugin_test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using enum TunnelState;
using Words = std::vector<std::string>;

TunnelSpec spec_of(std::vector<Mapping> mappings = {}) {
    return {"alpha", "1", 0, std::move(mappings), {}};
}
Mapping mapping(const std::string& name) {
    return {name, name + ".cloud", 8080, 8080, "127.0.0.1", 8000, "tcp", true};
}

class ExecTunnelTest : public testing::Test {
protected:
    /// A tunnel whose command is this script. `echo` goes to the output, `note` to a file.
    void make(const std::string& script, OptionValues more = {}) {
        OptionValues options{
            {"command",
             Words{"sh", "-c", "note() { echo \"$@\" >>" + notes_file_ + "; }; " + script}},
            {"ready_after", Duration{0}.count()},
            {"ready_timeout", Duration{30s}.count()},
            {"stop_signal", "TERM"},
            {"stop_timeout", Duration{3s}.count()},
            {"reload_signal", "none"},
            {"restart_max", Duration{200ms}.count()}};
        more.merge(options);
        make(more);
    }
    void make(const OptionValues& options) {
        tunnel_.emplace(state_.path(), options);
        ASSERT_NE(tunnel_->instance().self(), nullptr) << tunnel_->instance().why().message;
    }
    void open(const TunnelSpec& spec = spec_of({mapping("crm")})) {
        ASSERT_TRUE(tunnel_->open(spec).get().ok());
    }
    void serve() {
        ASSERT_NO_FATAL_FAILURE(open());
        ASSERT_TRUE(reaches(standby));
        const auto activated = tunnel_->activate(3).get();
        ASSERT_TRUE(activated.ok()) << activated.error().message;
        ASSERT_TRUE(reaches(active));
    }
    testing::AssertionResult reaches(TunnelState state, const std::string& detail = {}) {
        const auto event = tunnel_->wait_for(state, detail);
        if (event.ok()) return testing::AssertionSuccess();
        return testing::AssertionFailure() << event.error().message;
    }
    /// The words that the command noted.
    [[nodiscard]] Words notes() const {
        std::ifstream file{notes_file_};
        Words lines;
        for (std::string line; std::getline(file, line);) lines.push_back(line);
        return lines;
    }
    /// Waits until it noted as many.
    Words notes(std::size_t count) const {
        const auto end = std::chrono::steady_clock::now() + patience;
        while (notes().size() < count && std::chrono::steady_clock::now() < end)
            std::this_thread::sleep_for(5ms);
        return notes();
    }
    [[nodiscard]] std::string mappings() const {
        std::ifstream file{state_.path() + "/mappings.json"};
        return {std::istreambuf_iterator<char>{file}, {}};
    }

    const TemporaryDirectory state_;
    const std::string notes_file_ = state_.path() + "/notes";
    std::optional<TunnelUnderTest> tunnel_;
};

constexpr const char* stay = "while :; do sleep 0.02; done";

TEST_F(ExecTunnelTest, RunsWhileItIsActiveOnly) {
    make(std::string{"note started; trap 'note ended; exit' TERM; "} + stay);
    ASSERT_NO_FATAL_FAILURE(serve());
    EXPECT_THAT(notes(1), ElementsAre("started"));
    EXPECT_TRUE(tunnel_->drain(60s).get().ok());
    EXPECT_THAT(notes(), ElementsAre("started", "ended"));
    EXPECT_TRUE(reaches(standby));
    EXPECT_TRUE(tunnel_->activate(4).get().ok()) << "and again";
    EXPECT_THAT(notes(3), ElementsAre("started", "ended", "started"));
}

TEST_F(ExecTunnelTest, NothingRunsWhileItStandsBy) {
    make("note started");
    ASSERT_NO_FATAL_FAILURE(open());
    ASSERT_TRUE(reaches(standby));
    EXPECT_TRUE(tunnel_->stop().get().ok());
    EXPECT_THAT(notes(), IsEmpty());
}

TEST_F(ExecTunnelTest, TheCommandKnowsWhatItIsFor) {
    auto options = OptionValues{{"environment", Words{"TOKEN=a b"}}};
    make(std::string{"note $UMBRA_INSTANCE $UMBRA_TUNNEL $UMBRA_EPOCH $TOKEN; "
                     "note $(cat $UMBRA_MAPPINGS); "} +
             stay,
         options);
    ASSERT_NO_FATAL_FAILURE(serve());
    const auto noted = notes(2);
    ASSERT_EQ(noted.size(), 2u);
    EXPECT_EQ(noted[0], "test test 3 a b");
    EXPECT_THAT(noted[1], HasSubstr(R"("epoch": 3, "mappings": [{"name": "crm")"));
}

TEST_F(ExecTunnelTest, IsReadyWhenALineSaysSo) {
    const auto gate = state_.path() + "/gate";
    make("echo connecting; while [ ! -e " + gate + " ]; do sleep 0.02; done; echo tunnel is up; " +
             stay,
         {{"ready_output", "is up"}});
    ASSERT_NO_FATAL_FAILURE(open());
    ASSERT_TRUE(reaches(standby));
    const auto activated = tunnel_->activate(1);
    EXPECT_TRUE(reaches(connecting, "waiting for a line with \"is up\""));
    EXPECT_FALSE(activated.ready());
    std::ofstream{gate} << "open";
    EXPECT_TRUE(activated.get().ok());
    EXPECT_TRUE(reaches(active));
}

TEST_F(ExecTunnelTest, IsReadyWhenItsAddressAccepts) {
    const auto port = free_port();
    const auto address = "localhost:" + std::to_string(port);
    make(stay, {{"ready_address", address}});
    ASSERT_NO_FATAL_FAILURE(open());
    ASSERT_TRUE(reaches(standby));
    const auto activated = tunnel_->activate(1);
    EXPECT_TRUE(reaches(connecting, "waiting for " + address + " to accept"));
    EXPECT_FALSE(activated.ready());
    const Listener listener{port};
    ASSERT_TRUE(listener.usable());
    EXPECT_TRUE(activated.get().ok());
}

TEST_F(ExecTunnelTest, ACommandThatDoesNotGetReadyIsStartedAgain) {
    make(std::string{"note started; echo no route; "} + stay,
         {{"ready_output", "is up"}, {"ready_timeout", Duration{150ms}.count()}});
    ASSERT_NO_FATAL_FAILURE(open());
    ASSERT_TRUE(reaches(standby));
    const auto activated = tunnel_->activate(1).get();
    ASSERT_FALSE(activated.ok());
    EXPECT_THAT(activated.error().message,
                HasSubstr("not ready within 150ms, waited for a line with \"is up\"; it said no "
                          "route"));
    EXPECT_THAT(notes(2), Not(IsEmpty()));
}

TEST_F(ExecTunnelTest, ACommandThatEndsIsStartedAgainAndSaysWhy) {
    make(std::string{"note started; if [ $(wc -l <"} + notes_file_ +
         ") = 2 ]; then echo connection lost; exit 9; fi; " + stay);
    ASSERT_NO_FATAL_FAILURE(serve());
    (void)notes(1);
    ASSERT_TRUE(tunnel_->configure(spec_of({mapping("erp")})).get().ok());
    EXPECT_TRUE(reaches(connecting,
                        "the command exited with status 9: connection lost; next start "
                        "in "));
    EXPECT_TRUE(reaches(active));
    EXPECT_EQ(notes(3).size(), 3u);
}

TEST_F(ExecTunnelTest, OtherMappingsStartItAgainWithThem) {
    make(std::string{"note $(grep -o 'name\": \"[a-z]*' $UMBRA_MAPPINGS | head -1); "} + stay);
    ASSERT_NO_FATAL_FAILURE(serve());
    (void)notes(1);
    ASSERT_TRUE(tunnel_->configure(spec_of({mapping("erp")})).get().ok());
    EXPECT_THAT(notes(2), ElementsAre(HasSubstr("crm"), HasSubstr("erp")));
    ASSERT_TRUE(reaches(active));
    ASSERT_TRUE(tunnel_->configure(spec_of({mapping("erp")})).get().ok());
    EXPECT_TRUE(tunnel_->drain(0ms).get().ok());
    EXPECT_EQ(notes().size(), 2u) << "the same mappings start nothing";
}

TEST_F(ExecTunnelTest, OrTheyAreToldByASignal) {
    make(std::string{"trap 'note told' HUP; note started; "} + stay, {{"reload_signal", "HUP"}});
    ASSERT_NO_FATAL_FAILURE(serve());
    (void)notes(1);
    ASSERT_TRUE(tunnel_->configure(spec_of({mapping("erp")})).get().ok());
    EXPECT_THAT(notes(2), ElementsAre("started", "told"));
    EXPECT_THAT(mappings(), HasSubstr("\"name\": \"erp\""));
}

TEST_F(ExecTunnelTest, ADrainGivesTheGracePeriodAndNoMore) {
    make(std::string{"trap 'note asked' TERM; note started; "} + stay);
    ASSERT_NO_FATAL_FAILURE(serve());
    (void)notes(1);
    const auto drained = tunnel_->drain(300ms);
    EXPECT_THAT(notes(2), ElementsAre("started", "asked"));
    EXPECT_TRUE(reaches(draining));
    EXPECT_TRUE(drained.get().ok()) << "killed";
    EXPECT_TRUE(reaches(standby));
}

TEST_F(ExecTunnelTest, StopEndsItAndAnswersEverything) {
    make(std::string{"note started; trap 'note ended; exit' TERM; "} + stay,
         {{"ready_output", "never"}});
    ASSERT_NO_FATAL_FAILURE(open());
    ASSERT_TRUE(reaches(standby));
    const auto activated = tunnel_->activate(1);
    (void)notes(1);
    EXPECT_TRUE(tunnel_->stop().get().ok());
    EXPECT_EQ(activated.get().error().code, Errc::closed);
    EXPECT_THAT(notes(), ElementsAre("started", "ended"));
}

TEST_F(ExecTunnelTest, AProgramThatIsNotThereIsRefusedUntilItIs) {
    const auto program = state_.path() + "/program";
    make(OptionValues{{"command", Words{program}},
                      {"stop_signal", "TERM"},
                      {"reload_signal", "none"},
                      {"restart_max", Duration{200ms}.count()},
                      {"ready_timeout", Duration{30s}.count()}});
    ASSERT_NO_FATAL_FAILURE(open());
    EXPECT_TRUE(reaches(refused, program + " is no program that this user may execute"));
    std::filesystem::copy_file("/bin/sh", program);
    EXPECT_TRUE(reaches(standby));
}

TEST_F(ExecTunnelTest, OptionsThatCannotWorkAreRefusedAtCreation) {
    EXPECT_EQ(TunnelUnderTest(state_.path(), {}).instance().why().code, Errc::invalid);
    EXPECT_THAT(TunnelUnderTest(state_.path(),
                                {{"command", Words{"true"}}, {"environment", Words{"TOKEN"}}})
                    .instance()
                    .why()
                    .message,
                HasSubstr("\"TOKEN\" is not NAME=value"));
    EXPECT_EQ(TunnelUnderTest::file().plugin().capabilities, nullptr) << "cannot fence";
}

}  // namespace
}  // namespace umbra::plugin_test
