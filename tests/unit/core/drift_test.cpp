// A configuration that is not what the log makes of it: found, told, fetched anew.

#include "core_support.hpp"
#include "two_nodes.hpp"

#include <gmock/gmock.h>

namespace umbra::core {
namespace {

using testing::Contains;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

const Position place{{1, 8}, simulation::quick_hash("8")};

Log log_with(const std::string& value) {
    Log log{&simulation::quick_hash};
    log.install({place, {{"k", value}}});
    return log;
}

std::vector<std::string> raised(const Effects& effects) {
    std::vector<std::string> ids;
    for (const auto& alert : all<effect::RaiseAlert>(effects)) ids.push_back(alert.id);
    return ids;
}
std::vector<std::string> cleared(const Effects& effects) {
    std::vector<std::string> ids;
    for (const auto& alert : all<effect::ClearAlert>(effects)) ids.push_back(alert.id);
    return ids;
}

Effects beacon_of(Bench& shadow, const Log& master) {
    return shadow.tell(
        fact::PeerPublished{wire::encode(wire::Beacon{1, master.last(), master.digest()})});
}

// --- the shadow ----------------------------------------------------------------------------------

TEST(DriftTest, EqualDigestsAreNoNews) {
    Bench shadow = shadow_in_sync(log_with("1"));
    EXPECT_THAT(raised(beacon_of(shadow, log_with("1"))), Not(Contains("drift")));
    EXPECT_EQ(shadow.node().state(), State::ready);
}

TEST(DriftTest, ABeaconOfAnotherRevisionSaysNothingAboutTheDigest) {
    Bench shadow = shadow_in_sync(log_with("1"));
    Log ahead = log_with("1");
    ahead.append(1, edit_of("k", "2"));
    EXPECT_THAT(raised(beacon_of(shadow, ahead)), Not(Contains("drift")));
}

TEST(DriftTest, IsToldToTheMasterFetchedAnewAndGoneWhenABeaconSaysSo) {
    Bench shadow = shadow_in_sync(log_with("other"));
    const Log master = log_with("1");
    auto effects = beacon_of(shadow, master);
    EXPECT_THAT(raised(effects), Contains("drift"));
    EXPECT_NE(shadow.node().state(), State::ready);
    effects = until_asked<wire::Report>(shadow, effects);
    EXPECT_TRUE(asked<wire::Report>(effects)->drifted);
    effects = shadow.answer(effects, wire::ReportReply{true, false, 1, place});
    ASSERT_TRUE(asked<wire::FetchSnapshot>(effects));
    const auto body = master.snapshot_at(master.last().revision.seq);
    effects = shadow.answer(effects, wire::SnapshotReply{place, body.size(), body});
    EXPECT_THAT(all<effect::Install>(effects), SizeIs(1));
    EXPECT_THAT(all<effect::Install>(effects)[0].edits.id, IsEmpty()) << "nobody edited this";
    EXPECT_EQ(shadow.node().log().digest(), master.digest());
    effects = until_asked<wire::Report>(shadow, effects);
    EXPECT_TRUE(asked<wire::Report>(effects)->drifted) << "the master has to agree first";
    effects = shadow.answer(effects, wire::ReportReply{true, false, 1, place});
    EXPECT_FALSE(asked<wire::FetchSnapshot>(effects)) << "once is enough";
    effects = beacon_of(shadow, master);
    EXPECT_THAT(cleared(effects), Contains("drift"));
    effects = until_asked<wire::Report>(shadow, effects);
    EXPECT_FALSE(asked<wire::Report>(effects)->drifted);
    shadow.answer(effects, wire::ReportReply{true, true, 1, place});
    EXPECT_EQ(shadow.node().state(), State::ready);
}

TEST(DriftTest, AMasterThatIsStillOfAnotherOpinionIsAskedAgain) {
    Bench shadow = shadow_in_sync(log_with("other"));
    for (int round = 0; round < 3; ++round) {
        auto effects = until_asked<wire::Report>(shadow, beacon_of(shadow, log_with("1")));
        effects = shadow.answer(effects, wire::ReportReply{true, false, 1, place});
        ASSERT_TRUE(asked<wire::FetchSnapshot>(effects)) << round;
        const auto body = log_with("wrong").snapshot_at(8);
        effects = shadow.answer(effects, wire::SnapshotReply{place, body.size(), body});
        effects = until_asked<wire::Report>(shadow, effects);
        shadow.answer(effects, wire::ReportReply{true, false, 1, place});
    }
    EXPECT_THAT(raised(beacon_of(shadow, log_with("1"))), IsEmpty()) << "the alert is still there";
}

TEST(DriftTest, KeepsAShadowFromTakingOver) {
    Bench shadow = shadow_in_sync(log_with("other"));
    beacon_of(shadow, log_with("1"));
    shadow.tell(fact::RegisterSeen{"main", lost_of_alpha(), true});
    shadow.miss_ping();
    auto effects = shadow.tell(fact::PeerRefused{"connection refused"});
    auto more = shadow.wait(2s);
    effects.insert(effects.end(), more.begin(), more.end());
    EXPECT_THAT(all<effect::Claim>(effects), IsEmpty());
    EXPECT_THAT(raised(effects), Contains("not-eligible"));
    effects = shadow.tell(fact::SwitchRequested{5, true});
    EXPECT_THAT(all<effect::Claim>(effects), SizeIs(1)) << "an operator may force it";
}

TEST(DriftTest, KeepsAShadowFromTakingOverWithoutAGatewayToo) {
    for (const bool drifted : {false, true}) {
        Bench shadow = shadow_in_sync(log_with(drifted ? "other" : "1"));
        shadow.tell(fact::TunnelsConfigured{});
        beacon_of(shadow, log_with("1"));
        shadow.miss_ping();
        shadow.wait(15s);
        EXPECT_EQ(shadow.node().serving() != 0, !drifted);
    }
}

TEST(DriftTest, AHandoverIsDeclined) {
    for (const bool drifted : {false, true}) {
        Bench shadow = shadow_in_sync(log_with(drifted ? "other" : "1"));
        beacon_of(shadow, log_with("1"));
        const auto reply = std::get<wire::TakeOverReply>(shadow.ask(wire::TakeOver{1, place}));
        EXPECT_EQ(reply.accepted, !drifted) << reply.reason;
    }
}

// --- the master ----------------------------------------------------------------------------------

TEST(DriftTest, TheMasterTakesADriftedShadowOutOfTheInSyncSetUntilItIsGone) {
    Bench master = master_with_shadow();
    master.ask(hello_of_beta());
    auto report = report_of_beta(1, master.node().log().last());
    const auto tell = [&] {
        return master.tell(fact::PeerAsked{9, wire::encode(wire::Message{report})});
    };
    EXPECT_THAT(all<effect::SetInSync>(tell()), IsEmpty());
    report.drifted = true;
    auto effects = tell();
    EXPECT_THAT(raised(effects), Contains("drift"));
    ASSERT_THAT(all<effect::SetInSync>(effects), SizeIs(1));
    EXPECT_EQ(all<effect::SetInSync>(effects)[0].members, std::vector{alpha});
    effects = master.tell(fact::InSyncAnswered{all<effect::SetInSync>(effects)[0].ask, true});
    EXPECT_THAT(raised(effects), Contains("shadow-away"));
    EXPECT_THAT(all<effect::SetInSync>(master.wait(1s)), IsEmpty());
    report.drifted = false;
    effects = tell();
    EXPECT_THAT(cleared(effects), Contains("drift"));
    ASSERT_THAT(all<effect::SetInSync>(effects), SizeIs(1));
    EXPECT_EQ(all<effect::SetInSync>(effects)[0].members, (std::vector{alpha, beta}));
}

// --- both ----------------------------------------------------------------------------------------

TEST(DriftTest, APairHealsItself) {
    TwoNodes pair{CompactionPolicy{0, 1, 0}};
    ASSERT_TRUE(pair.settle());
    pair.edit(0, {{"a", "1"}}, "first");
    ASSERT_TRUE(pair.settle());
    for (int i = 0; i < 30; ++i) pair.round();
    // What is on the disk of the shadow is not what was written there.
    auto rotten =
        decode_snapshot(pair.node(1).log().last(),
                        pair.node(1).log().snapshot_at(pair.node(1).log().last().revision.seq));
    ASSERT_TRUE(rotten);
    rotten->document["a"] = "2";
    Log log{&simulation::quick_hash};
    log.install(*rotten);
    pair.restart(1, log);
    bool alerted = false;
    for (int i = 0; i < 40; ++i) {
        pair.round();
        alerted = alerted || (pair.alerted(0, "drift") && pair.alerted(1, "drift"));
    }
    EXPECT_TRUE(alerted);
    EXPECT_FALSE(pair.alerted(0, "drift"));
    EXPECT_FALSE(pair.alerted(1, "drift"));
    EXPECT_TRUE(pair.is_settled());
    EXPECT_EQ(pair.node(1).log().document(), (Document{{"a", "1"}}));
    EXPECT_THAT(pair.kept(1), IsEmpty());
}

}  // namespace
}  // namespace umbra::core
