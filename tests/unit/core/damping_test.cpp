#include "core_support.hpp"
#include <umbra/core/damping.hpp>

namespace umbra::core {
namespace {

TEST(DampingTest, TheFirstChangesCostNothing) {
    Damping damping;
    const Instant now{1h};
    for (std::size_t i = 0; i < Damping::free_of_charge; ++i) {
        EXPECT_EQ(damping.factor(now), 1);
        damping.record(now);
    }
    EXPECT_EQ(damping.factor(now), 1);
    damping.record(now);
    EXPECT_EQ(damping.factor(now), 2) << "one past the limit";
}

TEST(DampingTest, EachFurtherChangeDoublesTheWaitUpToALimit) {
    Damping damping;
    Instant now{1h};
    for (std::size_t i = 0; i < Damping::free_of_charge; ++i) damping.record(now);
    for (const int factor : {2, 4, 8, 8, 8}) {
        damping.record(now += 1s);
        EXPECT_EQ(damping.factor(now), factor);
    }
    EXPECT_EQ(Damping::factor_max, 8);
}

TEST(DampingTest, ChangesAreForgottenAfterTheWindowAndByOrder) {
    Damping damping;
    const Instant now{1h};
    for (int i = 0; i < 4; ++i) damping.record(now);
    EXPECT_EQ(damping.factor(now + Damping::window - 1ns), 4);
    EXPECT_EQ(damping.factor(now + Damping::window), 1);
    damping.forget();
    EXPECT_EQ(damping.factor(now), 1);
}

}  // namespace
}  // namespace umbra::core
