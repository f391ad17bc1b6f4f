// What the log forgets, and what it does not.

#include "core_support.hpp"
#include "two_nodes.hpp"

#include <gmock/gmock.h>

namespace umbra::core {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

// --- the decision --------------------------------------------------------------------------------

constexpr CompactionPolicy small{4, 2, 12};

TEST(CompactTo, WaitsForABatchBehindWhatIsKept) {
    EXPECT_EQ(compact_to(small, {10, 15, 15, {}, {}}), std::nullopt);
    EXPECT_EQ(compact_to(small, {10, 16, 16, {}, {}}), 12u);
    EXPECT_EQ(compact_to(small, {10, 30, 30, {}, {}}), 26u);
}

TEST(CompactTo, EndsAtWhatIsCommitted) {
    EXPECT_EQ(compact_to(small, {10, 20, 13, {}, {}}), 13u);
    EXPECT_EQ(compact_to(small, {10, 20, 11, {}, {}}), std::nullopt) << "less than a batch";
    EXPECT_EQ(compact_to(small, {10, 20, 0, {}, {}}), std::nullopt);
}

TEST(CompactTo, EndsAtAForkThatIsNotMerged) {
    EXPECT_EQ(compact_to(small, {10, 20, 20, 12, {}}), 12u);
    EXPECT_EQ(compact_to(small, {10, 20, 20, 5, {}}), std::nullopt);
}

TEST(CompactTo, WaitsForALaggingShadowUpToALimit) {
    EXPECT_EQ(compact_to(small, {10, 22, 22, {}, 13}), 13u);
    EXPECT_EQ(compact_to(small, {10, 22, 22, {}, 0}), std::nullopt);
    EXPECT_EQ(compact_to(small, {10, 23, 23, {}, 0}), 19u) << "one more than is kept for it";
}

TEST(CompactTo, KeepsNothingWhenNothingIsToBeKept) {
    const CompactionPolicy none{0, 0, 0};
    EXPECT_EQ(compact_to(none, {3, 3, 3, {}, {}}), std::nullopt);
    EXPECT_EQ(compact_to(none, {3, 4, 4, {}, {}}), 4u);
}

// --- one node ------------------------------------------------------------------------------------

Settings eager(CompactionPolicy policy = small) {
    Settings settings;
    settings.compaction = policy;
    return settings;
}

Effects make(Bench& master, int n, const std::string& op = {}) {
    const auto name = std::to_string(n);
    return master.tell(fact::EditRequested{
        static_cast<RequestId>(n), edit_of("k" + name, name, op.empty() ? "op" + name : op), {}});
}

TEST(CompactionTest, TheMasterDoesNotOutrunAShadowInSync) {
    Bench master = master_with_shadow({alpha, beta}, eager());
    master.ask(hello_of_beta());
    Effects effects;
    const auto add = [&](const Effects& more) {
        effects.insert(effects.end(), more.begin(), more.end());
    };
    for (int i = 1; i <= 20; ++i) add(make(master, i));
    EXPECT_THAT(all<effect::Compact>(effects), IsEmpty()) << "nobody said that it has anything";
    const auto third = *master.node().log().position_at(3);
    effects = master.tell(fact::PeerAsked{9, wire::encode(report_of_beta(1, third))});
    ASSERT_THAT(all<effect::Compact>(effects), SizeIs(1));
    EXPECT_EQ(all<effect::Compact>(effects)[0].position, third);
    EXPECT_EQ(master.node().log().base(), third);
    const auto last = master.node().log().last();
    effects = master.tell(fact::PeerAsked{10, wire::encode(report_of_beta(1, last))});
    EXPECT_EQ(all<effect::Compact>(effects).at(0).position.revision.seq, 16u);
    EXPECT_THAT(master.node().log().entries(), SizeIs(4));
    EXPECT_EQ(master.node().durable(), last);
}

TEST(CompactionTest, TheMasterDoesNotCompactWhatIsNotOnItsDisk) {
    Bench master = master_with_shadow({alpha}, eager({0, 1, 0}));
    for (int i = 1; i <= 5; ++i) make(master, i);
    EXPECT_EQ(master.node().log().base().revision.seq, 5u);
    master.disk_works = false;
    for (int i = 6; i <= 20; ++i) EXPECT_THAT(all<effect::Compact>(make(master, i)), IsEmpty());
}

TEST(CompactionTest, OneIsUnderWayAtATime) {
    Bench master = master_with_shadow({alpha}, eager());
    for (int i = 1; i <= 5; ++i) make(master, i);
    master.disk_works = false;
    const auto first = all<effect::Compact>(make(master, 6)).at(0);
    EXPECT_EQ(first.position.revision.seq, 2u);
    for (int i = 7; i <= 9; ++i) EXPECT_THAT(all<effect::Compact>(make(master, i)), IsEmpty());
    const auto second = all<effect::Compact>(master.tell(fact::Stored{first.op})).at(0);
    EXPECT_EQ(second.position.revision.seq, 5u);
    EXPECT_EQ(master.node().durable().revision.seq, 6u);
    master.tell(fact::Stored{second.op});
    EXPECT_EQ(master.node().durable().revision.seq, 9u) << "what was written before it";
}

TEST(CompactionTest, TheBodySaysWhatTheLogWas) {
    Bench master = master_with_shadow({alpha}, eager());
    effect::Compact compact{};
    for (int i = 1; i <= 6; ++i) {
        for (auto& one : all<effect::Compact>(make(master, i))) compact = one;
    }
    const auto snapshot = decode_snapshot(compact.position, compact.snapshot);
    ASSERT_TRUE(snapshot);
    EXPECT_EQ(snapshot->position.revision, (Revision{1, 2}));
    EXPECT_EQ(snapshot->document, (Document{{"k1", "1"}, {"k2", "2"}}));
    EXPECT_THAT(snapshot->operations,
                testing::ElementsAre(Operation{"op1", {1, 1}}, Operation{"op2", {1, 2}}));
    Log loaded{&simulation::quick_hash};
    loaded.install(*snapshot);
    for (const auto& logged : master.node().log().entries()) ASSERT_TRUE(loaded.push(logged.body));
    EXPECT_EQ(loaded, master.node().log());
}

TEST(CompactionTest, AShadowCompactsWhatItsMasterCallsSafe) {
    const Log log = log_of(20);
    Bench shadow = shadow_in_sync(log, eager());
    EXPECT_EQ(shadow.node().log().base().revision.seq, 0u);
    Effects effects;
    const auto answer = [&](std::uint64_t committed) {
        effects = {};
        for (int i = 0; i < 20 && !asked<wire::Report>(effects); ++i) effects = shadow.wait(25ms);
        effects = shadow.answer(effects, wire::ReportReply{true, true, 1, log.last(), committed});
    };
    answer(1);
    EXPECT_THAT(all<effect::Compact>(effects), IsEmpty());
    answer(7);
    EXPECT_EQ(all<effect::Compact>(effects).at(0).position, *log.position_at(7));
    answer(1000);
    EXPECT_EQ(shadow.node().log().base(), *log.position_at(16));
}

TEST(CompactionTest, TheMasterSaysWhatIsSafe) {
    Bench master = master_with_shadow();
    master.ask(hello_of_beta());
    for (int i = 1; i <= 9; ++i) make(master, i);
    const auto report = report_of_beta(1, *master.node().log().position_at(4));
    EXPECT_EQ(std::get<wire::ReportReply>(master.ask(report)).committed, 4u);
}

TEST(CompactionTest, ALongOperationIdIsRefusedAtTheDoor) {
    Bench master = master_with_shadow({alpha});
    const auto verdict = [&](int n, std::size_t size) {
        return all<effect::Reply>(make(master, n, std::string(size, 'x'))).at(0).verdict;
    };
    EXPECT_EQ(verdict(1, Snapshot::operation_bytes_max), Verdict::done);
    EXPECT_EQ(verdict(2, Snapshot::operation_bytes_max + 1), Verdict::refused);
}

TEST(CompactionTest, ASnapshotThatNoStorageTakesIsAnAlert) {
    Log log{&simulation::quick_hash};
    log.install({{{1, 1}, {}}, {{"large", std::string(Snapshot::bytes_max, 'x')}}});
    Bench master("alpha", Role::master, {}, std::move(log), eager());
    const auto effects = master.start_with_gateway(Bench::view_of(1, "alpha", true, {alpha}));
    master.grant(all<effect::Claim>(effects).at(0), {alpha});
    const auto has_alert = [](const Effects& list) {
        const auto alerts = all<effect::RaiseAlert>(list);
        return std::any_of(alerts.begin(), alerts.end(),
                           [](const auto& alert) { return alert.id == "snapshot-too-large"; });
    };
    bool alerted = false;
    for (int i = 1; i <= 6; ++i) {
        const auto more = make(master, i);
        EXPECT_THAT(all<effect::Compact>(more), IsEmpty());
        alerted = alerted || has_alert(more);
    }
    EXPECT_TRUE(alerted);
}

TEST(CompactionTest, ASnapshotThatIsTooLargeIsNotFetched) {
    Bench shadow = shadow_in_sync();
    auto effects = shadow.pong(master_pong(2));  // Another master: hello again.
    for (int i = 0; i < 20 && !asked<wire::Hello>(effects); ++i) effects = shadow.wait(25ms);
    wire::HelloReply hello;
    hello.accepted = hello.snapshot = true;
    hello.node = "alpha";
    hello.epoch = 2;
    effects = shadow.answer(effects, hello);
    ASSERT_TRUE(asked<wire::FetchSnapshot>(effects));
    effects = shadow.answer(
        effects, wire::SnapshotReply{{{2, 9}, {}}, Snapshot::bytes_max + 1, std::string(9, 'x')});
    EXPECT_FALSE(asked<wire::FetchSnapshot>(effects));
}

// --- the log -------------------------------------------------------------------------------------

TEST(LogCompaction, FreesTheEntriesAndKeepsTheRest) {
    const Log whole = log_of(9, 2, log_of(3));
    Log log = whole;
    log.compact(7);
    EXPECT_EQ(log.base(), *whole.position_at(7));
    EXPECT_EQ(log.last(), whole.last());
    EXPECT_EQ(log.document(), whole.document());
    EXPECT_EQ(log.digest(), whole.digest());
    EXPECT_THAT(log.entries(), SizeIs(5));
    EXPECT_EQ(log.document_at(7), whole.document_at(7));
    EXPECT_EQ(log.document_at(6), std::nullopt);
    EXPECT_EQ(log.find_op("op2"), (Revision{1, 2}));
    log.truncate(7);
    EXPECT_EQ(log.document(), *whole.document_at(7));
    EXPECT_EQ(log.find_op("op8"), std::nullopt);
}

TEST(LogCompaction, EndsOfEpochsAndAMarkAreRecognised) {
    const Log whole = log_of(4, 2, log_of(5));
    Log log = whole;
    log.compact(2);
    log.compact(8, *whole.position_at(2));
    EXPECT_TRUE(log.contains(*whole.position_at(2))) << "the mark";
    EXPECT_FALSE(log.contains(*whole.position_at(3)));
    EXPECT_TRUE(log.contains(*whole.position_at(5))) << "the end of epoch 1";
    EXPECT_TRUE(log.contains(*whole.position_at(8))) << "the base";
    EXPECT_TRUE(log.contains(whole.last()));
    EXPECT_TRUE(log.contains(Position{}));
    EXPECT_FALSE(log.contains({{1, 5}, simulation::quick_hash("another")}));
    const auto again = decode_snapshot(log.last(), log.snapshot_at(log.last().revision.seq));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->marks, log.marks());
}

