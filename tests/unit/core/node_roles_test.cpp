#include "core_support.hpp"

#include <gmock/gmock.h>

namespace umbra::core {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// --- start ---------------------------------------------------------------------------------------

TEST(NodeRoles, AnEmptyRegisterIsClaimedByTheMasterAndByNobodyElse) {
    Bench master("alpha", Role::master);
    const auto claims =
        all<effect::Claim>(master.start_with_gateway(Bench::view_of(0, "", false, {})));
    ASSERT_EQ(claims.size(), 1u);
    EXPECT_EQ(claims[0].epoch, 1u);
    EXPECT_EQ(claims[0].reason, ClaimReason::first);
    Bench shadow("beta", Role::shadow);
    shadow.start_with_gateway(Bench::view_of(0, "", false, {}));
    EXPECT_THAT(all<effect::Claim>(shadow.wait(2s)), IsEmpty());
}

TEST(NodeRoles, ARegisterThatNamesThisNodeIsClaimedAnew) {
    Bench master("alpha", Role::master);
    const auto claims = all<effect::Claim>(
        master.start_with_gateway(Bench::view_of(7, "alpha", true, {alpha, beta})));
    ASSERT_EQ(claims.size(), 1u);
    EXPECT_EQ(claims[0].epoch, 8u);
}

TEST(NodeRoles, ARegisterThatNamesTheOtherMakesAShadow) {
    Bench master("alpha", Role::master);
    const auto effects = master.start_with_gateway(Bench::view_of(7, "beta", true, {alpha, beta}));
    EXPECT_EQ(master.node().role(), Role::shadow);
    EXPECT_EQ(master.node().epoch(), 7u);
    EXPECT_THAT(all<effect::Claim>(effects), IsEmpty());
    EXPECT_LT(place<effect::Drain>(effects), place<effect::Persist>(effects));
}

TEST(NodeRoles, ARegisterThatNamesAnotherDiskOfThisNodeMakesAShadow) {
    Bench master("alpha", Role::master);
    master.start_with_gateway(Bench::view_of(7, "alpha", false, {{"alpha", "old"}, beta}));
    EXPECT_EQ(master.node().role(), Role::shadow);
}

TEST(NodeRoles, ARegisterThatLostItsHolderIsClaimedByItsLastMaster) {
    Persistent last;
    last.epoch = 4;
    Bench master("alpha", Role::master, last);
    const auto claims =
        all<effect::Claim>(master.start_with_gateway(Bench::view_of(4, "", false, {alpha, beta})));
    ASSERT_EQ(claims.size(), 1u);
    EXPECT_EQ(claims[0].epoch, 5u);
}

TEST(NodeRoles, AShadowDoesNotClaimARegisterThatLostItsHolder) {
    Bench shadow = shadow_in_sync();
    shadow.tell(fact::RegisterSeen{"main", Bench::view_of(1, "", false, {alpha, beta}), false});
    const auto effects = shadow.miss_ping();
    shadow.tell(fact::PeerRefused{"gone"});
    EXPECT_THAT(all<effect::Claim>(shadow.wait(3s)), IsEmpty());
}

TEST(NodeRoles, NobodyBecomesMasterBeforeTheTunnelsAreKnown) {
    Bench master("alpha", Role::master);
    master.tell(fact::Paired{false});
    master.wait(2s);
    EXPECT_EQ(master.node().serving(), 0u);
    master.tell(fact::TunnelsConfigured{{}});
    EXPECT_EQ(master.node().serving(), 1u);
}

TEST(NodeRoles, TwoShadowsWithoutAGatewaySaySoUntilOneIsForced) {
    Bench shadow("beta", Role::shadow);
    shadow.tell(fact::TunnelsConfigured{{{"plain", false}}});
    shadow.tell(fact::Paired{true});
    wire::Pong idle = master_pong(3);
    idle.role = Role::shadow;
    idle.serving = false;
    shadow.pong(idle);
    EXPECT_THAT(all<effect::RaiseAlert>(shadow.wait(Node::handover_limit - 25ms)), IsEmpty())
        << "a switch may be under way";
    const auto alerts = all<effect::RaiseAlert>(shadow.wait(25ms));
    ASSERT_EQ(alerts.size(), 1u);
    EXPECT_EQ(alerts[0].id, "no-master");
    EXPECT_THAT(alerts[0].text, HasSubstr("umbra switch --force"));
    const auto effects = shadow.tell(fact::SwitchRequested{1, true});
    EXPECT_EQ(shadow.node().role(), Role::master);
    EXPECT_THAT(all<effect::ClearAlert>(effects), testing::SizeIs(1));
}

TEST(NodeRoles, NobodyBecomesMasterWithoutAGatewayBeforeThePairingIsKnown) {
    Bench master("alpha", Role::master);
    master.tell(fact::TunnelsConfigured{{{"plain", false}}});
    master.wait(2s);
    EXPECT_EQ(master.node().serving(), 0u);
}

TEST(NodeRoles, WhoJoinsAfterAResetConnectsAndWhoWasDisconnectedStaysSoAtARestart) {
    Persistent stored;
    stored.connect = false;
    Bench shadow("beta", Role::shadow, stored);
    shadow.tell(fact::Paired{true});
    EXPECT_EQ(shadow.node().state(), State::disconnected);
    shadow.tell(fact::Paired{false});
    const auto writes = all<effect::Persist>(shadow.tell(fact::Paired{true}));
    ASSERT_EQ(writes.size(), 1u);
    EXPECT_TRUE(writes[0].state.connect);
}

TEST(NodeRoles, AShadowTakesTheRoleFromTheMasterThatItFollowsOnly) {
    Bench shadow = shadow_in_sync();
    const auto asked_of = [&](Epoch epoch) {
        return std::get<wire::TakeOverReply>(
            shadow.ask(wire::TakeOver{epoch, shadow.node().log().last()}));
    };
    for (const Epoch other : {Epoch{0}, Epoch{2}}) {
        const auto declined = asked_of(other);
        EXPECT_FALSE(declined.accepted) << "an order of another epoch, perhaps an old one";
        EXPECT_THAT(declined.reason, HasSubstr("follows epoch 1"));
    }
    EXPECT_TRUE(asked_of(1).accepted);
}

TEST(NodeRoles, AShadowIsDisconnectedOnceThatIsOnDisk) {
    Bench shadow = shadow_in_sync();
    shadow.disk_works = false;
    const auto writes = all<effect::Persist>(shadow.tell(fact::ConnectRequested{1, false}));
    EXPECT_EQ(shadow.node().state(), State::disconnecting);
    shadow.tell(fact::Persisted{writes.at(0).version});
    EXPECT_EQ(shadow.node().state(), State::disconnected);
}

TEST(NodeRoles, AGrantThatWasSupersededWhileItWentToDiskIsNotServed) {
    Bench master("alpha", Role::master);
    const auto effects = master.start_with_gateway(Bench::view_of(0, "", false, {}));
    master.disk_works = false;
    const auto granted = master.grant(all<effect::Claim>(effects).at(0), {alpha, beta});
    master.tell(fact::RegisterSeen{"main", Bench::view_of(2, "beta", true, {alpha, beta}), false});
    const auto after = master.tell(fact::Persisted{all<effect::Persist>(granted).at(0).version});
    EXPECT_THAT(all<effect::Activate>(after), IsEmpty());
    EXPECT_EQ(master.node().role(), Role::shadow);
}

TEST(NodeRoles, ALogThatIsAheadOfTheStoredEpochRaisesIt) {
    Log log{&simulation::quick_hash};
    log.append(6, edit_of("k", "1"));
    Bench shadow("beta", Role::shadow, {}, log);
    EXPECT_EQ(shadow.node().epoch(), 6u);
    const auto writes = all<effect::Persist>(shadow.tell(fact::Ticked{}));
    ASSERT_EQ(writes.size(), 1u);
    EXPECT_EQ(writes[0].state.epoch, 6u);
}

TEST(NodeRoles, AnEpochThatTheGatewayForgotIsClaimedAnewWhileEditsGoOn) {
    Bench master = master_with_shadow();
    master.tell(fact::TunnelChanged{"main", TunnelState::connecting});
    master.tell(fact::RegisterSeen{"main", Bench::view_of(0, "", false, {}), false});
    master.tell(fact::TunnelChanged{"main", TunnelState::standby});
    const auto claims = all<effect::Claim>(master.wait(1100ms));
    ASSERT_EQ(claims.size(), 1u);
    EXPECT_EQ(claims[0].epoch, 2u);
    EXPECT_EQ(master.node().serving(), 1u);
}

// --- takeover ------------------------------------------------------------------------------------

TEST(NodeRoles, RefusedThenHolderLostIsClaimedAtOnce) {
    Bench shadow = shadow_in_sync();
    EXPECT_THAT(all<effect::Claim>(shadow.tell(fact::PeerRefused{"refused"})), IsEmpty());
    const auto claims =
        all<effect::Claim>(shadow.tell(fact::RegisterSeen{"main", lost_of_alpha(), true}));
    ASSERT_EQ(claims.size(), 1u);
    EXPECT_EQ(claims[0].reason, ClaimReason::peer_refused);
    EXPECT_EQ(claims[0].epoch, 2u);
}

TEST(NodeRoles, HolderLostThenRefusedIsClaimedAtOnce) {
    Bench shadow = shadow_in_sync();
    EXPECT_THAT(all<effect::Claim>(shadow.tell(fact::RegisterSeen{"main", lost_of_alpha(), true})),
                IsEmpty());
    EXPECT_EQ(all<effect::Claim>(shadow.tell(fact::PeerRefused{"refused"})).size(), 1u);
}

TEST(NodeRoles, SilenceIsClaimedAfterTheTakeoverDelayAndNotBefore) {
    Bench shadow = shadow_in_sync();
    shadow.tell(fact::RegisterSeen{"main", lost_of_alpha(), true});
    shadow.miss_ping();
    EXPECT_THAT(all<effect::Claim>(shadow.wait(475ms)), IsEmpty());
    const auto claims = all<effect::Claim>(shadow.wait(25ms));
    ASSERT_EQ(claims.size(), 1u);
    EXPECT_EQ(claims[0].reason, ClaimReason::peer_silent);
}

TEST(NodeRoles, AMasterThatTheGatewayHearsIsNotTakenOverButAnAlertIsRaised) {
    Bench shadow = shadow_in_sync();
    shadow.miss_ping();
    const auto claims = all<effect::Claim>(shadow.wait(600ms));
    ASSERT_EQ(claims.size(), 1u);
    const auto effects = shadow.tell(
        fact::ClaimAnswered{claims[0].ask, false, alive_of_alpha(), "alpha was heard 8 ms ago"});
    EXPECT_EQ(shadow.node().role(), Role::shadow);
    ASSERT_EQ(all<effect::RaiseAlert>(effects).size(), 1u);
    EXPECT_EQ(all<effect::RaiseAlert>(effects)[0].id, "peer-link-cut");
    const auto again = all<effect::Claim>(shadow.wait(900ms));
    EXPECT_THAT(again, IsEmpty()) << "the next question waits a second";
}

TEST(NodeRoles, AShadowThatIsNotInSyncDoesNotClaim) {
    Bench shadow = shadow_in_sync();
    shadow.tell(fact::RegisterSeen{"main", Bench::view_of(1, "alpha", false, {alpha}), true});
    shadow.tell(fact::PeerRefused{"refused"});
    const auto effects = shadow.wait(1s);
    EXPECT_THAT(all<effect::Claim>(effects), IsEmpty());
    EXPECT_EQ(all<effect::RaiseAlert>(effects).at(0).id, "not-eligible");
}

TEST(NodeRoles, APausedShadowDoesNotClaim) {
    Bench shadow = shadow_in_sync();
    shadow.tell(fact::PauseRequested{1, true});
    shadow.tell(fact::RegisterSeen{"main", lost_of_alpha(), true});
    shadow.tell(fact::PeerRefused{"refused"});
    EXPECT_THAT(all<effect::Claim>(shadow.wait(2s)), IsEmpty());
    EXPECT_EQ(all<effect::Claim>(shadow.tell(fact::PauseRequested{2, false})).size(), 1u);
}

TEST(NodeRoles, AYieldedNodeDoesNotClaimUntilItMetAMaster) {
    Persistent yielded;
    yielded.yielded = true;
    Bench shadow("beta", Role::shadow, yielded);
    shadow.start_with_gateway(lost_of_alpha());
    shadow.tell(fact::PeerRefused{"refused"});
    EXPECT_THAT(all<effect::Claim>(shadow.wait(2s)), IsEmpty());
    shadow.pong(master_pong(1));
    EXPECT_FALSE(shadow.node().persistent().yielded);
}

TEST(NodeRoles, APeerThatAnswersButDoesNotServeIsTakenOverOnceTheGatewayLostIt) {
    Bench shadow = shadow_in_sync();
    wire::Pong idle = master_pong(1);
    idle.serving = false;
    idle.role = Role::shadow;
    shadow.pong(idle);
    shadow.tell(fact::RegisterSeen{"main", lost_of_alpha(), true});
    EXPECT_THAT(all<effect::Claim>(shadow.wait(400ms)), IsEmpty());
    EXPECT_EQ(all<effect::Claim>(shadow.wait(200ms)).size(), 1u);
}

TEST(NodeRoles, AMasterStepsDownBeforeAHigherEpochOfItsPeer) {
    Bench master = master_with_shadow();
    const auto effects = master.pong({"beta", "beta-disk", "1", Role::master, 2, true, {}});
    EXPECT_EQ(master.node().role(), Role::shadow);
    EXPECT_EQ(master.node().epoch(), 2u);
    EXPECT_EQ(master.node().serving(), 0u);
    EXPECT_LT(place<effect::Drain>(effects), place<effect::Persist>(effects));
}

TEST(NodeRoles, AMasterStepsDownWhenTheGatewayGrantedAHigherEpoch) {
    Bench master = master_with_shadow();
    const auto drains = all<effect::Drain>(master.tell(
        fact::RegisterSeen{"main", Bench::view_of(2, "beta", true, {alpha, beta}), false}));
    ASSERT_EQ(drains.size(), 1u);
    EXPECT_EQ(drains[0].grace, Duration{}) << "nobody agreed to anything";
    EXPECT_EQ(master.node().state(), State::fenced);
}

// --- by order ------------------------------------------------------------------------------------

std::string refusal(Bench& bench) {
    const auto replies = all<effect::Reply>(bench.tell(fact::SwitchRequested{5, false}));
    if (replies.size() != 1 || replies[0].verdict != Verdict::refused) return "was not refused";
    return replies[0].text;
}

TEST(NodeRoles, ASwitchIsRefusedWithTheReason) {
    Bench master = master_with_shadow({alpha});
    EXPECT_THAT(refusal(master), HasSubstr("no shadow is connected"));
    master.ask(hello_of_beta());
    EXPECT_THAT(refusal(master), HasSubstr("not in sync"));
    Bench cannot = master_with_shadow();
    cannot.ask(hello_of_beta());
    auto report = report_of_beta(1, {});
    report.can_serve = false;
    cannot.ask(report);
    EXPECT_THAT(refusal(cannot), HasSubstr("none of the tunnels"));
    Bench shadow = shadow_in_sync();
    EXPECT_THAT(refusal(shadow), HasSubstr("is the shadow"));
    Bench starting("alpha", Role::master);
    EXPECT_THAT(refusal(starting), HasSubstr("does not serve yet"));
}

TEST(NodeRoles, AHandoverAsksTheGatewayThenTheShadowAndEndsWithTheNewEpoch) {
    Bench master = master_with_shadow();
    master.ask(hello_of_beta());
    master.ask(report_of_beta(1, {}));
    auto effects = master.tell(fact::SwitchRequested{5, false});
    const auto consent = all<effect::Consent>(effects);
    ASSERT_EQ(consent.size(), 1u);
    EXPECT_EQ(consent[0].successor, "beta");
    EXPECT_EQ(master.node().state(), State::draining);
    EXPECT_EQ(all<effect::Reply>(master.tell(fact::EditRequested{6, edit_of("k", "1"), {}}))
                  .at(0)
                  .verdict,
              Verdict::refused);
    effects = master.tell(fact::ConsentAnswered{consent[0].ask, true, {}});
    ASSERT_TRUE(asked<wire::TakeOver>(effects));
    master.answer(effects, wire::TakeOverReply{true, {}});
    effects = master.tell(
        fact::RegisterSeen{"main", Bench::view_of(2, "beta", true, {alpha, beta}), false});
    EXPECT_EQ(all<effect::Drain>(effects).at(0).grace, TakeoverPolicy{}.grace_period);
    EXPECT_EQ(all<effect::Reply>(effects).at(0).verdict, Verdict::done);
    EXPECT_EQ(master.node().role(), Role::shadow);
}

TEST(NodeRoles, AHandoverThatNobodyFollowsEndsAfterItsLimit) {
    Bench master = master_with_shadow();
    master.ask(hello_of_beta());
    master.ask(report_of_beta(1, {}));
    master.tell(fact::SwitchRequested{5, false});
    const auto replies = all<effect::Reply>(master.wait(Node::handover_limit + 50ms));
    ASSERT_EQ(replies.size(), 1u);
    EXPECT_EQ(replies[0].verdict, Verdict::failed);
    EXPECT_EQ(master.node().state(), State::active);
}

TEST(NodeRoles, AStopWaitsForAHandoverThatIsUnderWay) {
    Bench master = master_with_shadow();
    master.ask(hello_of_beta());
    master.ask(report_of_beta(1, {}));
    master.tell(fact::SwitchRequested{5, false});
    EXPECT_THAT(all<effect::Stop>(master.tell(fact::StopRequested{})), IsEmpty());
    EXPECT_EQ(all<effect::Stop>(master.wait(Node::handover_limit + 50ms)).size(), 1u);
}

TEST(NodeRoles, ForcedToBeShadowItConsentsToWhomeverAgainAndAgain) {
    Bench master = master_with_shadow();
    const auto effects = master.tell(fact::SwitchRequested{5, true});
    EXPECT_LT(place<effect::Consent>(effects), place<effect::Drain>(effects));
    EXPECT_EQ(all<effect::Consent>(effects).at(0).successor, "");
    EXPECT_EQ(all<effect::Reply>(effects).at(0).verdict, Verdict::done);
    EXPECT_TRUE(master.node().persistent().yielded);
    master.tell(fact::RegisterSeen{"main", Bench::view_of(1, "alpha", true, {alpha, beta}), false});
    const auto later = master.wait(5s);
    EXPECT_EQ(all<effect::Consent>(later).size(), 2u);
    EXPECT_THAT(all<effect::Claim>(later), IsEmpty());
}

TEST(NodeRoles, AForcedShadowClaimsWhileTheMasterLives) {
    Bench shadow = shadow_in_sync();
    const auto claims = all<effect::Claim>(shadow.tell(fact::SwitchRequested{5, true}));
    ASSERT_EQ(claims.size(), 1u);
    EXPECT_EQ(claims[0].reason, ClaimReason::forced);
    const auto effects = shadow.grant(claims[0], {alpha, beta});
    EXPECT_EQ(all<effect::Reply>(effects).at(0).verdict, Verdict::done);
    EXPECT_EQ(shadow.node().role(), Role::master);
}

TEST(NodeRoles, AnOperatorIsAnsweredWhenTheAskedTunnelIsRemoved) {
    Bench shadow = shadow_in_sync();
    shadow.tell(fact::SwitchRequested{5, true});
    const auto replies = all<effect::Reply>(shadow.tell(fact::TunnelsConfigured{{}}));
    ASSERT_EQ(replies.size(), 1u);
    EXPECT_EQ(replies[0].verdict, Verdict::failed);
}

// --- without a gateway that can arbitrate --------------------------------------------------------

TEST(NodeRoles, WithoutAGatewayAMasterStartsOnlyAfterItAskedItsPeer) {
    Bench master("alpha", Role::master);
    master.tell(fact::TunnelsConfigured{{{"plain", false}}});
    master.tell(fact::Paired{true});
    master.wait(200ms);
    EXPECT_EQ(master.node().serving(), 0u);
    master.pong({"beta", "beta-disk", "1", Role::shadow, 3, false, {}});
    EXPECT_EQ(master.node().serving(), 4u) << "above what the peer has seen";
}

TEST(NodeRoles, WithoutAGatewayAMasterThatWasReplacedBecomesShadow) {
    Bench master("alpha", Role::master);
    master.tell(fact::TunnelsConfigured{{{"plain", false}}});
    master.tell(fact::Paired{true});
    master.pong({"beta", "beta-disk", "1", Role::master, 3, true, {}});
    EXPECT_EQ(master.node().role(), Role::shadow);
}

TEST(NodeRoles, WithoutAGatewayAMasterRisesAboveTheEpochThatItsShadowHasSeen) {
    Bench master("alpha", Role::master);
    master.tell(fact::TunnelsConfigured{{{"plain", false}}});
    master.tell(fact::Paired{true});
    master.pong({"beta", "beta-disk", "1", Role::shadow, 0, false, {}});
    ASSERT_EQ(master.node().serving(), 1u);
    master.pong({"beta", "beta-disk", "1", Role::shadow, 2, false, {}});
    EXPECT_EQ(master.node().serving(), 3u) << "else it declines that shadow for ever";
}

TEST(NodeRoles, WithoutAGatewayAShadowWaitsLongerAndOnlyWhenItWasInSync) {
    Bench shadow = shadow_in_sync();
    shadow.tell(fact::TunnelsConfigured{{{"plain", false}}});
    shadow.tell(fact::TunnelChanged{"plain", TunnelState::standby});
    shadow.miss_ping();
    shadow.wait(9900ms);
    EXPECT_EQ(shadow.node().role(), Role::shadow);
    shadow.wait(200ms);
    EXPECT_EQ(shadow.node().role(), Role::master);
    Bench fresh("beta", Role::shadow);
    fresh.tell(fact::TunnelsConfigured{{{"plain", false}}});
    fresh.tell(fact::Paired{true});
    fresh.miss_ping();
    fresh.wait(20s);
    EXPECT_EQ(fresh.node().role(), Role::shadow);
}

TEST(NodeRoles, WithoutAGatewayAShadowThatCanOpenNoTunnelStaysShadow) {
    Bench shadow = shadow_in_sync();
    shadow.tell(fact::TunnelsConfigured{{{"plain", false}}});
    shadow.tell(fact::TunnelChanged{"plain", TunnelState::connecting});
    shadow.miss_ping();
    shadow.wait(20s);
    EXPECT_EQ(shadow.node().role(), Role::shadow);
    EXPECT_EQ(shadow.node().peer(shadow.now).detail, "not taking over: no tunnel could be opened");
    shadow.tell(fact::TunnelChanged{"plain", TunnelState::standby});
    shadow.wait(200ms);
    EXPECT_EQ(shadow.node().role(), Role::master);
}

TEST(NodeRoles, EqualFactsGiveEqualStates) {
    Bench one = shadow_in_sync();
    Bench two = shadow_in_sync();
    EXPECT_EQ(one.node(), two.node());
    one.tell(fact::PeerRefused{"refused"});
    EXPECT_FALSE(one.node() == two.node());
    two.tell(fact::PeerRefused{"refused"});
    EXPECT_EQ(one.node(), two.node());
}

}  // namespace
}  // namespace umbra::core
