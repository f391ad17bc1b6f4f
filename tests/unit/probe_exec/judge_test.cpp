#include "exec_probe.hpp"

#include <gtest/gtest.h>

namespace umbra::exec_probe {
namespace {

using namespace std::chrono_literals;

TEST(ExecJudge, StatusZeroIsHealthyWithTheLine) {
    const auto result = judge({false, 0}, "all well", std::nullopt, 5ms);
    EXPECT_EQ(result.health, Health::healthy);
    EXPECT_EQ(result.detail, "all well");
    EXPECT_EQ(result.latency, Duration{5ms});
}

TEST(ExecJudge, AnotherStatusIsDownAndSaysWhich) {
    EXPECT_EQ(judge({false, 2}, "no response", std::nullopt, {}).health, Health::down);
    EXPECT_EQ(judge({false, 2}, "no response", std::nullopt, {}).detail,
              "exited with status 2: no response");
    EXPECT_EQ(judge({false, 2}, "", std::nullopt, {}).detail, "exited with status 2");
}

TEST(ExecJudge, OnlyTheStatusThatIsNamedMeansDegraded) {
    EXPECT_EQ(judge({false, 1}, "", 1, {}).health, Health::degraded);
    EXPECT_EQ(judge({false, 2}, "", 1, {}).health, Health::down);
    EXPECT_EQ(judge({false, 1}, "", std::nullopt, {}).health, Health::down);
    EXPECT_EQ(judge({true, 1}, "", 1, {}).health, Health::down) << "a signal is no status";
}

TEST(ExecJudge, TheDetailIsCutAtItsLimit) {
    EXPECT_EQ(judge({}, std::string(threaded::detail_max, 'a'), std::nullopt, {}).detail.size(),
              threaded::detail_max);
    const auto longer =
        judge({}, std::string(threaded::detail_max + 1, 'a'), std::nullopt, {}).detail;
    EXPECT_EQ(longer.size(), threaded::detail_max);
    EXPECT_TRUE(longer.ends_with("..."));
}

}  // namespace
}  // namespace umbra::exec_probe
