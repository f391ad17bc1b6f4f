// Two nodes that were apart: what is kept, merged, asked for, settled.

#include "two_nodes.hpp"

#include <gmock/gmock.h>

namespace umbra::core {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class DivergenceTest : public ::testing::Test {
protected:
    DivergenceTest() {
        EXPECT_TRUE(pair.settle());
        EXPECT_EQ(pair.edit(0, {{"a", "1"}, {"b", "1"}}, "first").verdict, Verdict::provisional);
        EXPECT_TRUE(pair.settle());
    }
    /// Both serve; `alpha` of the lower epoch.
    void part() {
        pair.cut();
        EXPECT_EQ(pair.take_over(1).verdict, Verdict::done);
    }
    void meet() {
        pair.heal();
        ASSERT_TRUE(pair.settle());
        ASSERT_EQ(pair.master(), 1u);
    }
    const Document& document(std::size_t i) { return pair.node(i).log().document(); }
    /// The only divergence that alpha keeps.
    TwoNodes::Kept& kept() {
        EXPECT_THAT(pair.kept(0), SizeIs(1));
        return pair.kept(0).begin()->second;
    }
    static Entry edit_of(std::vector<Change> changes) {
        Entry entry;
        entry.changes = std::move(changes);
        return entry;
    }
    Entry last_entry() { return *decode_entry(pair.node(1).log().entries().back().body); }