TEST(LogCompaction, OfTheMarksTheNewestStay) {
    Log log{&simulation::quick_hash};
    for (Epoch epoch = 1; epoch <= Snapshot::marks_max + 3; ++epoch) log = log_of(1, epoch, log);
    log.compact(log.last().revision.seq);
    EXPECT_THAT(log.marks(), SizeIs(Snapshot::marks_max));
    EXPECT_EQ(log.marks().back().revision.epoch, Snapshot::marks_max + 2);
    EXPECT_TRUE(decode_snapshot(log.base(), log.snapshot_at(log.base().revision.seq)));
}

TEST(LogCompaction, OfTheOperationsTheNewestStay) {
    constexpr auto max = static_cast<int>(Snapshot::operations_max);
    Log log = log_of(max + 5);
    log.compact(static_cast<std::uint64_t>(max));
    EXPECT_TRUE(log.find_op("op1")) << "as many as are remembered";
    log.compact(static_cast<std::uint64_t>(max) + 2);
    EXPECT_FALSE(log.find_op("op1"));
    EXPECT_FALSE(log.find_op("op2"));
    EXPECT_TRUE(log.find_op("op3"));
    EXPECT_TRUE(log.find_op("op" + std::to_string(max + 5)));
    const auto all = decode_snapshot(log.last(), log.snapshot_at(log.last().revision.seq));
    ASSERT_TRUE(all);
    EXPECT_THAT(all->operations, SizeIs(Snapshot::operations_max));
    EXPECT_EQ(all->operations.front().id, "op6");
}

