// When a shadow acts on silence: adaptive limits, damping, pauses, and what a late loop means.

#include "core_support.hpp"

#include <gmock/gmock.h>

namespace umbra::core {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

/// How long after its first missed ping the shadow claims.
Duration silence_before_claim(Bench& shadow) {
    auto effects = shadow.miss_ping();
    const Instant missed = shadow.now;
    for (int i = 0; i < 4000 && all<effect::Claim>(effects).empty(); ++i)
        effects = shadow.wait(25ms);
    EXPECT_THAT(all<effect::Claim>(effects), SizeIs(1));
    return shadow.now - missed;
}

std::string explained(const Effects& effects) {
    std::string text;
    for (const auto& one : all<effect::Explain>(effects)) text += one.text + "\n";
    return text;
}

/// Beta loses the role to alpha, which had been frozen, and follows it again.
void lose_role(Bench& node, Epoch epoch) {
    node.tell(fact::RegisterSeen{"main", Bench::view_of(epoch, "alpha", true, {alpha, beta})});
    ASSERT_EQ(node.node().role(), Role::shadow);
    node.pong(master_pong(epoch));
}

/// Beta takes over after a silence and loses the role again, twice. Returns the epoch it follows.
Epoch lose_the_role_twice(Bench& node) {
    Epoch epoch = 1;
    for (int i = 0; i < 2; ++i) {
        node.tell(fact::RegisterSeen{"main", Bench::view_of(epoch, "alpha", false, {alpha, beta})});
        node.miss_ping();
        const auto claims = all<effect::Claim>(node.wait(1s));
        EXPECT_THAT(claims, SizeIs(1));
        if (claims.empty()) break;
        node.grant(claims[0], {alpha, beta});
        EXPECT_EQ(node.node().role(), Role::master);
        lose_role(node, epoch += 2);
    }
    return epoch;
}

TEST(NodeTiming, ASlowLinkLengthensTheWait) {
    Bench shadow = shadow_in_sync();
    shadow.tell(fact::RegisterSeen{"main", lost_of_alpha()});
    shadow.pong(master_pong(1), 300ms);
    EXPECT_GE(silence_before_claim(shadow), 1000ms) << "four slow answers, not the delay of 500 ms";
}

TEST(NodeTiming, AVerySlowLinkLengthensTheWaitToALimitOnly) {
    Bench shadow = shadow_in_sync();
    shadow.tell(fact::RegisterSeen{"main", lost_of_alpha()});
    shadow.pong(master_pong(1), 100s);
    EXPECT_LE(silence_before_claim(shadow), Node::takeover_delays_max * 500ms);
}

TEST(NodeTiming, BeaconsKeepAShadowFromActingOnLateAnswers) {
    Bench shadow = shadow_in_sync();
    shadow.tell(fact::RegisterSeen{"main", lost_of_alpha()});
    shadow.miss_ping();
    for (int i = 0; i < 20; ++i) {
        const auto beacon = wire::encode(wire::Beacon{1, {}, shadow.node().log().digest()});
        auto effects = shadow.tell(fact::PeerPublished{beacon});
        const auto more = shadow.wait(400ms);
        effects.insert(effects.end(), more.begin(), more.end());
        EXPECT_THAT(all<effect::Claim>(effects), IsEmpty());
    }
    EXPECT_THAT(all<effect::Claim>(shadow.wait(200ms)), SizeIs(1)) << "then they stop";
}

TEST(NodeTiming, RepeatedTakeoversLengthenTheWaitAndSayWhy) {
    Bench node = shadow_in_sync();
    const Epoch epoch = lose_the_role_twice(node);
    // Four unplanned changes: two of them are free, the others double the delay twice.
    node.tell(fact::RegisterSeen{"main", Bench::view_of(epoch, "alpha", false, {alpha, beta})});
    EXPECT_GE(silence_before_claim(node), 4 * 500ms - 100ms);
    const auto refused = explained(node.tell(fact::Ticked{}));
    EXPECT_EQ(refused, "");
}

TEST(NodeTiming, ACertainDeathIsNeverDelayed) {
    Bench node = shadow_in_sync();
    Epoch epoch = 1;
    for (int i = 0; i < 4; ++i) {
        node.tell(fact::RegisterSeen{"main", Bench::view_of(epoch, "alpha", false, {alpha, beta})});
        const auto claims = all<effect::Claim>(node.tell(fact::PeerRefused{"refused"}));
        ASSERT_THAT(claims, SizeIs(1)) << "takeover " << i;
        EXPECT_EQ(claims[0].reason, ClaimReason::peer_refused);
        node.grant(claims[0], {alpha, beta});
        lose_role(node, epoch += 2);
        node.wait(200ms);
    }
}

TEST(NodeTiming, ResumeEndsTheDamping) {
    Bench node = shadow_in_sync();
    const Epoch epoch = lose_the_role_twice(node);
    node.tell(fact::PauseRequested{1, false});
    node.tell(fact::RegisterSeen{"main", Bench::view_of(epoch, "alpha", false, {alpha, beta})});
    EXPECT_LE(silence_before_claim(node), 600ms);
}

// --- a late loop ---------------------------------------------------------------------------------

TEST(NodeTiming, AMasterThatSleptAsksBeforeItGoesOn) {
    Bench master = master_with_shadow();
    ASSERT_EQ(master.node().state(), State::active);
    master.now += 3s;
    const auto effects = master.tell(fact::LoopWasLate{3s});
    EXPECT_EQ(master.node().state(), State::starting);
    ASSERT_THAT(all<effect::Activate>(effects), SizeIs(1)) << "the gateway knows";
    EXPECT_THAT(explained(effects), HasSubstr("held up for 3000 ms while master of epoch 1"));
    const auto refused =
        all<effect::Reply>(master.tell(fact::EditRequested{7, edit_of("k", "1"), {}}));
    ASSERT_THAT(refused, SizeIs(1));
    EXPECT_EQ(refused[0].verdict, Verdict::refused);
    EXPECT_THAT(refused[0].text, HasSubstr("held up"));
    master.tell(fact::TunnelChanged{"main", TunnelState::standby});
    master.tell(fact::TunnelChanged{"main", TunnelState::active});
    EXPECT_EQ(master.node().state(), State::active);
    EXPECT_THAT(all<effect::Append>(master.tell(fact::EditRequested{8, edit_of("k", "1"), {}})),
                SizeIs(1));
}

TEST(NodeTiming, AMasterThatWasReplacedWhileItSleptStepsDown) {
    Bench master = master_with_shadow();
    master.now += 3s;
    master.tell(fact::LoopWasLate{3s});
    master.tell(fact::RegisterSeen{"main", Bench::view_of(2, "beta", true, {alpha, beta})});
    EXPECT_EQ(master.node().role(), Role::shadow);
    EXPECT_EQ(master.node().state(), State::fenced);
}

TEST(NodeTiming, AShortDelayOfTheLoopIsNoSleep) {
    Bench master = master_with_shadow();
    EXPECT_THAT(all<effect::Activate>(master.tell(fact::LoopWasLate{249ms})), IsEmpty());
    EXPECT_EQ(master.node().state(), State::active);
    EXPECT_THAT(all<effect::Activate>(master.tell(fact::LoopWasLate{250ms})), SizeIs(1))
        << "half of the takeover delay";
}

TEST(NodeTiming, WithoutAGatewayASleeperAsksItsPeer) {
    Bench master("alpha", Role::master);
    master.tell(fact::TunnelsConfigured{{{"plain", false}}});
    master.tell(fact::Paired{true});
    wire::Pong peer{"beta", "beta-disk", "1", Role::shadow, 0, false, {}};
    master.pong(peer);
    master.tell(fact::TunnelChanged{"plain", TunnelState::active});
    ASSERT_EQ(master.node().state(), State::active);
    master.now += 11s;
    master.tell(fact::LoopWasLate{11s});
    ASSERT_EQ(master.node().state(), State::starting);
    master.pong(peer);
    EXPECT_EQ(master.node().state(), State::active);
    master.now += 11s;
    master.tell(fact::LoopWasLate{11s});
    peer.role = Role::master;
    peer.serving = true;
    peer.epoch = 5;
    master.pong(peer);
    EXPECT_EQ(master.node().role(), Role::shadow);
}

// --- ticks ---------------------------------------------------------------------------------------

TEST(NodeTiming, WhileAllIsWellATickComesWithTheNextPing) {
    Bench shadow = shadow_in_sync();
    const Duration check = shadow.node().settings().check_interval;
    shadow.wait(check);  // A ping is out now, and its answer is a fact.
    EXPECT_EQ(shadow.node().next_tick(), check);
    shadow.pong(master_pong(1));
    EXPECT_LE(shadow.node().next_tick(), check);
    shadow.now += shadow.node().next_tick();
    EXPECT_THAT(all<effect::Ping>(shadow.tell(fact::Ticked{})), SizeIs(1)) << "not a tick later";
}

TEST(NodeTiming, WhateverMayEndByTimeAloneIsLookedAtFourTimesInACheckInterval) {
    Bench quiet = [] {
        Bench shadow = shadow_in_sync();
        shadow.wait(shadow.node().settings().check_interval);
        return shadow;
    }();
    const Duration soon = quiet.node().settings().check_interval / 4;
    ASSERT_GT(quiet.node().next_tick(), soon);
    const std::vector<Fact> unrest = {
        fact::PeerRefused{"nobody there"},
        fact::LinkWasLost{"cut"},
        fact::RegisterSeen{"main", lost_of_alpha()},
        fact::TunnelChanged{"main", TunnelState::connecting},
        fact::StopRequested{},
    };
    for (const auto& fact : unrest) {
        Bench shadow = quiet;
        shadow.tell(fact);
        EXPECT_LE(shadow.node().next_tick(), soon) << "fact " << fact.index();
    }
    Bench shadow = quiet;
    shadow.miss_ping();
    EXPECT_LE(shadow.node().next_tick(), soon);
}

TEST(NodeTiming, AMasterLooksMoreOftenWhileAnEditWaitsForTheShadow) {
    Bench master = master_with_shadow();
    master.pong({"beta", "beta-disk", "1", Role::shadow, 1, false, {}});
    master.ask(hello_of_beta());
    master.ask(report_of_beta(1, {}));
    const Duration soon = master.node().settings().check_interval / 4;
    master.wait(master.node().settings().check_interval);
    ASSERT_GT(master.node().next_tick(), soon);
    fact::EditRequested edit;
    edit.request = 1;
    edit.edit = edit_of("k", "1");
    master.tell(edit);
    EXPECT_LE(master.node().next_tick(), soon);
}

// --- pause ---------------------------------------------------------------------------------------

TEST(NodeTiming, APauseOnTheMasterHoldsForTheShadowToo) {
    Bench shadow = shadow_in_sync();
    auto pong = master_pong(1);
    pong.pause = {true, 1, 0};
    const auto effects = shadow.pong(pong);
    EXPECT_TRUE(shadow.node().paused());
    EXPECT_THAT(all<effect::Persist>(effects), SizeIs(1)) << "it outlives a restart";
    EXPECT_THAT(all<effect::RaiseAlert>(effects), SizeIs(1));
    shadow.tell(fact::RegisterSeen{"main", lost_of_alpha()});
    shadow.tell(fact::PeerRefused{"gone"});
    EXPECT_THAT(all<effect::Claim>(shadow.wait(3s)), IsEmpty());
    EXPECT_THAT(all<effect::Claim>(shadow.tell(fact::PauseRequested{1, false})), SizeIs(1));
}

TEST(NodeTiming, AnOlderPauseOfThePeerDoesNotComeBack) {
    Bench shadow = shadow_in_sync();
    shadow.tell(fact::PauseRequested{1, true});
    shadow.tell(fact::PauseRequested{2, false});
    auto pong = master_pong(1);
    pong.pause = {true, 1, 0};
    shadow.pong(pong);
    EXPECT_FALSE(shadow.node().paused());
    pong.pause = {true, 3, 5};
    shadow.pong(pong);
    EXPECT_TRUE(shadow.node().paused());
    EXPECT_EQ(shadow.node().persistent().pause.until_ms, 5);
}

TEST(NodeTiming, APauseThatIsStoredIsShownAfterARestart) {
    Persistent stored;
    stored.pause = {true, 4, 0};
    Bench shadow("beta", Role::shadow, stored);
    const auto alerts = all<effect::RaiseAlert>(shadow.tell(fact::Ticked{}));
    ASSERT_THAT(alerts, SizeIs(1));
    EXPECT_EQ(alerts[0].id, "paused");
}

}  // namespace
}  // namespace umbra::core