    TwoNodes pair;
};

TEST_F(DivergenceTest, EditsOfDifferentKeysMergeAsANewEditThatSaysSo) {
    part();
    pair.edit(0, {{"a", "2"}}, "left");
    pair.edit(1, {{"b", "3"}}, "right");
    meet();
    EXPECT_EQ(document(0), (Document{{"a", "2"}, {"b", "3"}}));
    EXPECT_EQ(document(1), document(0));
    const Entry entry = last_entry();
    EXPECT_EQ(entry.message,
              "merge of divergence " + kept().edits.id + " of alpha, edits by alpha");
    EXPECT_EQ(entry.author, "umbra");
    EXPECT_GT(entry.time_ms, 1'700'000'000'000);
    EXPECT_FALSE(kept().open);
    EXPECT_EQ(kept().revision, pair.node(1).log().last().revision);
    EXPECT_FALSE(pair.alerted(0, "divergence"));
}

TEST_F(DivergenceTest, EditsOfTheSameKeyWaitForADecision) {
    part();
    pair.edit(0, {{"a", "2"}, {"b", "2"}}, "left");
    pair.edit(1, {{"a", "3"}}, "right");
    meet();
    EXPECT_EQ(document(0), (Document{{"a", "3"}, {"b", "2"}}));
    EXPECT_TRUE(kept().open);
    EXPECT_THAT(kept().fates, ElementsAre(Fate::conflict, Fate::merged));
    EXPECT_TRUE(pair.alerted(0, "divergence"));
}

TEST_F(DivergenceTest, MergeByHandIsMadeByTheMasterOnce) {
    part();
    pair.edit(0, {{"a", "2"}, {"b", "2"}}, "left");
    pair.edit(1, {{"a", "3"}}, "right");
    meet();
    pair.edit(1, {{"b", "9"}}, "later");  // What was merged by itself is not touched again.
    ASSERT_TRUE(pair.settle());
    const auto request = pair.merge_by_hand(0, kept().edits.id);
    for (int i = 0; i < 5; ++i) pair.round();
    EXPECT_EQ(pair.replies().at(request).verdict, Verdict::done);
    EXPECT_EQ(pair.replies().at(request).revision, pair.node(1).log().last().revision);
    EXPECT_EQ(document(1), (Document{{"a", "2"}, {"b", "9"}}));
    EXPECT_EQ(document(0), document(1));
    EXPECT_EQ(last_entry().author, "ann");
    EXPECT_FALSE(kept().open);
    EXPECT_FALSE(pair.alerted(0, "divergence"));
    const auto again = pair.merge_by_hand(0, kept().edits.id);
    EXPECT_EQ(pair.replies().at(again).verdict, Verdict::refused);
}

TEST_F(DivergenceTest, MergeByHandNeedsTheMaster) {
    part();
    pair.edit(0, {{"a", "2"}}, "left");
    pair.edit(1, {{"a", "3"}}, "right");
    meet();
    pair.cut();
    for (int i = 0; i < 5; ++i) pair.round();
    const auto request = pair.merge_by_hand(0, kept().edits.id);
    for (int i = 0; i < 60; ++i) pair.round();
    EXPECT_NE(pair.replies().at(request).verdict, Verdict::done);
    EXPECT_TRUE(kept().open);
}

TEST_F(DivergenceTest, DroppingClearsTheAlertAndChangesNothing) {
    part();
    pair.edit(0, {{"a", "2"}}, "left");
    pair.edit(1, {{"a", "3"}}, "right");
    meet();
    const auto before = pair.node(1).log().last();
    pair.tell(0, fact::DivergenceDropped{kept().edits.id});
    pair.round();
    EXPECT_FALSE(pair.alerted(0, "divergence"));
    EXPECT_EQ(pair.node(1).log().last(), before);
}

TEST_F(DivergenceTest, ARestartForgetsNothing) {
    part();
    pair.edit(0, {{"a", "2"}}, "left");
    pair.edit(1, {{"a", "3"}}, "right");
    meet();
    pair.restart(0);
    ASSERT_TRUE(pair.settle());
    EXPECT_TRUE(pair.alerted(0, "divergence"));
    const auto request = pair.merge_by_hand(0, kept().edits.id);
    for (int i = 0; i < 5; ++i) pair.round();
    EXPECT_EQ(pair.replies().at(request).verdict, Verdict::done);
    EXPECT_EQ(document(1).at("a"), "2");
}

TEST_F(DivergenceTest, OfferedTwiceIsMergedOnce) {
    part();
    pair.edit(0, {{"a", "2"}}, "left");
    pair.edit(1, {{"b", "3"}}, "right");
    meet();
    const auto before = pair.node(1).log().last();
    // As if the process had ended before it noted what came of it.
    pair.edit(1, {{"a", "7"}}, "later");
    ASSERT_TRUE(pair.settle());
    kept() = {kept().edits, {}, {}, true};
    pair.restart(0);
    ASSERT_TRUE(pair.settle());
    EXPECT_EQ(document(1).at("a"), "7") << "an edit made after the merge stays";
    EXPECT_EQ(kept().revision, before.revision);
    EXPECT_FALSE(kept().open);
}

TEST_F(DivergenceTest, WhoIsMasterByThenMergesItsOwn) {
    part();
    pair.edit(0, {{"a", "2"}}, "left");
    pair.edit(1, {{"a", "3"}}, "right");
    meet();
    EXPECT_EQ(pair.take_over(0).verdict, Verdict::done);
    ASSERT_TRUE(pair.settle());
    ASSERT_EQ(pair.master(), 0u);
    const auto request = pair.merge_by_hand(0, kept().edits.id);
    for (int i = 0; i < 5; ++i) pair.round();
    EXPECT_EQ(pair.replies().at(request).verdict, Verdict::done);
    EXPECT_EQ(document(0).at("a"), "2");
    EXPECT_EQ(document(1), document(0));
}

TEST_F(DivergenceTest, WhatIsNotValidOnTheMasterIsNotMerged) {
    pair.node(1).judge_with([](const Document& document) -> std::optional<std::string> {
        if (document.at("a") == "2") return "2 is too little";
        return std::nullopt;
    });
    part();
    pair.edit(0, {{"a", "2"}}, "left");
    pair.edit(1, {{"b", "3"}}, "right");
    meet();
    EXPECT_EQ(document(1).at("a"), "1");
    EXPECT_THAT(kept().fates, ElementsAre(Fate::conflict));
    const auto request = pair.merge_by_hand(0, kept().edits.id);
    for (int i = 0; i < 5; ++i) pair.round();
    EXPECT_EQ(pair.replies().at(request).verdict, Verdict::failed);
    EXPECT_THAT(pair.replies().at(request).text, HasSubstr("2 is too little"));
    EXPECT_TRUE(kept().open);
}

TEST_F(DivergenceTest, TooMuchForOneMessageWaitsForAPerson) {
    part();
    const std::string half(600'000, 'x');
    pair.edit(0, {{"a", "\"" + half + "\""}}, "left-1");
    pair.edit(0, {{"b", "\"" + half + "\""}}, "left-2");
    meet();
    EXPECT_THAT(kept().fates, ElementsAre(Fate::conflict, Fate::conflict));
    EXPECT_TRUE(pair.alerted(0, "divergence"));
    const auto request = pair.merge_by_hand(0, kept().edits.id);
    for (int i = 0; i < 5; ++i) pair.round();
    EXPECT_THAT(pair.replies().at(request).text, HasSubstr("too large"));
}

TEST_F(DivergenceTest, ARetryOnTheNewMasterIsNotAppliedTwice) {
    pair.edit(0, {{"a", "5"}}, "once");
    ASSERT_TRUE(pair.settle());
    part();
    pair.edit(1, {{"a", "6"}}, "next");
    const auto before = pair.node(1).log().last();
    pair.edit(1, {{"a", "5"}}, "once");
    EXPECT_EQ(pair.node(1).log().last(), before);
    EXPECT_EQ(document(1).at("a"), "6");
}

TEST_F(DivergenceTest, ARetryOfWhatWasMergedIsNotAppliedTwice) {
    part();
    pair.edit(0, {{"a", "2"}}, "left-1");
    pair.edit(0, {{"b", "2"}}, "left-2");
    pair.edit(1, {{"b", "3"}}, "right");
    meet();
    pair.edit(1, {{"a", "9"}}, "later");
    const auto before = pair.node(1).log().last();
    pair.edit(1, {{"a", "2"}}, "left-1");
    EXPECT_EQ(pair.node(1).log().last(), before);
    EXPECT_EQ(document(1).at("a"), "9");
    // What conflicts is not in force: asked for again, it is an edit as any other.
    pair.edit(1, {{"b", "2"}}, "left-2");
    EXPECT_EQ(document(1).at("b"), "2");
}

TEST_F(DivergenceTest, ARetryOfWhatWasMergedInPartIsRefusedUntilSomebodyDecided) {
    part();
    pair.edit(0, {{"a", "2"}, {"b", "2"}}, "left");
    pair.edit(1, {{"b", "3"}}, "right");
    meet();
    ASSERT_EQ(document(1), (Document{{"a", "2"}, {"b", "3"}}));
    const auto merged = pair.node(1).log().last();
    pair.edit(1, {{"a", "9"}}, "later");
    const auto before = pair.node(1).log().last();
    const auto answer = pair.edit(1, {{"a", "2"}, {"b", "2"}}, "left");
    EXPECT_EQ(answer.verdict, Verdict::refused);
    EXPECT_THAT(answer.text, HasSubstr("in part as revision " + to_string(merged.revision)));
    EXPECT_EQ(pair.node(1).log().last(), before);
    // Who decides puts the rest in force, and then a retry is answered.
    const auto request = pair.merge_by_hand(0, kept().edits.id);
    for (int i = 0; i < 5; ++i) pair.round();
    ASSERT_EQ(pair.replies().at(request).verdict, Verdict::done);
    const auto decided = pair.node(1).log().last();
    EXPECT_EQ(pair.edit(1, {{"a", "2"}, {"b", "2"}}, "left").revision, decided.revision);
    EXPECT_EQ(document(1), (Document{{"a", "9"}, {"b", "2"}}));
}

TEST_F(DivergenceTest, WhatWasAskedForAgainBeforeTheMergeIsNotMergedOverLaterEdits) {
    part();
    pair.edit(0, {{"a", "2"}}, "left");
    pair.edit(1, {{"a", "2"}}, "left");
    pair.edit(1, {{"a", "9"}}, "right");
    meet();
    EXPECT_EQ(document(1).at("a"), "9");
    EXPECT_THAT(kept().fates, ElementsAre(Fate::equal));
    EXPECT_FALSE(kept().open);
    EXPECT_FALSE(pair.alerted(0, "divergence"));
}

TEST_F(DivergenceTest, NothingIsSettledBeforeTheMasterHasItOnDisk) {
    part();
    pair.edit(0, {{"a", "2"}}, "left");
    pair.hold_disk(1, true);
    pair.heal();
    for (int i = 0; i < 30; ++i) pair.round();
    ASSERT_EQ(document(0).at("a"), "2") << "the merge has arrived";
    EXPECT_THAT(kept().fates, IsEmpty());
    EXPECT_TRUE(pair.alerted(0, "divergence"));
    pair.hold_disk(1, false);
    ASSERT_TRUE(pair.settle());
    EXPECT_FALSE(kept().open);
}

TEST_F(DivergenceTest, AForkThatTheMasterDoesNotKnowDecidesNothing) {
    // As after a reset and an invitation by another master.
    Log other{&simulation::quick_hash};
    other.append(1, edit_of({{"a", "0"}}));
    const Position fork = other.last();
    const auto base = other.document();
    other.append(1, edit_of({{"c", "7"}}));
    const auto edits = summarize(fork, true, base, other.document(), {other.entries().back()});
    pair.tell(1, fact::DivergenceLoaded{edits, {}, {}});
    const auto before = pair.node(0).log().last();
    for (int i = 0; i < 30; ++i) pair.round();
    EXPECT_EQ(pair.node(0).log().last(), before);
    EXPECT_TRUE(pair.alerted(1, "divergence"));
}

TEST_F(DivergenceTest, ATwinOfTheSameEpochLosesNothing) {
    // Without a gateway two instances can take the same number: what is shared cannot be told then.
    pair.cut();
    pair.restart(0);
    for (int i = 0; i < 20; ++i) pair.round();
    EXPECT_EQ(pair.take_over(1).verdict, Verdict::done);
    ASSERT_EQ(pair.node(0).serving(), pair.node(1).serving());
    pair.edit(0, {{"a", "2"}}, "left");
    pair.edit(1, {{"a", "3"}}, "right");
    pair.edit(1, {{"b", "3"}}, "right-2");
    pair.heal();
    ASSERT_TRUE(pair.settle());
    EXPECT_EQ(document(0), document(1));
    EXPECT_THAT(pair.saved_ops(), testing::Contains(pair.master() == 0 ? "right" : "left"));
}

}  // namespace
}  // namespace umbra::core