// --- two nodes -----------------------------------------------------------------------------------

class CompactedPair : public ::testing::Test {
protected:
    CompactedPair() { EXPECT_TRUE(pair.settle()); }
    void edits(std::size_t side, int count) {
        for (; count != 0; --count) {
            const auto n = std::to_string(++made);
            EXPECT_NE(pair.edit(side, {{"k" + n, n}}, "op" + n).verdict, Verdict::refused);
            pair.round();
        }
    }
    std::uint64_t base(std::size_t side) { return pair.node(side).log().base().revision.seq; }

    int made = 0;
    TwoNodes pair{CompactionPolicy{3, 2, 8}};
};

TEST_F(CompactedPair, EachCompactsItsOwnLog) {
    edits(0, 20);
    ASSERT_TRUE(pair.settle());
    EXPECT_GE(base(0), 15u);
    EXPECT_GE(base(1), 15u);
    EXPECT_EQ(pair.snapshots(), 0u);
}

TEST_F(CompactedPair, AShadowThatWasAwayForLongGetsASnapshotAndNothingDiverged) {
    edits(0, 4);
    ASSERT_TRUE(pair.settle());
    pair.cut();
    edits(0, 40);
    EXPECT_GT(base(0), 30u) << "nobody waits for who is away";
    pair.heal();
    ASSERT_TRUE(pair.settle());
    EXPECT_EQ(pair.snapshots(), 1u);
    EXPECT_THAT(pair.kept(1), IsEmpty());
    EXPECT_EQ(pair.node(0).log().document(), pair.node(1).log().document());
}

