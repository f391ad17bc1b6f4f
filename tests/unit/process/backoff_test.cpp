#include <umbra/process/backoff.hpp>

#include <gtest/gtest.h>

namespace umbra::process {
namespace {

using namespace std::chrono_literals;

TEST(ProcessBackoff, DoublesUpToTheLongestPause) {
    Backoff backoff{100ms, 1s};
    for (const auto expected : {100ms, 200ms, 400ms, 800ms, 1000ms, 1000ms})
        EXPECT_EQ(backoff.next(0), expected);
    backoff.reset();
    EXPECT_EQ(backoff.next(0), 100ms);
}

TEST(ProcessBackoff, JitterShortensByUpToHalf) {
    EXPECT_GT(Backoff(100ms, 1s).next(1023), 50ms);
    EXPECT_LT(Backoff(100ms, 1s).next(1023), 51ms);
}

TEST(ProcessBackoff, NeverOverflowsAndNeverExceedsTheLongest) {
    Backoff backoff{1s, 10min};
    for (int i = 0; i < 1000; ++i) EXPECT_LE(backoff.next(0), 10min);
    EXPECT_EQ(Backoff(100ms, 50ms).next(0), 50ms);
}

TEST(ProcessBackoff, DurationsForPeople) {
    EXPECT_EQ(to_text(1500ms), "1500ms");
    EXPECT_EQ(to_text(2s), "2s");
    EXPECT_EQ(to_text(1ns), "1ms");
}

}  // namespace
}  // namespace umbra::process
