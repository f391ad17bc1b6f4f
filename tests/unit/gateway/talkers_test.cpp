#include <umbra/gateway/talkers.hpp>

#include <gtest/gtest.h>

namespace umbra::gateway {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{10s};
const int bulk = 0, other = 0;

TEST(TalkersTest, WhoIsAloneIsKnownOnlyAfterAWhile) {
    Talkers talkers;
    talkers.heard(&bulk, start);
    EXPECT_FALSE(talkers.one(start + Talkers::alone_after));
    talkers.heard(&bulk, start + Talkers::alone_after);
    EXPECT_TRUE(talkers.one(start + Talkers::alone_after + 1ns));
}

TEST(TalkersTest, OneFrameOfAnotherEndsIt) {
    Talkers talkers;
    talkers.heard(&bulk, start);
    const Instant later = start + 1s;
    ASSERT_TRUE(talkers.one(later));
    talkers.heard(&other, later);
    EXPECT_FALSE(talkers.one(later));
}

TEST(TalkersTest, TwoWhoTakeTurnsAreNeverAlone) {
    Talkers talkers;
    Instant now = start;
    for (int i = 0; i < 1000; ++i) {
        now += 1ms;
        talkers.heard(i % 10 == 0 ? &other : &bulk, now);
        ASSERT_FALSE(talkers.one(now)) << i;
    }
    EXPECT_TRUE(talkers.one(now + 2 * Talkers::alone_after));
}

}  // namespace
}  // namespace umbra::gateway
