// R4 to R8: who a node is, who is in sync, who is told, and a record that was lost.

#include "register_fixture.hpp"

#include <gmock/gmock.h>

namespace umbra::gateway {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// --- R4: who is who -----------------------------------------------------------------------------

TEST_F(RegisterTest, R4AnotherLinkOfTheSameProcessIsWelcome) {
    pair_runs();
    const auto effects = connect("alpha");
    ASSERT_EQ(effects.size(), 1u);
    EXPECT_EQ(std::get<effect::Welcome>(effects.front()).view.holder, "alpha");
}

TEST_F(RegisterTest, R4AnotherDiskUnderTheSameNameIsRefusedWithAnAlert) {
    pair_runs();
    const auto effects = connect("alpha", 2, 0, "copy");
    ASSERT_EQ(all<effect::Refuse>(effects).size(), 1u);
    EXPECT_THAT(all<effect::Refuse>(effects).front().text, HasSubstr("another data directory"));
    EXPECT_EQ(all<effect::Alert>(effects).size(), 1u);
    EXPECT_TRUE(reg.may_activate("alpha", boot(1), 1)) << "the first one goes on";
}

TEST_F(RegisterTest, R4ARestartedProcessReplacesTheLinksOfTheOldOne) {
    pair_runs();
    const auto effects = connect("alpha", 2, 1);
    EXPECT_EQ(all<effect::CutLinks>(effects), (std::vector{effect::CutLinks{"alpha", boot(1)}}));
    EXPECT_EQ(all<effect::Welcome>(effects).size(), 1u);
    EXPECT_THAT(disconnect("alpha", 1), IsEmpty()) << "the old one closing means nothing";
    EXPECT_TRUE(reg.view(now).holder_alive);
}

TEST_F(RegisterTest, R4AProcessThatWasReplacedMayNotComeBack) {
    pair_runs();
    connect("alpha", 2, 1);
    const auto effects = connect("alpha", 1, 1);
    ASSERT_EQ(all<effect::Refuse>(effects).size(), 1u);
    EXPECT_THAT(all<effect::Refuse>(effects).front().text, HasSubstr("two processes"));
    EXPECT_EQ(all<effect::Alert>(effects).size(), 1u);
}

TEST_F(RegisterTest, R4AFreshDiskIsWelcomeOnceTheOldOneIsGoneButNoLongerTheHolder) {
    pair_runs();
    disconnect("alpha");
    const auto effects = connect("alpha", 2, 0, "newdisk");
    EXPECT_EQ(all<effect::Welcome>(effects).size(), 1u);
    EXPECT_THAT(all<effect::Alert>(effects), testing::SizeIs(1));
    EXPECT_FALSE(reg.view(now).holder_alive);
    EXPECT_FALSE(reg.may_activate("alpha", boot(2), 1));
    EXPECT_EQ(disk.back().incarnations.at("alpha"), "alpha-newdisk");
    pass(settings.return_grace);
    EXPECT_TRUE(claim("beta", 2).granted);
}

TEST_F(RegisterTest, R4HelloWithImpossibleNamesIsRefused) {
    for (const auto& node : {std::string(), std::string(name_bytes_max + 1, 'n')})
        EXPECT_EQ(all<effect::Refuse>(tell(fact::Connected{node, "i", boot(1), 0})).size(), 1u);
    EXPECT_EQ(all<effect::Welcome>(
                  tell(fact::Connected{std::string(name_bytes_max, 'n'), "i", boot(1), 0}))
                  .size(),
              1u);
    EXPECT_EQ(all<effect::Refuse>(connect("alpha", 1, epoch_max + 1)).size(), 1u);
}

// --- R5: the in-sync set ------------------------------------------------------------------------

TEST_F(RegisterTest, R5OnlyTheHolderChangesTheSetAndOnlyInItsEpoch) {
    pair_runs();
    EXPECT_FALSE(in_sync("beta", 1, 2, {beta}).ok);
    EXPECT_FALSE(in_sync("alpha", 2, 2, {alpha}).ok);
    EXPECT_TRUE(in_sync("alpha", 1, 2, {alpha}).ok);
    EXPECT_EQ(reg.record().in_sync, std::set{alpha});
}

TEST_F(RegisterTest, R5AnOlderChangeIsRefused) {
    pair_runs();
    ASSERT_TRUE(in_sync("alpha", 1, 7, {alpha}).ok);
    const auto late = in_sync("alpha", 1, 6, {alpha, beta});
    EXPECT_FALSE(late.ok);
    EXPECT_THAT(late.text, HasSubstr("older than change 7"));
    EXPECT_FALSE(in_sync("alpha", 1, 7, {alpha, beta}).ok);
    EXPECT_EQ(reg.record().in_sync, std::set{alpha});
}

TEST_F(RegisterTest, R5AChangeThatIsRepeatedIsConfirmedAgain) {
    pair_runs();
    const auto stores = disk.size();
    EXPECT_TRUE(in_sync("alpha", 1, 1, {alpha, beta}).ok);
    EXPECT_EQ(disk.size(), stores);
}

TEST_F(RegisterTest, R5AChangeIsOnDiskBeforeItIsConfirmed) {
    pair_runs();
    disk_works = false;
    const auto asked = tell(fact::InSyncAsked{"alpha", 9, 1, 2, {alpha}});
    EXPECT_THAT(all<effect::AnswerInSync>(asked), IsEmpty());
    EXPECT_TRUE(reg.record().in_sync.contains(beta));
    EXPECT_EQ(all<effect::AnswerInSync>(tell(fact::Stored{})).size(), 1u);
    EXPECT_FALSE(reg.record().in_sync.contains(beta));
}

TEST_F(RegisterTest, R5ASetWithoutItsHolderOrOfTooManyIsRefused) {
    pair_runs();
    EXPECT_FALSE(in_sync("alpha", 1, 2, {beta}).ok);
    EXPECT_FALSE(in_sync("alpha", 1, 2, {alpha, Member{"beta", ""}}).ok);
    std::set<Member> many{alpha};
    while (many.size() < members_max) many.insert(Member{std::to_string(many.size()), "x"});
    EXPECT_TRUE(in_sync("alpha", 1, 2, many).ok);
    many.insert(Member{"past", "x"});
    EXPECT_FALSE(in_sync("alpha", 1, 3, many).ok);
}

TEST_F(RegisterTest, R5AnOperatorAdmitsAMemberWhenAllOthersLostTheirDisks) {
    pair_runs();
    ASSERT_TRUE(in_sync("alpha", 1, 2, {alpha}).ok);
    disconnect("alpha");
    pass(1s);
    ASSERT_FALSE(claim("beta", 2).granted);
    const auto answers = all<effect::AnswerAdmit>(tell(fact::Admitted{"beta", 5}));
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_TRUE(answers.front().ok);
    EXPECT_TRUE(claim("beta", 2).granted);
    EXPECT_FALSE(all<effect::AnswerAdmit>(tell(fact::Admitted{"gamma", 6})).front().ok);
}

// --- R6 is the server's; R7: told at once -------------------------------------------------------

TEST_F(RegisterTest, R7TheOthersAreToldOfAClosedHolderAtOnceAndAgainWhenItIsGone) {
    pair_runs();
    const auto closed = all<effect::PushHolderLost>(disconnect("alpha"));
    ASSERT_EQ(closed.size(), 1u);
    EXPECT_EQ(closed.front().node, "beta");
    EXPECT_FALSE(closed.front().gone);
    EXPECT_FALSE(closed.front().view.holder_alive);
    EXPECT_EQ(reg.next_deadline(), now + settings.return_grace);
    const auto gone = all<effect::PushHolderLost>(pass(settings.return_grace));
    ASSERT_EQ(gone.size(), 1u);
    EXPECT_TRUE(gone.front().gone);
    EXPECT_EQ(reg.next_deadline(), std::nullopt);
    EXPECT_THAT(pass(1h), IsEmpty()) << "once is enough";
}

TEST_F(RegisterTest, R7TheOthersAreToldOfASilentHolderAndOfItsReturn) {
    pair_runs();
    EXPECT_EQ(reg.next_deadline(), now + settings.lease);
    const auto silent = all<effect::PushHolderLost>(pass(settings.lease, {"beta"}));
    ASSERT_EQ(silent.size(), 1u);
    EXPECT_TRUE(silent.front().gone);
    const auto back = all<effect::PushRegister>(tell(fact::Heard{"alpha", now}));
    ASSERT_EQ(back.size(), 1u);
    EXPECT_EQ(back.front().node, "beta");
    EXPECT_TRUE(back.front().view.holder_alive);
}

TEST_F(RegisterTest, R7AReturnedHolderIsAnnounced) {
    pair_runs();
    disconnect("alpha");
    const auto pushed = all<effect::PushRegister>(connect("alpha"));
    ASSERT_EQ(pushed.size(), 1u);
    EXPECT_EQ(pushed.front().node, "beta");
    EXPECT_TRUE(pushed.front().view.holder_alive);
}

TEST_F(RegisterTest, R7AClaimantThatDiesBeforeItsAnswerIsAnnouncedAsLost) {
    pair_runs();
    disk_works = false;
    tell(fact::Claimed{"beta", 1, 2, ClaimReason::forced});
    disconnect("beta");
    const auto lost = all<effect::PushHolderLost>(tell(fact::Stored{}));
    ASSERT_EQ(lost.size(), 1u);
    EXPECT_EQ(lost.front().node, "alpha");
    EXPECT_EQ(lost.front().view.holder, "beta");
}

// --- R8: a lost record --------------------------------------------------------------------------

TEST_F(RegisterTest, R8ALostRecordGrantsNothingUntilAllMembersHaveReported) {
    reg = make({}, true);
    connect("alpha", 1, 4);
    EXPECT_TRUE(reg.rebuilding());
    EXPECT_EQ(reg.missing_reports(), std::set<std::string>{"beta"});
    for (const Epoch epoch : {1u, 5u, 9u}) {
        const auto answer = claim("alpha", epoch, ClaimReason::forced);
        EXPECT_FALSE(answer.granted);
        EXPECT_THAT(answer.text, HasSubstr("beta"));
    }
    EXPECT_THAT(disk, IsEmpty()) << "a restart must still find it lost";
    connect("beta", 1, 3);
    EXPECT_FALSE(reg.rebuilding());
    EXPECT_EQ(disk.back().epoch, 4u);
    EXPECT_EQ(disk.back().holder, Member{});
    EXPECT_EQ(disk.back().in_sync, std::set{alpha}) << "who reported the highest";
    EXPECT_FALSE(claim("alpha", 4).granted);
    EXPECT_FALSE(claim("beta", 5).granted);
    EXPECT_TRUE(claim("alpha", 5).granted);
}

TEST_F(RegisterTest, R8ANodeThatKnowsAHigherEpochProvesTheRecordOld) {
    pair_runs();
    reg = make(disk.back());
    connect("alpha", 1, 1);
    ASSERT_FALSE(reg.rebuilding());
    connect("beta", 1, 6);
    EXPECT_FALSE(reg.rebuilding()) << "both have reported by now";
    EXPECT_EQ(reg.record().epoch, 6u);
    EXPECT_EQ(reg.record().in_sync, std::set{beta});
    EXPECT_FALSE(reg.may_activate("alpha", boot(1), 1));
}

TEST_F(RegisterTest, R8AClaimAboveTheNextEpochIsRefusedAndTakenAsAReport) {
    pair_runs();
    const auto answer = claim("beta", 9, ClaimReason::forced);
    EXPECT_FALSE(answer.granted);
    EXPECT_EQ(answer.view.epoch, 1u);
    EXPECT_THAT(answer.text, HasSubstr("granted epoch 1 last"));
    EXPECT_EQ(reg.record().epoch, 8u);
    EXPECT_FALSE(claim("beta", epoch_max + 1, ClaimReason::forced).granted);
    EXPECT_EQ(reg.record().epoch, 8u);
}

TEST_F(RegisterTest, R8ARemovedMemberIsNotWaitedFor) {
    reg = make({}, true);
    connect("alpha", 1, 4);
    ASSERT_TRUE(reg.rebuilding());
    const auto effects = tell(fact::Removed{"beta"});
    EXPECT_FALSE(reg.rebuilding());
    EXPECT_EQ(all<effect::PushRegister>(effects).size(), 1u);
    EXPECT_TRUE(claim("alpha", 5).granted);
}

TEST_F(RegisterTest, R8ADamagedCopyIsBelievedWhenNobodyKnowsMore) {
    pair_runs();
    reg = make(disk.back(), true);
    connect("alpha", 1, 1);
    connect("beta", 1, 1);
    EXPECT_FALSE(reg.rebuilding());
    EXPECT_EQ(reg.record().holder, alpha);
    EXPECT_EQ(reg.record().in_sync, (std::set{alpha, beta}));
}

TEST_F(RegisterTest, R8TheFirstHolderAfterALostRecordIsAloneInSync) {
    reg = make({}, true);
    connect("alpha", 1, 4);
    connect("beta", 1, 4);
    ASSERT_EQ(reg.record().in_sync, (std::set{alpha, beta})) << "both may be the last master";
    ASSERT_TRUE(claim("alpha", 5).granted);
    EXPECT_EQ(reg.record().in_sync, std::set{alpha})
        << "nobody knows whether beta has what alpha acknowledged alone";
}

TEST_F(RegisterTest, R8ANewPairIsNotALostOne) {
    reg = make({}, true, {});
    connect("alpha");
    EXPECT_FALSE(reg.rebuilding());
    EXPECT_TRUE(claim("alpha", 1, ClaimReason::first).granted);
}

TEST_F(RegisterTest, EqualFactsGiveEqualEffects) {
    pair_runs();
    Register twin = reg;
    EXPECT_EQ(twin, reg);
    const Fact fact = fact::Disconnected{"alpha", boot(1)};
    EXPECT_EQ(twin.step(now, fact), reg.step(now, fact));
    EXPECT_EQ(twin, reg);
}

}  // namespace
}  // namespace umbra::gateway
