#include <umbra/base/clock.hpp>

#include <gtest/gtest.h>

#include <regex>

namespace umbra::base {
namespace {

using namespace std::chrono_literals;
using std::chrono::system_clock;

TEST(ClockTest, BootClockNeverGoesBack) {
    const Instant first = boot_now();
    Instant last = first;
    for (int i = 0; i < 1000; ++i) {
        const Instant now = boot_now();
        ASSERT_GE(now, last);
        last = now;
    }
    EXPECT_GT(first, Instant{});
}

TEST(ClockTest, WallTimeIsRfc3339InUtc) {
    const system_clock::time_point time{std::chrono::seconds{1769860800} + 123us};
    EXPECT_EQ(to_rfc3339(time), "2026-01-31T12:00:00Z");
    EXPECT_EQ(to_rfc3339_micros(time), "2026-01-31T12:00:00.000123Z");
    EXPECT_TRUE(std::regex_match(wall_time(), std::regex(R"(\d{4}(-\d\d){2}T\d\d(:\d\d){2}Z)")));
}

TEST(ClockTest, TimesBefore1970DoNotBorrowFromTheWrongSecond) {
    const system_clock::time_point time{-1us};
    EXPECT_EQ(to_rfc3339_micros(time), "1969-12-31T23:59:59.999999Z");
}

}  // namespace
}  // namespace umbra::base
