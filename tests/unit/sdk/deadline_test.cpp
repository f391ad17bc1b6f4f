#include <umbra/sdk/deadline.hpp>

#include <gtest/gtest.h>

namespace umbra {
namespace {

using namespace std::chrono_literals;

constexpr Instant began{1h};

std::int64_t host_gives_up_after(Duration time) {
    return (began + time).time_since_epoch().count();
}

TEST(DeadlineTest, WithoutOneThePluginDecides) { EXPECT_EQ(answer_by(began, 2s, 0), began + 2s); }

TEST(DeadlineTest, TheEarlierOfTheTwoCountsAndTheHostIsMetByTheMargin) {
    EXPECT_EQ(answer_by(began, 2s, host_gives_up_after(2s + answer_margin)), began + 2s);
    EXPECT_EQ(answer_by(began, 2s, host_gives_up_after(2s)), began + 2s - answer_margin);
    EXPECT_LT(answer_by(began, 2s, host_gives_up_after(0s)), began) << "it is too late already";
}

TEST(DeadlineTest, TheClockIsThatOfTheBinaryInterface) {
    timespec now{};
    ASSERT_EQ(::clock_gettime(CLOCK_MONOTONIC, &now), 0);
    const Instant before{std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec}};
    EXPECT_GE(deadline_clock(), before);
    EXPECT_LT(deadline_clock() - before, 1min);
}

}  // namespace
}  // namespace umbra
