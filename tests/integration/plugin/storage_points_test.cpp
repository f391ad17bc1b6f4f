// The script of storage_script.hpp, interrupted at every change of a file that the storage makes:
// killed before it, killed in the middle of it, refused by a full disk, broken, without power. Each
// time what was acknowledged is there, in order and whole, and the storage goes on.

#include "integration/failpoint/failpoint.hpp"
#include "integration/failpoint/trace.hpp"
#include "integration/plugin/storage_conformance.hpp"
#include "integration/plugin/storage_script.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

namespace umbra::plugin_test {
namespace {

namespace fs = std::filesystem;
using failpoint::How;

/// Not one change after this many: the script has far fewer.
constexpr std::uint64_t calls_max = 5000;

/// About so many disks without power are looked at.
constexpr std::size_t images = 3000;

class StoragePoints : public ::testing::Test {
protected:
    /// An empty state directory.
    std::string fresh() {
        fs::remove_all(state());
        fs::create_directory(state());
        return state();
    }
    [[nodiscard]] std::string state() const { return directory_.path() + "/state"; }

    failpoint::Ended run(std::size_t steps, How how, std::uint64_t at, bool traced = false) {
        std::vector<std::string> command{UMBRA_TEST_SCRIPT_RUNNER, under_test_.file, state(),
                                         std::to_string(steps)};
        for (auto& option : to_arguments(under_test_.script_options))
            command.push_back(std::move(option));
        return point_.run(command, state(), how, at, traced);
    }
    /// Opens what is there, looks at it, appends to it, and opens it again.
    void expect_possible(const std::string& place, std::size_t acknowledged, bool exactly = false) {
        std::uint64_t next = 0;
        {
            StorageDriver storage{plugin_, place, under_test_.script_options};
            const auto opened = storage.open().get();
            ASSERT_TRUE(opened.ok()) << opened.error().message;
            std::string why;
            const auto now = read_content(storage, why);
            ASSERT_EQ(why, "");
            ASSERT_TRUE(exactly ? now == content_after(acknowledged)
                                : is_possible(now, acknowledged))
                << to_string(now) << "; acknowledged: " << to_string(content_after(acknowledged));
            EXPECT_EQ(opened->last,
                      now.entries.empty() ? now.snapshot.position : now.entries.back().position);
            next = opened->last.seq + 1;
            const auto appended = storage.append({entry_of(next)}).get();
            ASSERT_TRUE(appended.ok()) << appended.error().message;
        }
        StorageDriver storage{plugin_, place, under_test_.script_options};
        const auto again = storage.open().get();
        ASSERT_TRUE(again.ok()) << again.error().message;
        ASSERT_EQ(again->last, position_of(next));
        const auto read = storage.read(next, 9).get();
        ASSERT_TRUE(read.ok()) << read.error().message;
        ASSERT_EQ(*read, entries_of(next, next));
    }
    /// Kills at every change, `how`, until one run comes to its end. @return The number of kills.
    std::uint64_t kill_everywhere(How how) {
        for (std::uint64_t at = 1; at < calls_max; ++at) {
            fresh();
            const auto ended = run(script().size(), how, at);
            SCOPED_TRACE("change " + std::to_string(at) + ", " + point_.where());
            if (!point_.struck()) {
                EXPECT_EQ(ended.status, 0) << ended.out;
                EXPECT_EQ(read_report(ended.out).acknowledged, script().size());
                expect_possible(state(), script().size(), true);
                return at - 1;
            }
            EXPECT_EQ(ended.signal, SIGKILL) << ended.out;
            const auto reported = read_report(ended.out);
            EXPECT_EQ(reported.refused, 0) << ended.out;
            // And once more, while it recovers from that.
            const auto recovering = run(0, how, 1 + at % 7);
            EXPECT_EQ(read_report(recovering.out).refused, 0) << recovering.out;
            expect_possible(state(), reported.acknowledged);
            if (HasFatalFailure()) return at;
        }
        ADD_FAILURE() << "the script never ended";
        return 0;
    }

