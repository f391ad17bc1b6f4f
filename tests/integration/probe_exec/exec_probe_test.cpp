#include "integration/plugin/probe_driver.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <thread>

namespace umbra::plugin_test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

using Words = std::vector<std::string>;

std::int64_t monotonic_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

OptionValues command(Words words, Duration timeout = 30s) {
    return {{"command", std::move(words)}, {"timeout", timeout.count()}};
}
OptionValues script(const std::string& text, Duration timeout = 30s) {
    return command({"sh", "-c", text}, timeout);
}

ProbeResult result_of(const OptionValues& values) {
    const auto result = ProbeUnderTest{values}.check();
    EXPECT_TRUE(result.ok()) << result.error().message;
    return result.ok() ? *result : ProbeResult{};
}

TEST(ExecProbe, ACommandThatSucceedsIsHealthy) {
    const auto result = result_of(script("echo checking; echo 3 rows"));
    EXPECT_EQ(result.health, Health::healthy);
    EXPECT_EQ(result.detail, "3 rows");
    EXPECT_GT(result.latency, Duration::zero());
}

TEST(ExecProbe, ACommandThatFailsIsDownWithItsLastLine) {
    const auto result = result_of(script("echo no route >&2; exit 4"));
    EXPECT_EQ(result.health, Health::down);
    EXPECT_EQ(result.detail, "exited with status 4: no route");
}

TEST(ExecProbe, OneStatusMayMeanDegraded) {
    auto values = script("echo WARNING - load 17; exit 1");
    values["degraded_status"] = std::int64_t{1};
    const auto result = result_of(values);
    EXPECT_EQ(result.health, Health::degraded);
    EXPECT_EQ(result.detail, "exited with status 1: WARNING - load 17");
}

TEST(ExecProbe, TheCommandKnowsWhoAsksAndWhatItWasGiven) {
    auto values = script("echo $UMBRA_INSTANCE $UMBRA_PROBE $DSN");
    values["environment"] = Words{"DSN=db=crm"};
    EXPECT_EQ(result_of(values).detail, "test test db=crm");
}

TEST(ExecProbe, ATimeoutAnswersInTimeAndKillsTheWholeGroup) {
    const TemporaryDirectory directory;
    const auto file = directory.path() + "/pid";
    ProbeUnderTest probe{
        script("sleep 1000 & echo $! >" + file + "; echo connecting; wait", 300ms)};
    const auto began = monotonic_ns();
    const auto result = probe.check();
    EXPECT_LT(Duration{monotonic_ns() - began}, 10s);
    ASSERT_TRUE(result.ok()) << result.error().message;
    EXPECT_EQ(result->health, Health::down);
    EXPECT_THAT(result->detail, HasSubstr("no end within 300ms: connecting"));
    int pid = 0;
    std::ifstream{file} >> pid;
    ASSERT_GT(pid, 0);
    const auto lives = [pid] {
        // A zombie does nothing any more; whoever inherits it here may be slow to reap it.
        std::ifstream stat{"/proc/" + std::to_string(pid) + "/stat"};
        const std::string text{std::istreambuf_iterator<char>{stat}, {}};
        return !text.empty() && text.find(") Z") == std::string::npos;
    };
    const auto end = monotonic_ns() + Duration{20s}.count();
    while (lives() && monotonic_ns() < end) std::this_thread::sleep_for(5ms);
    EXPECT_FALSE(lives());
}

TEST(ExecProbe, AnswersBeforeTheDeadlineOfTheHost) {
    ProbeUnderTest probe{script("sleep 1000")};
    const auto deadline = monotonic_ns() + Duration{1s}.count();
    const auto result = probe.start(deadline).get();
    EXPECT_LT(monotonic_ns(), deadline);
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(result->health, Health::down);
}

TEST(ExecProbe, EightChecksRunAtOnceAndOneMoreIsRefused) {
    const TemporaryDirectory directory;
    const auto gate = directory.path() + "/gate";
    ProbeUnderTest probe{script("while [ ! -e " + gate + " ]; do sleep 0.02; done")};
    std::vector<Pending<ProbeResult>> open;
    for (int i = 0; i < 8; ++i) open.push_back(probe.start());
    const auto refused = probe.check();
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Errc::exhausted);
    std::ofstream{gate} << "open";
    for (const auto& pending : open) {
        const auto result = pending.get();
        ASSERT_TRUE(result.ok()) << result.error().message;
        EXPECT_EQ(result->health, Health::healthy);
    }
    EXPECT_TRUE(probe.check().ok()) << "there is room again";
}

TEST(ExecProbe, StopAnswersWhatIsInFlightAndKillsIt) {
    ProbeUnderTest probe{script("sleep 1000")};
    const auto open = probe.start();
    EXPECT_TRUE(probe.stop().get().ok());
    ASSERT_TRUE(open.ready()) << "before stop() was answered";
    EXPECT_EQ(open.get().error().code, Errc::closed);
}

TEST(ExecProbe, AProgramThatIsNotThereIsAFailureOfTheProbeNotOfTheTarget) {
    const auto result = ProbeUnderTest{command({"no-such-program"})}.check();
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().code, Errc::invalid);
    EXPECT_THAT(result.error().message, HasSubstr("no program \"no-such-program\""));
}

TEST(ExecProbe, OptionsThatCannotWorkAreRefusedAtCreation) {
    EXPECT_EQ(ProbeUnderTest{command({})}.instance().why().code, Errc::invalid);
    auto values = script("true");
    values["environment"] = Words{"DSN"};
    EXPECT_THAT(ProbeUnderTest{values}.instance().why().message,
                HasSubstr("\"DSN\" is not NAME=value"));
}

TEST(ExecProbe, LeavesNoDescriptorAndNoThreadBehind) {
    const auto count = [](const char* what) {
        return std::distance(std::filesystem::directory_iterator{what}, {});
    };
    (void)result_of(script("true"));
    const auto descriptors = count("/proc/self/fd");
    const auto threads = count("/proc/self/task");
    for (int i = 0; i < 5; ++i) (void)result_of(script("echo"));
    EXPECT_EQ(count("/proc/self/fd"), descriptors);
    EXPECT_EQ(count("/proc/self/task"), threads);
}

}  // namespace
}  // namespace umbra::plugin_test