TEST_F(CompactedPair, ARetryIsKnownAfterCompactionSnapshotAndTakeover) {
    edits(0, 4);
    pair.cut();
    edits(0, 40);
    EXPECT_EQ(pair.edit(0, {{"k2", "again"}}, "op2").revision.seq, 2u) << "after a compaction";
    pair.heal();
    ASSERT_TRUE(pair.settle());
    ASSERT_EQ(pair.snapshots(), 1u);
    pair.cut();
    pair.take_over(1);
    pair.round();
    const auto last = pair.node(1).log().last();
    EXPECT_EQ(pair.node(1).log().find_op("op7"), (pair.node(0).log().find_op("op7")));
    EXPECT_EQ(pair.edit(1, {{"k7", "again"}}, "op7").revision.seq, 7u) << "after a takeover";
    EXPECT_EQ(pair.node(1).log().last(), last);
}

TEST_F(CompactedPair, AForkIsMergedThoughTheWinnerHasCompactedWhereItBegan) {
    edits(0, 4);
    ASSERT_TRUE(pair.settle());
    pair.cut();
    pair.take_over(1);
    pair.edit(0, {{"lost", "1"}}, "lost");
    edits(1, 40);
    ASSERT_GT(base(1), 30u);
    pair.heal();
    ASSERT_TRUE(pair.settle());
    ASSERT_EQ(pair.snapshots(), 1u);
    ASSERT_THAT(pair.kept(0), SizeIs(1));
    EXPECT_FALSE(pair.kept(0).begin()->second.open) << "nobody has to decide";
    EXPECT_EQ(pair.node(1).log().document().at("lost"), "1");
}

TEST_F(CompactedPair, WhatALoserCompactedIsKeptWhereItDiffers) {
    edits(0, 4);
    ASSERT_TRUE(pair.settle());
    pair.cut();
    pair.take_over(1);
    edits(0, 20);
    edits(1, 20);
    ASSERT_GT(base(0), 4u);
    pair.heal();
    ASSERT_TRUE(pair.settle());
    ASSERT_THAT(pair.kept(0), SizeIs(1));
    const auto& kept = pair.kept(0).begin()->second;
    EXPECT_TRUE(kept.open);
    std::set<std::string> keys;
    for (const auto& key : kept.edits.keys) {
        if (key.saved) keys.insert(key.key);
    }
    for (int i = 5; i <= 24; ++i) EXPECT_TRUE(keys.contains("k" + std::to_string(i))) << i;
}

TEST_F(CompactedPair, AForkThatIsNotMergedKeepsItsBase) {
    edits(0, 4);
    ASSERT_TRUE(pair.settle());
    SavedEdits waiting;
    waiting.id = "1.3-x";
    waiting.fork = *pair.node(0).log().position_at(3);
    waiting.last = {{1, 9}, simulation::quick_hash("cut")};
    waiting.keys = {{"other", std::nullopt, "1"}};
    pair.cut();
    pair.hold_disk(1, true);
    pair.tell(1, fact::DivergenceLoaded{waiting, {}, {}});
    pair.take_over(1);
    for (int i = 0; i < 30; ++i) pair.round();
    EXPECT_LE(base(1), 3u);
    pair.hold_disk(1, false);
    edits(1, 20);
    EXPECT_GT(base(1), 3u) << "merged by itself, being the master";
    EXPECT_EQ(pair.node(1).log().document().at("other"), "1");
}

}  // namespace
}  // namespace umbra::core
