#include "tick.hpp"

#include <gtest/gtest.h>

namespace umbra::gateway {
namespace {

using namespace std::chrono_literals;

TEST(TickTest, AnIdleGatewaySleepsTwiceAsLong) {
    EXPECT_EQ(tick_after(false, 600ms), 100ms);
    EXPECT_EQ(tick_after(false, 1h), 100ms);
}

TEST(TickTest, WhoeverWaitsIsLookedAtSoonWhateverTheLease) {
    for (const Duration lease : {Duration{100ms}, Duration{600ms}, Duration{1h}})
        EXPECT_EQ(tick_after(true, lease), 50ms);
}

TEST(TickTest, AShortLeaseIsLookedAtSixTimes) {
    EXPECT_EQ(tick_after(false, 480ms), 80ms);
    EXPECT_EQ(tick_after(false, 599'999'994ns), 99'999'999ns);
    EXPECT_EQ(tick_after(false, 300ms), 50ms);
    EXPECT_EQ(tick_after(false, 100ms), 50ms) << "never more often than while somebody waits";
}

}  // namespace
}  // namespace umbra::gateway
