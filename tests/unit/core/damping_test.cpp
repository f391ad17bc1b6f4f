#include "core_support.hpp"
#include <umbra/core/damping.hpp>

#include <gmock/gmock.h>

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

TEST(DampingTest, WhatAnEarlierProcessCountedIsTakenOverAndBounded) {
    const Instant now{1h};
    const Damping restored({now - Damping::window, now - 1s, now - 1s, now + 1h}, now);
    EXPECT_EQ(restored.recent(now), 3u) << "the first is over";
    EXPECT_EQ(restored.recent(now + Damping::window), 0u) << "what is still to come counts as now";
    const Damping many(std::vector<Instant>(Damping::kept + 1, now), now);
    EXPECT_EQ(many.times().size(), Damping::kept);
    EXPECT_EQ(Damping(many.times(), now), many);
}

std::vector<Instant> last_persisted(const Effects& effects) {
    return all<effect::Persist>(effects).back().state.unplanned;
}

TEST(DampingTest, AnUnplannedChangeIsOnDiskWithTheEpochAndARestartRemembersIt) {
    Bench shadow = shadow_in_sync();
    shadow.tell(fact::RegisterSeen{"main", lost_of_alpha(), true});
    const auto claims = all<effect::Claim>(shadow.tell(fact::PeerRefused{"gone"}));
    ASSERT_EQ(claims.size(), 1u);
    const auto effects = shadow.grant(claims[0], {alpha, beta});
    ASSERT_EQ(all<effect::Persist>(effects).size(), 1u) << "no write more than without it";
    EXPECT_EQ(last_persisted(effects), std::vector{shadow.now});

    Persistent first;
    first.unplanned.assign(Damping::free_of_charge + 1, Instant{1h});
    Bench again("beta", Role::shadow, first);
    again.start_with_gateway(alive_of_alpha());
    const auto hello = asked<wire::Hello>(again.pong(master_pong(1)));
    ASSERT_TRUE(hello);
    EXPECT_EQ(hello->timers.takeover_delay, (2 * Settings{}.takeover_delay).count());
}

TEST(DampingTest, AnOperatorsWordForgetsThemOnDiskAndOnBothInstances) {
    Persistent first;
    first.unplanned.assign(Damping::kept, Instant{1h});
    Bench shadow("beta", Role::shadow, first);
    EXPECT_THAT(last_persisted(shadow.tell(fact::PauseRequested{1, true})),
                testing::SizeIs(Damping::kept));
    EXPECT_THAT(last_persisted(shadow.tell(fact::PauseRequested{2, false})), testing::IsEmpty());

    Bench other("beta", Role::shadow, first);
    other.start_with_gateway(alive_of_alpha());
    auto resumed = master_pong(1);
    resumed.pause = {false, 7, 0};
    EXPECT_THAT(last_persisted(other.pong(resumed)), testing::IsEmpty());
}

}  // namespace
}  // namespace umbra::core