    const StorageUnderTest under_test_ = storage_under_test();
    const PluginFile plugin_{under_test_.file, UMBRA_KIND_STORAGE};
    TemporaryDirectory directory_{fast_place()};
    failpoint::Failpoint point_{UMBRA_TEST_FAILPOINT, directory_.path()};
};

TEST_F(StoragePoints, KilledBeforeEveryChangeNothingAcknowledgedIsLost) {
    EXPECT_GT(kill_everywhere(How::kill), 50u);
}

TEST_F(StoragePoints, KilledInTheMiddleOfEveryChangeNothingIsThereByHalf) {
    EXPECT_GT(kill_everywhere(How::torn), 50u);
}

TEST_F(StoragePoints, FullForAMomentAtEveryWriteItRefusesAndGoesOn) {
    int refused = 0, given_up = 0;
    for (std::uint64_t at = 1; at < calls_max; ++at) {
        fresh();
        const auto ended = run(script().size(), How::full, at);
        SCOPED_TRACE("change " + std::to_string(at) + ", " + point_.where());
        const auto reported = read_report(ended.out);
        if (at > point_.calls()) break;
        ASSERT_EQ(ended.signal, 0) << ended.out;
        refused += reported.refused;
        if (ended.status == 5) {
            ++given_up;
            expect_possible(state(), reported.acknowledged);
        } else {
            EXPECT_EQ(ended.status, 0) << ended.out;
            expect_possible(state(), reported.acknowledged, true);
        }
        if (HasFatalFailure()) return;
    }
    std::printf("refused %d times, gave itself up %d times\n", refused, given_up);
    EXPECT_GT(refused, 20);
}

TEST_F(StoragePoints, FullFromEveryWriteOnWhatWasRefusedIsNotThere) {
    int refused = 0;
    for (std::uint64_t at = 1; at < calls_max; ++at) {
        fresh();
        const auto ended = run(script().size(), How::full_on, at);
        SCOPED_TRACE("change " + std::to_string(at) + ", " + point_.where());
        const auto reported = read_report(ended.out);
        if (at > point_.calls()) break;
        ASSERT_EQ(ended.signal, 0) << ended.out;
        refused += reported.refused;
        const bool exactly = ended.status != 5;
        // At the first start SQLite knows no more of a journal that it cannot make.
        if (ended.status == 6 && reported.open) {
            EXPECT_EQ(reported.last_refusal, Errc::exhausted) << ended.out;
        }
        expect_possible(state(), reported.acknowledged, exactly);
        if (HasFatalFailure()) return;
    }
    EXPECT_GT(refused, 50);
}

TEST_F(StoragePoints, BrokenOnceAtEveryChangeNothingAcknowledgedIsLost) {
    int refused = 0;
    for (std::uint64_t at = 1; at < calls_max; ++at) {
        fresh();
        const auto ended = run(script().size(), How::broken, at);
        SCOPED_TRACE("change " + std::to_string(at) + ", " + point_.where());
        const auto reported = read_report(ended.out);
        if (at > point_.calls()) break;
        ASSERT_EQ(ended.signal, 0) << ended.out;
        refused += reported.refused;
        expect_possible(state(), reported.acknowledged);
        if (HasFatalFailure()) return;
    }
    EXPECT_GT(refused, 40);
}

TEST_F(StoragePoints, WithoutPowerAfterEveryChangeNothingAcknowledgedIsLost) {
    fresh();
    const auto ended = run(script().size(), How::nothing, 0, true);
    ASSERT_EQ(ended.status, 0) << ended.out;
    const auto changes = failpoint::read_trace(point_.trace_file());
    ASSERT_GT(changes.size(), 60u);
    const auto seeds = static_cast<unsigned>(4 + images / changes.size());
    failpoint::TracedDisk disk;
    std::string reports;
    for (std::size_t i = 0; i < changes.size(); ++i) {
        disk.apply(changes[i]);
        if (changes[i].op == failpoint::Op::report) reports += changes[i].bytes;
        for (unsigned seed = 0; seed < seeds; ++seed) {
            SCOPED_TRACE("after change " + std::to_string(i) + " of " + changes[i].name +
                         ", seed " + std::to_string(seed));
            std::mt19937 random{static_cast<unsigned>(i) * seeds + seed};
            disk.lose_power(fresh(), random);
            expect_possible(state(), read_report(reports).acknowledged);
            if (HasFatalFailure()) return;
        }
    }
    EXPECT_EQ(read_report(reports).acknowledged, script().size());
}

}  // namespace
}  // namespace umbra::plugin_test
