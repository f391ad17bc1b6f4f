// What a node makes of its tunnels: when one counts as lost, who tells whom, and under which epoch
// one is active.

#include "core_support.hpp"

#include <gmock/gmock.h>

namespace umbra::core {
namespace {

using testing::IsEmpty;

TEST(NodeTunnels, ASilenceBeforeTheTunnelWasGivenUpIsPartOfItsLoss) {
    for (const Duration unheard : {Duration{}, Duration{1900ms}}) {
        Bench master = master_with_shadow();
        master.ask(hello_of_beta());
        master.ask(report_of_beta(1, master.node().log().last()));
        master.tell(fact::TunnelChanged{"main", TunnelState::connecting, unheard});
        Effects effects;
        const Instant lost = master.now;
        while (all<effect::AskPeer>(effects).empty() && master.now - lost < 10s) {
            master.ask(report_of_beta(1, master.node().log().last()));
            effects = master.wait(25ms);
        }
        EXPECT_EQ(master.now - lost, 5s - unheard);
    }
}

wire::Report report_of_loss(Bench& master, Duration unheard) {
    auto report = report_of_beta(1, master.node().log().last());
    report.unheard_ns = unheard.count();
    return report;
}

TEST(NodeTunnels, ATunnelThatTheGatewayDoesNotHearIsLostUnlessItAnswers) {
    for (const bool answers : {true, false}) {
        Bench master = master_with_shadow();
        master.wait(5s);
        const Instant cut = master.now - 625ms;
        master.ask(hello_of_beta());
        const auto tell = [&] {
            return master.tell(
                fact::PeerAsked{1, wire::encode(report_of_loss(master, master.now - cut))});
        };
        EXPECT_EQ(all<effect::Activate>(tell()).size(), 1u) << "the gateway is asked";
        EXPECT_THAT(all<effect::Activate>(tell()), IsEmpty()) << "once";
        // Its own view is of before the cut.
        master.tell(fact::RegisterSeen{"main", alive_of_alpha(), false});
        master.tell(fact::TunnelChanged{"main", TunnelState::standby});
        if (answers) master.tell(fact::TunnelChanged{"main", TunnelState::active});
        Effects effects;
        while (all<effect::AskPeer>(effects).empty() && master.now - cut < 8s) {
            effects = tell();
            const auto more = master.wait(25ms);
            effects.insert(effects.end(), more.begin(), more.end());
        }
        if (answers) {
            EXPECT_EQ(master.node().state(), State::active);
            EXPECT_THAT(all<effect::AskPeer>(effects), IsEmpty()) << "what is said is old by now";
        } else {
            EXPECT_EQ(master.now - cut, 5s);
        }
    }
}

TEST(NodeTunnels, ALossThatIsOverIsAskedForAnewTheNextTime) {
    Bench master = master_with_shadow();
    master.wait(5s);
    master.ask(hello_of_beta());
    for (int i = 0; i < 2; ++i) {
        const auto report = wire::encode(report_of_loss(master, 600ms));
        EXPECT_EQ(all<effect::Activate>(master.tell(fact::PeerAsked{1, report})).size(), 1u);
        master.ask(report_of_beta(1, master.node().log().last()));
    }
}

TEST(NodeTunnels, AShadowTellsItsMasterAtOnceThatTheGatewayLostIt) {
    Bench shadow = shadow_in_sync();
    RegisterView lost = lost_of_alpha();
    lost.holder_heard = 600ms;
    auto effects = shadow.tell(fact::Ticked{});
    EXPECT_FALSE(asked<wire::Report>(effects));
    effects = shadow.tell(fact::RegisterSeen{"main", lost, true});
    ASSERT_TRUE(asked<wire::Report>(effects));
    EXPECT_EQ(asked<wire::Report>(effects)->unheard_ns, Duration{600ms}.count());
    shadow.answer(effects, wire::ReportReply{true, true, 1, shadow.node().log().last()});
    effects = shadow.tell(fact::RegisterSeen{"main", alive_of_alpha(), false});
    ASSERT_TRUE(asked<wire::Report>(effects)) << "that it is heard again is news as well";
    EXPECT_EQ(asked<wire::Report>(effects)->unheard_ns, std::nullopt);
}

TEST(NodeTunnels, AShadowReportsNewsAtOnceAndAtRestFourTimesASecond) {
    Bench shadow = shadow_in_sync();
    const wire::ReportReply in_sync{true, true, 1, shadow.node().log().last()};
    const auto reports_in_a_second = [&] {
        int count = 0;
        for (int i = 0; i < 40; ++i) {
            const auto effects = shadow.wait(25ms);
            if (!asked<wire::Report>(effects)) continue;
            shadow.answer(effects, in_sync);
            ++count;
        }
        return count;
    };
    EXPECT_EQ(reports_in_a_second(), 4);
    auto effects = shadow.tell(fact::TunnelChanged{"main", TunnelState::connecting});
    ASSERT_TRUE(asked<wire::Report>(effects));
    EXPECT_FALSE(asked<wire::Report>(effects)->can_serve);
    shadow.answer(effects, in_sync);
    effects = shadow.tell(fact::TunnelChanged{"main", TunnelState::standby});
    ASSERT_TRUE(asked<wire::Report>(effects));
    shadow.answer(effects, in_sync);
    effects = shadow.tell(fact::RegisterSeen{"main", lost_of_alpha(), false});
    ASSERT_TRUE(asked<wire::Report>(effects));
    shadow.answer(effects, in_sync);
    EXPECT_EQ(reports_in_a_second(), 10) << "the master waits for how long it is not heard";
}

TEST(NodeTunnels, AShadowWithoutALinkSaysNothingOfWhatTheGatewayHears) {
    Bench shadow = shadow_in_sync();
    auto effects = shadow.tell(fact::TunnelChanged{"main", TunnelState::connecting});
    ASSERT_TRUE(asked<wire::Report>(effects));
    shadow.answer(effects, wire::ReportReply{true, true, 1, shadow.node().log().last()});
    effects = shadow.tell(fact::RegisterSeen{"main", lost_of_alpha(), false});
    effects = until_asked<wire::Report>(shadow, effects);
    EXPECT_EQ(asked<wire::Report>(effects)->unheard_ns, std::nullopt);
}

TEST(NodeTunnels, TheEpochIsOnDiskBeforeAnyTunnelIsActivated) {
    Bench master("alpha", Role::master);
    const auto effects = master.start_with_gateway(Bench::view_of(0, "", false, {}));
    master.disk_works = false;
    const auto granted = master.grant(all<effect::Claim>(effects).at(0), {alpha});
    const auto writes = all<effect::Persist>(granted);
    ASSERT_EQ(writes.size(), 1u);
    EXPECT_EQ(writes[0].state.epoch, 1u);
    EXPECT_EQ(writes[0].state.role, Role::master);
    EXPECT_THAT(all<effect::Activate>(master.wait(1s)), IsEmpty());
    EXPECT_EQ(master.node().serving(), 0u);
    const auto active = all<effect::Activate>(master.tell(fact::Persisted{writes[0].version}));
    ASSERT_EQ(active.size(), 1u);
    EXPECT_EQ(active[0].epoch, 1u);
}

TEST(NodeTunnels, ATunnelThatIsActiveUnderAnOlderEpochIsActivatedAgain) {
    Bench master = master_with_shadow();
    const auto again = all<effect::Claim>(master.tell(
        fact::RegisterSeen{"main", Bench::view_of(2, "alpha", true, {alpha, beta}), false}));
    ASSERT_EQ(again.size(), 1u) << "granted, but the answer was lost";
    auto effects = master.grant(again[0], {alpha, beta});
    const auto more = master.wait(200ms);
    effects.insert(effects.end(), more.begin(), more.end());
    ASSERT_FALSE(all<effect::Activate>(effects).empty());
    EXPECT_EQ(all<effect::Activate>(effects)[0].epoch, 3u);
}

}  // namespace
}  // namespace umbra::core
