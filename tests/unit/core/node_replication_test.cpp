#include "core_support.hpp"
#include "two_nodes.hpp"

#include <gmock/gmock.h>

namespace umbra::core {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

template <class T>
T only(const std::vector<T>& list) {
    EXPECT_EQ(list.size(), 1u);
    return list.at(0);
}
Effects edit(Bench& bench, const std::string& op, RequestId request = 7) {
    return bench.tell(fact::EditRequested{request, edit_of(op, "1", op), {}});
}
std::vector<std::string> bodies_of(const Log& log, std::uint64_t from, std::size_t most = 1000) {
    std::vector<std::string> bodies;
    for (auto seq = from; log.at(seq) != nullptr && bodies.size() < most; ++seq) {
        bodies.push_back(log.at(seq)->body);
    }
    return bodies;
}

// --- the master ----------------------------------------------------------------------------------

TEST(NodeReplication, AnEditIsAcknowledgedWhenEveryMemberHasIt) {
    Bench master = master_with_shadow();
    master.ask(hello_of_beta());
    auto effects = edit(master, "a");
    EXPECT_EQ(all<effect::Append>(effects).size(), 1u);
    EXPECT_EQ(all<effect::Publish>(effects).size(), 1u);
    EXPECT_THAT(all<effect::Reply>(effects), IsEmpty());
    effects = master.tell(
        fact::PeerAsked{9, wire::encode(report_of_beta(1, master.node().log().last()))});
    const auto reply = only(all<effect::Reply>(effects));
    EXPECT_EQ(reply.verdict, Verdict::done);
    EXPECT_EQ(reply.revision, (Revision{1, 1}));
}

TEST(NodeReplication, AnEditIsNotAcknowledgedBeforeThisDiskHasIt) {
    Bench master = master_with_shadow({alpha});
    master.disk_works = false;
    const auto effects = edit(master, "a");
    EXPECT_THAT(all<effect::Reply>(effects), IsEmpty());
    const auto done = master.tell(fact::Stored{all<effect::Append>(effects).at(0).op});
    EXPECT_EQ(only(all<effect::Reply>(done)).verdict, Verdict::done);
}

TEST(NodeReplication, AReportOfAnotherEpochOrHistoryAcknowledgesNothing) {
    Bench master = master_with_shadow();
    master.ask(hello_of_beta());
    edit(master, "a");
    auto fork = master.node().log().last();
    fork.hash = simulation::quick_hash("other");
    for (const auto& report :
         {report_of_beta(1, fork), report_of_beta(2, master.node().log().last())}) {
        const auto effects = master.tell(fact::PeerAsked{9, wire::encode(report)});
        EXPECT_THAT(all<effect::Reply>(effects), IsEmpty());
    }
}

TEST(NodeReplication, AnAbsentShadowIsDroppedOnlyAfterTheRegisterConfirmed) {
    Bench master = master_with_shadow();
    edit(master, "a");
    auto effects = master.wait(700ms);
    const auto drop = only(all<effect::SetInSync>(effects));
    EXPECT_EQ(drop.members, std::vector<Member>{alpha});
    EXPECT_THAT(all<effect::Reply>(effects), IsEmpty());
    effects = master.tell(fact::InSyncAnswered{drop.ask, true});
    const auto reply = only(all<effect::Reply>(effects));
    EXPECT_EQ(reply.verdict, Verdict::done);
    EXPECT_THAT(reply.text, HasSubstr("the shadow is away"));
    EXPECT_EQ(all<effect::RaiseAlert>(effects).at(0).id, "shadow-away");
}

TEST(NodeReplication, AnUnconfirmedDropKeepsTheShadowRequiredAndIsAskedAgain) {
    Bench master = master_with_shadow();
    edit(master, "a");
    const auto first = only(all<effect::SetInSync>(master.wait(700ms)));
    auto effects = master.tell(fact::InSyncAnswered{first.ask, false});
    EXPECT_THAT(all<effect::Reply>(effects), IsEmpty());
    effects = master.wait(Node::provisional_after);
    const auto second = only(all<effect::SetInSync>(effects));
    EXPECT_GT(second.seq, first.seq);
    EXPECT_EQ(only(all<effect::Reply>(effects)).verdict, Verdict::provisional);
}

TEST(NodeReplication, AfterAnUnansweredChangeTheSetIsAskedForAgainThoughTheShadowIsThere) {
    Bench master = master_with_shadow();
    edit(master, "a");
    const auto drop = only(all<effect::SetInSync>(master.wait(700ms)));
    master.tell(fact::InSyncAnswered{drop.ask, false});
    master.ask(hello_of_beta());
    const auto reply =
        std::get<wire::ReportReply>(master.ask(report_of_beta(1, master.node().log().last())));
    EXPECT_FALSE(reply.in_sync) << "the register may have dropped it";
    const auto again = only(all<effect::SetInSync>(master.wait(400ms)));
    EXPECT_EQ(again.members.size(), 2u);
}

TEST(NodeReplication, AShadowIsAddedWhenItHasEverythingAndCountsFromTheQuestionOn) {
    Bench master = master_with_shadow({alpha});
    edit(master, "a");
    master.ask(hello_of_beta());
    const auto effects = master.tell(
        fact::PeerAsked{9, wire::encode(report_of_beta(1, master.node().log().last()))});
    EXPECT_EQ(only(all<effect::SetInSync>(effects)).members.size(), 2u);
    EXPECT_THAT(all<effect::Reply>(edit(master, "b", 8)), IsEmpty());
}

TEST(NodeReplication, ARepeatedEditIsAppliedOnceAndAcknowledgedOnlyWhenItIsEverywhere) {
    Bench master = master_with_shadow();
    master.ask(hello_of_beta());
    edit(master, "a", 7);
    const auto effects = edit(master, "a", 8);
    EXPECT_THAT(all<effect::Append>(effects), IsEmpty());
    EXPECT_THAT(all<effect::Reply>(effects), IsEmpty());
    const auto replies = all<effect::Reply>(master.tell(
        fact::PeerAsked{9, wire::encode(report_of_beta(1, master.node().log().last()))}));
    ASSERT_EQ(replies.size(), 2u);
    EXPECT_EQ(replies[0].revision, replies[1].revision);
    EXPECT_THAT(replies[1].text, HasSubstr("applied before"));
}

TEST(NodeReplication, AnEditThatNoGatewayLetsHappenSaysSoAndWhatCountsInstead) {
    for (const Epoch epoch : {Epoch{0}, Epoch{3}}) {
        Persistent last;
        last.epoch = epoch;
        Bench master("alpha", Role::master, last);
        master.start_with_gateway({});
        const auto refused = only(all<effect::Reply>(edit(master, "a")));
        EXPECT_EQ(refused.verdict, Verdict::refused);
        EXPECT_THAT(refused.text, HasSubstr("the gateway of tunnel main was not reached yet"));
        const bool counts = refused.text.find("[shared] initial") != std::string::npos;
        EXPECT_EQ(counts, epoch == 0) << "only before there was a master";
        EXPECT_NE(refused.text.find("umbra config repair") != std::string::npos, counts);
    }
}

TEST(NodeReplication, AnEditOnAnotherRevisionIsRefused) {
    Bench master = master_with_shadow({alpha});
    edit(master, "a");
    auto reply = only(
        all<effect::Reply>(master.tell(fact::EditRequested{8, edit_of("b", "1"), Revision{0, 0}})));
    EXPECT_EQ(reply.verdict, Verdict::refused);
    EXPECT_THAT(reply.text, HasSubstr("1.1"));
    reply = only(
        all<effect::Reply>(master.tell(fact::EditRequested{9, edit_of("b", "1"), Revision{1, 1}})));
    EXPECT_EQ(reply.verdict, Verdict::done);
}

TEST(NodeReplication, AnEditBeyondALimitIsRefusedAndChangesNothing) {
    Bench master = master_with_shadow({alpha});
    Entry large = edit_of("k", "");
    large.message.assign(Log::entry_bytes_max - encode(large).size(), 'x');
    EXPECT_EQ(only(all<effect::Reply>(master.tell(fact::EditRequested{1, large, {}}))).verdict,
              Verdict::done);
    large.message += 'x';
    EXPECT_EQ(only(all<effect::Reply>(master.tell(fact::EditRequested{2, large, {}}))).verdict,
              Verdict::refused);
    Entry many;
    many.changes.resize(Log::changes_max + 1);
    EXPECT_EQ(only(all<effect::Reply>(master.tell(fact::EditRequested{3, many, {}}))).verdict,
              Verdict::refused);
    EXPECT_EQ(master.node().log().last().revision.seq, 1u);
}

TEST(NodeReplication, ASecondShadowAStrangerAndAHigherEpochAreDeclined) {
    Bench master = master_with_shadow();
    const auto ask = [&](const wire::Hello& hello) {
        return std::get<wire::HelloReply>(master.ask(hello));
    };
    EXPECT_THAT(ask(hello_of_beta(9)).reason, HasSubstr("higher"));
    EXPECT_TRUE(ask(hello_of_beta()).accepted);
    auto gamma = hello_of_beta();
    gamma.node = "gamma";
    EXPECT_THAT(ask(gamma).reason, HasSubstr("has a shadow already: beta"));
    master.wait(1100ms);
    EXPECT_TRUE(ask(gamma).accepted) << "beta is lost";
    master.tell(fact::EnableRequested{1, false});
    EXPECT_THAT(ask(hello_of_beta()).reason, HasSubstr("not enabled"));
}

// --- the shadow ----------------------------------------------------------------------------------

TEST(NodeReplication, UpdatesAreTakenInOrderAndAGapIsFetched) {
    Bench shadow = shadow_in_sync();
    const Log log = log_of(3);
    auto effects =
        shadow.tell(fact::PeerPublished{wire::encode(wire::Update{1, bodies_of(log, 1, 1)})});
    EXPECT_EQ(all<effect::Append>(effects).size(), 1u);
    EXPECT_EQ(asked<wire::Report>(effects)->durable, *log.position_at(1)) << "acknowledged at once";
    shadow.answer(effects, wire::ReportReply{true, true, 1, *log.position_at(1)});
    effects = shadow.tell(fact::PeerPublished{wire::encode(wire::Update{1, bodies_of(log, 3)})});
    EXPECT_THAT(all<effect::Append>(effects), IsEmpty());
    EXPECT_EQ(asked<wire::Fetch>(effects)->from_seq, 2u);
    shadow.answer(effects, wire::FetchReply{false, false, bodies_of(log, 2)});
    EXPECT_EQ(shadow.node().log(), log);
}

TEST(NodeReplication, ABeaconMakesTheLossOfTheLastUpdateVisible) {
    Bench shadow = shadow_in_sync();
    const Log log = log_of(1);
    const auto effects =
        shadow.tell(fact::PeerPublished{wire::encode(wire::Beacon{1, log.last(), log.digest()})});
    EXPECT_EQ(asked<wire::Fetch>(effects)->from_seq, 1u);
}

TEST(NodeReplication, AnAnswerWithoutProgressIsNotAnsweredWithAQuestion) {
    Bench shadow = shadow_in_sync();
    Effects effects;
    for (int i = 0; i < 20 && !asked<wire::Report>(effects); ++i) effects = shadow.wait(25ms);
    effects = shadow.answer(effects, wire::ReportReply{true, true, 1, {}});
    EXPECT_THAT(all<effect::AskPeer>(effects), IsEmpty());
}

TEST(NodeReplication, NothingIsReportedUnderAnEpochThatIsNotOnDisk) {
    Bench shadow("beta", Role::shadow);
    shadow.start_with_gateway(Bench::view_of(4, "alpha", true, {alpha}));
    auto effects = shadow.pong(master_pong(4));
    shadow.disk_works = false;
    wire::HelloReply hello;
    hello.accepted = true;
    hello.node = "alpha";
    hello.epoch = 4;
    effects = shadow.answer(effects, hello);
    const auto write = only(all<effect::Persist>(effects));
    EXPECT_EQ(write.state.epoch, 4u);
    effects = shadow.answer(effects, wire::FetchReply{false, false, {}});
    EXPECT_FALSE(asked<wire::Report>(effects));
    EXPECT_FALSE(asked<wire::Report>(shadow.wait(500ms)));
    EXPECT_TRUE(asked<wire::Report>(shadow.tell(fact::Persisted{write.version})));
}

/// A shadow with three entries of epoch 1 whose master of epoch 2 has `master`.
std::pair<Bench, Effects> rejoin(const Log& mine, const Log& master, std::uint64_t common) {
    Bench shadow("beta", Role::shadow, {}, mine);
    shadow.start_with_gateway(Bench::view_of(2, "alpha", true, {alpha}));
    auto effects = shadow.pong(master_pong(2, master.last()));
    wire::HelloReply hello;
    hello.accepted = true;
    hello.node = "alpha";
    hello.epoch = 2;
    hello.common_seq = common;
    effects = shadow.answer(effects, hello);
    return {std::move(shadow), std::move(effects)};
}

TEST(NodeReplication, AForkIsSavedBeforeItIsCut) {
    const Log master = log_of(2, 2, log_of(2));
    auto [shadow, effects] = rejoin(log_of(3), master, 2);
    EXPECT_EQ(asked<wire::Fetch>(effects)->from_seq, 3u);
    effects = shadow.answer(effects, wire::FetchReply{false, false, bodies_of(master, 3)});
    const auto cut = only(all<effect::Truncate>(effects));
    EXPECT_EQ(cut.seq, 2u);
    ASSERT_EQ(cut.saved.size(), 1u);
    EXPECT_EQ(cut.saved[0].position.revision, (Revision{1, 3}));
    EXPECT_LT(place<effect::Truncate>(effects), place<effect::Append>(effects));
    EXPECT_EQ(shadow.node().log(), master);
    EXPECT_EQ(shadow.node().durable(), master.last());
}

TEST(NodeReplication, AnAnswerThatEndsWithoutADifferenceProvesNoFork) {
    const Log log = log_of(3);
    auto [shadow, effects] = rejoin(log, log, 0);
    effects = shadow.answer(effects, wire::FetchReply{false, false, bodies_of(log, 1, 2)});
    EXPECT_THAT(all<effect::Truncate>(effects), IsEmpty());
    EXPECT_EQ(asked<wire::Fetch>(effects)->from_seq, 3u);
    effects = shadow.answer(effects, wire::FetchReply{false, false, bodies_of(log, 3)});
    EXPECT_EQ(shadow.node().log(), log);
}

TEST(NodeReplication, WhatCannotBeReadIsAnAlertUntilItCan) {
    const Log log = log_of(3);
    auto [shadow, effects] = rejoin(log_of(1), log, 1);
    effects = shadow.answer(effects, wire::FetchReply{false, false, {"nonsense"}});
    const auto alert = only(all<effect::RaiseAlert>(effects));
    EXPECT_EQ(alert.id, "sync-failed");
    EXPECT_THAT(alert.text, HasSubstr("what follows revision 1.1 that alpha sent cannot be read"));
    EXPECT_EQ(shadow.node().log(), log_of(1));
    effects = shadow.wait(200ms);
    wire::HelloReply hello;
    hello.accepted = true;
    hello.node = "alpha";
    hello.epoch = 2;
    hello.common_seq = 1;
    effects = shadow.answer(effects, hello);
    effects = shadow.answer(effects, wire::FetchReply{true, false, {}});
    effects = shadow.answer(effects, wire::SnapshotReply{log.last(), 4, "nons"});
    EXPECT_THAT(all<effect::RaiseAlert>(effects), testing::SizeIs(1)) << "with another text";
    effects = shadow.answer(shadow.wait(200ms), hello);
    effects = shadow.answer(effects, wire::FetchReply{false, false, bodies_of(log, 2)});
    EXPECT_EQ(only(all<effect::ClearAlert>(effects)).id, "sync-failed");
    EXPECT_EQ(shadow.node().log(), log);
}

TEST(NodeReplication, WhatIsCutIsNotDurableAnyMore) {
    const Log master = log_of(1, 2, log_of(1));
    auto [shadow, effects] = rejoin(log_of(3), master, 1);
    shadow.disk_works = false;
    effects = shadow.answer(effects, wire::FetchReply{false, false, bodies_of(master, 2)});
    EXPECT_EQ(shadow.node().durable(), *master.position_at(1));
    shadow.tell(fact::Stored{all<effect::Append>(effects).at(0).op});
    EXPECT_EQ(shadow.node().durable(), master.last());
}

TEST(NodeReplication, ASnapshotReplacesTheLogAndSavesWhatWasThere) {
    const Log master = log_of(4, 2);
    auto [shadow, effects] = rejoin(log_of(2), master, 0);
    effects = shadow.answer(effects, wire::FetchReply{true, false, {}});
    EXPECT_EQ(asked<wire::FetchSnapshot>(effects)->offset, 0u);
    const auto bytes = master.snapshot_at(master.last().revision.seq);
    effects = shadow.answer(effects,
                            wire::SnapshotReply{master.last(), bytes.size(), bytes.substr(0, 9)});
    EXPECT_EQ(asked<wire::FetchSnapshot>(effects)->offset, 9u);
    effects =
        shadow.answer(effects, wire::SnapshotReply{master.last(), bytes.size(), bytes.substr(9)});
    const auto install = only(all<effect::Install>(effects));
    EXPECT_EQ(install.saved.size(), 2u);
    EXPECT_EQ(install.snapshot, bytes);
    EXPECT_EQ(shadow.node().log().document(), master.document());
    EXPECT_EQ(shadow.node().log().last(), master.last());
}

TEST(NodeReplication, AMasterThatDoesNotServeAtTheMomentIsNoReasonForASnapshot) {
    const Log master = log_of(4, 2);
    auto [shadow, effects] = rejoin(log_of(2), master, 0);
    effects = shadow.answer(effects, wire::FetchReply{false, true, {}});
    EXPECT_THAT(all<effect::AskPeer>(effects), IsEmpty());
    EXPECT_TRUE(asked<wire::Hello>(shadow.wait(200ms)));
    Bench starting("alpha", Role::master);
    const auto reply = std::get<wire::FetchReply>(starting.ask(wire::Fetch{1, {}}));
    EXPECT_TRUE(reply.unavailable);
    EXPECT_FALSE(reply.mismatch);
}

TEST(NodeReplication, ChunksOfTwoSnapshotsDoNotMakeOne) {
    const Log master = log_of(4, 2);
    auto [shadow, effects] = rejoin(log_of(2), master, 0);
    effects = shadow.answer(effects, wire::FetchReply{true, false, {}});
    const auto bytes = master.snapshot_at(master.last().revision.seq);
    effects = shadow.answer(effects,
                            wire::SnapshotReply{master.last(), bytes.size(), bytes.substr(0, 9)});
    effects = shadow.answer(
        effects, wire::SnapshotReply{*master.position_at(3), bytes.size(), bytes.substr(9)});
    EXPECT_THAT(all<effect::Install>(effects), IsEmpty());
    EXPECT_EQ(shadow.node().log().last().revision, (Revision{1, 2}));
}

TEST(NodeReplication, AnotherDocumentAtTheSameRevisionIsDriftAndFetchedAnew) {
    Bench shadow = shadow_in_sync();
    auto effects = shadow.tell(fact::PeerPublished{
        wire::encode(wire::Beacon{1, Position{}, simulation::quick_hash("other")})});
    EXPECT_EQ(all<effect::RaiseAlert>(effects).at(0).id, "drift");
    for (int i = 0; i < 20 && !asked<wire::Report>(effects); ++i) effects = shadow.wait(25ms);
    EXPECT_TRUE(asked<wire::Report>(effects)->drifted) << "the master has to know first";
    effects = shadow.answer(effects, wire::ReportReply{true, false, 1, {}});
    EXPECT_TRUE(asked<wire::FetchSnapshot>(effects));
}

TEST(NodeReplication, AnAnswerToAnotherQuestionIsNotUnderstoodAndHarmsNothing) {
    const std::vector<wire::Message> wrong{wire::Beacon{}, wire::FetchReply{}, wire::Pong{},
                                           wire::SnapshotReply{}, wire::TakeOverReply{}};
    for (const auto& message : wrong) {
        Bench shadow("beta", Role::shadow);
        shadow.start_with_gateway(Bench::view_of(1, "alpha", true, {alpha}));
        const auto effects = shadow.pong(master_pong(1));
        ASSERT_TRUE(asked<wire::Hello>(effects));
        EXPECT_THAT(all<effect::AskPeer>(shadow.answer(effects, message)), IsEmpty());
        EXPECT_TRUE(asked<wire::Hello>(shadow.wait(1s))) << message.index();
    }
}

// --- both ----------------------------------------------------------------------------------------

/// Two nodes that hear each other at once. @return messages sent in `duration`
std::size_t talk(Bench& master, Bench& shadow, Duration duration) {
    std::size_t sent = 0;
    std::deque<std::pair<bool, Effect>> mail;
    const auto post = [&](bool from_master, const Effects& effects) {
        for (const auto& one : effects) mail.emplace_back(from_master, one);
    };
    std::string pong_of_master = wire::encode(master_pong(1, master.node().log().last()));
    for (const auto end = master.now + duration; master.now < end;) {
        post(true, master.wait(25ms));
        post(false, shadow.wait(25ms));
        while (!mail.empty()) {
            const auto [from_master, one] = mail.front();
            mail.pop_front();
            Bench& sender = from_master ? master : shadow;
            Bench& other = from_master ? shadow : master;
            if (const auto* pong = std::get_if<effect::SetPong>(&one); pong && from_master) {
                pong_of_master = pong->bytes;
            } else if (const auto* ping = std::get_if<effect::Ping>(&one)) {
                ++sent;
                const auto bytes = from_master
                                       ? wire::encode(wire::Pong{
                                             "beta", "beta-disk", "1", Role::shadow, 1, false, {}})
                                       : pong_of_master;
                post(from_master, sender.tell(fact::Ponged{ping->ask, bytes, 0ns, 1ms}));
            } else if (const auto* ask = std::get_if<effect::AskPeer>(&one)) {
                ++sent;
                const auto effects = other.tell(fact::PeerAsked{ask->ask, ask->bytes});
                post(!from_master, effects);
                for (const auto& answer : all<effect::AnswerPeer>(effects)) {
                    post(from_master, sender.tell(fact::PeerAnswered{ask->ask, answer.bytes}));
                }
            } else if (const auto* publish = std::get_if<effect::Publish>(&one)) {
                ++sent;
                post(!from_master, other.tell(fact::PeerPublished{publish->bytes}));
            }
        }
    }
    return sent;
}

TEST(NodeReplication, AnEditThatWaitsForThisDiskIsNoReasonToDropTheShadowThatHasIt) {
    TwoNodes pair;
    ASSERT_TRUE(pair.settle());
    pair.hold_disk(0, true);
    pair.edit(0, {{"key", "1"}}, "op-1");
    for (int i = 0; i < 30; ++i) {
        pair.round();
        ASSERT_FALSE(pair.alerted(0, "push-failed")) << "round " << i;
        ASSERT_FALSE(pair.alerted(0, "shadow-away")) << "round " << i;
    }
    EXPECT_EQ(pair.node(1).log().document().at("key"), "1");
    pair.hold_disk(0, false);
    EXPECT_EQ(pair.replies().begin()->second.verdict, Verdict::done);
    EXPECT_EQ(pair.replies().begin()->second.text, "") << "on both";
}

TEST(NodeReplication, APushThatFailsAgainTakesBackThatItHadRecovered) {
    TwoNodes pair;
    ASSERT_TRUE(pair.settle());
    for (int time = 1; time <= 2; ++time) {
        pair.hold_disk(1, true);
        pair.edit(0, {{"key", std::to_string(time)}}, "op-" + std::to_string(time));
        for (int i = 0; i < 7; ++i) pair.round();
        EXPECT_TRUE(pair.alerted(0, "push-failed"));
        EXPECT_FALSE(pair.alerted(0, "push-recovered")) << "time " << time;
        pair.hold_disk(1, false);
        ASSERT_TRUE(pair.settle());
        pair.round();
        EXPECT_FALSE(pair.alerted(0, "push-failed"));
        EXPECT_TRUE(pair.alerted(0, "push-recovered"));
    }
}

TEST(NodeReplication, AnIdlePairSendsAConstantNumberOfMessages) {
    Bench master = master_with_shadow();
    Bench shadow("beta", Role::shadow);
    shadow.start_with_gateway(Bench::view_of(1, "alpha", true, {alpha, beta}));
    master.miss_ping();
    shadow.miss_ping();
    talk(master, shadow, 3s);
    EXPECT_EQ(shadow.node().state(), State::ready);
    const auto first = talk(master, shadow, 10s);
    const auto second = talk(master, shadow, 10s);
    EXPECT_LE(first, 10u * 40u);
    EXPECT_NEAR(static_cast<double>(first), static_cast<double>(second), 2.0);
}

}  // namespace
}  // namespace umbra::core
