#include <umbra/gateway/sparse_traffic.hpp>

#include <gtest/gtest.h>

namespace umbra::gateway {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{10s};

TEST(SparseTrafficTest, ItIsQuietSomeTimeAfterTheLast) {
    SparseTraffic sparse;
    EXPECT_TRUE(sparse.is_quiet(start));
    sparse.heard(start);
    EXPECT_FALSE(sparse.is_quiet(start + SparseTraffic::quiet_after));
    EXPECT_TRUE(sparse.is_quiet(start + SparseTraffic::quiet_after + 1ns));
}

TEST(SparseTrafficTest, ATrickleKeepsItUp) {
    SparseTraffic sparse;
    Instant now = start;
    for (int i = 0; i < 1000; ++i) {
        now += i % 2 == 0 ? 1ms : 70ms;
        sparse.heard(now);
        ASSERT_FALSE(sparse.is_quiet(now + 70ms)) << i;
    }
}

}  // namespace
}  // namespace umbra::gateway
