// R1 to R3: who is granted an epoch, when its holder is gone, what an epoch is good for.

#include "register_fixture.hpp"

#include <gmock/gmock.h>

namespace umbra::gateway {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

// --- R1: who may be granted, and only from disk -------------------------------------------------

TEST_F(RegisterTest, R1TheVeryFirstClaimIsGrantedToWhoeverAsks) {
    connect("alpha");
    connect("beta");
    const auto answer = claim("beta", 1, ClaimReason::first);
    EXPECT_TRUE(answer.granted);
    EXPECT_EQ(answer.view.epoch, 1u);
    EXPECT_EQ(answer.view.holder, "beta");
    EXPECT_TRUE(answer.view.holder_alive);
    EXPECT_EQ(answer.view.in_sync, std::vector<Member>{beta});
    EXPECT_EQ(answer.view.in_sync_seq, 0u);
    EXPECT_EQ(disk.back().holder, beta);
}

TEST_F(RegisterTest, R1AnEpochThatWasGrantedIsRefusedWithItsHolderNamed) {
    pair_runs();
    const auto answer = claim("beta", 1);
    EXPECT_FALSE(answer.granted);
    EXPECT_THAT(answer.text, HasSubstr("alpha holds epoch 1"));
    EXPECT_FALSE(claim("alpha", 1).granted) << "not even its holder gets it twice";
    EXPECT_FALSE(claim("beta", 0).granted);
}

TEST_F(RegisterTest, R1TheRecordIsOnDiskBeforeTheAnswerLeaves) {
    connect("alpha");
    disk_works = false;
    const auto asked = tell(fact::Claimed{"alpha", 7, 1, ClaimReason::first});
    EXPECT_EQ(all<effect::Store>(asked).size(), 1u);
    EXPECT_THAT(all<effect::AnswerClaim>(asked), IsEmpty());
    EXPECT_EQ(reg.view(now).epoch, 0u) << "nobody is told of what is not on disk";
    EXPECT_FALSE(reg.may_activate("alpha", boot(1), 1));
    const auto stored = tell(fact::Stored{});
    ASSERT_EQ(all<effect::AnswerClaim>(stored).size(), 1u);
    EXPECT_TRUE(all<effect::AnswerClaim>(stored).front().granted);
    EXPECT_TRUE(reg.may_activate("alpha", boot(1), 1));
}

TEST_F(RegisterTest, R1OfTwoClaimsInOneStoreTheSecondIsRefused) {
    connect("alpha");
    connect("beta");
    disk_works = false;
    tell(fact::Claimed{"alpha", 1, 1, ClaimReason::first});
    const auto second = tell(fact::Claimed{"beta", 2, 1, ClaimReason::first});
    EXPECT_THAT(second, IsEmpty()) << "it waits for the store";
    const auto answers = all<effect::AnswerClaim>(tell(fact::Stored{}));
    ASSERT_EQ(answers.size(), 2u);
    EXPECT_TRUE(answers[0].granted);
    EXPECT_EQ(answers[0].node, "alpha");
    EXPECT_FALSE(answers[1].granted);
    EXPECT_THAT(answers[1].text, HasSubstr("alpha holds epoch 1"));
}

TEST_F(RegisterTest, R1WhoIsNotInSyncIsRefusedEvenWhenForced) {
    connect("alpha");
    connect("beta");
    ASSERT_TRUE(claim("alpha", 1, ClaimReason::first).granted);
    disconnect("alpha");
    pass(1h);
    for (const auto reason : {ClaimReason::peer_silent, ClaimReason::forced}) {
        const auto answer = claim("beta", 2, reason);
        EXPECT_FALSE(answer.granted);
        EXPECT_THAT(answer.text, HasSubstr("beta is not in sync"));
    }
}

TEST_F(RegisterTest, R1AnotherDiskOfAMemberIsNotThatMember) {
    pair_runs();
    disconnect("beta");
    connect("beta", 2, 0, "newdisk");
    disconnect("alpha");
    pass(1s);
    const auto answer = claim("beta", 2);
    EXPECT_FALSE(answer.granted);
    EXPECT_THAT(answer.text, HasSubstr("another data directory"));
}

TEST_F(RegisterTest, R1AnOperatorForcesAClaimWhileTheHolderIsAlive) {
    pair_runs();
    const auto answer = claim("beta", 2, ClaimReason::forced);
    EXPECT_TRUE(answer.granted);
    const auto fenced = all<effect::PushFenced>(last);
    ASSERT_EQ(fenced.size(), 1u);
    EXPECT_EQ(fenced.front().node, "alpha");
    EXPECT_FALSE(fenced.front().drain);
    EXPECT_EQ(all<effect::CutBelow>(last), (std::vector{effect::CutBelow{2, false}}));
    EXPECT_LT(place<effect::CutBelow>(last), place<effect::AnswerClaim>(last))
        << "nothing of the old epoch is routed when the new holder begins";
}

TEST_F(RegisterTest, R1ARestartedHolderClaimsTheNextEpochItself) {
    pair_runs();
    disconnect("alpha");
    connect("alpha", 2, 1);
    EXPECT_TRUE(claim("alpha", 2, ClaimReason::first).granted);
    EXPECT_EQ(reg.record().in_sync, (std::set{alpha, beta})) << "a grant leaves the set alone";
    EXPECT_EQ(reg.record().in_sync_seq, 0u) << "but the new holder counts from the beginning";
    EXPECT_THAT(all<effect::PushFenced>(last), IsEmpty());
    EXPECT_EQ(all<effect::PushRegister>(last).size(), 1u);
}

TEST_F(RegisterTest, R1ConsentLetsTheNamedSuccessorIn) {
    pair_runs();
    EXPECT_FALSE(claim("beta", 2, ClaimReason::handover).granted) << "no consent yet";
    ASSERT_TRUE(consent("alpha", 1, "beta").ok);
    EXPECT_TRUE(claim("beta", 2, ClaimReason::handover).granted);
    ASSERT_EQ(all<effect::PushFenced>(last).size(), 1u);
    EXPECT_TRUE(all<effect::PushFenced>(last).front().drain) << "its streams may finish";
    EXPECT_EQ(all<effect::CutBelow>(last), (std::vector{effect::CutBelow{2, true}}));
}

TEST_F(RegisterTest, R1ConsentEndsAfterItsTime) {
    pair_runs();
    ASSERT_TRUE(consent("alpha", 1, "").ok);
    pass(settings.consent_ttl - 1ns, {"alpha", "beta"});
    const Register before = reg;
    EXPECT_TRUE(claim("beta", 2, ClaimReason::handover).granted);
    reg = before;
    pass(1ns, {"alpha", "beta"});
    EXPECT_FALSE(claim("beta", 2, ClaimReason::handover).granted);
}

TEST_F(RegisterTest, R1ConsentOfAProcessThatRestartedIsVoid) {
    pair_runs();
    ASSERT_TRUE(consent("alpha", 1, "beta").ok);
    connect("alpha", 2, 1);
    EXPECT_FALSE(claim("beta", 2, ClaimReason::handover).granted);
}

TEST_F(RegisterTest, R1ConsentIsUsedUpByOneGrant) {
    pair_runs();
    ASSERT_TRUE(consent("alpha", 1, "").ok);
    ASSERT_TRUE(claim("beta", 2, ClaimReason::handover).granted);
    EXPECT_FALSE(claim("alpha", 3, ClaimReason::handover).granted);
}

TEST_F(RegisterTest, R1OnlyTheHolderConsentsAndOnlyToAMember) {
    pair_runs();
    EXPECT_FALSE(consent("beta", 1, "alpha").ok);
    EXPECT_FALSE(consent("alpha", 2, "beta").ok);
    EXPECT_THAT(consent("alpha", 1, "gamma").text, HasSubstr("gamma is not in sync"));
    EXPECT_FALSE(consent("alpha", 1, "alpha").ok);
}

TEST_F(RegisterTest, R1AClaimOfAProcessThatDiedMeanwhileIsDropped) {
    connect("alpha");
    connect("beta");
    disk_works = false;
    tell(fact::Claimed{"alpha", 1, 1, ClaimReason::first});
    tell(fact::Claimed{"beta", 2, 2, ClaimReason::forced});
    disconnect("beta");
    const auto answers = all<effect::AnswerClaim>(tell(fact::Stored{}));
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_EQ(answers.front().node, "alpha");
    EXPECT_EQ(reg.record().epoch, 1u);
}

TEST_F(RegisterTest, R1AClaimOfAProcessThatRestartedMeanwhileIsDropped) {
    connect("alpha");
    connect("beta");
    disk_works = false;
    tell(fact::Claimed{"beta", 1, 1, ClaimReason::first});
    tell(fact::Claimed{"beta", 2, 2, ClaimReason::first});
    connect("beta", 2);
    const auto answers = all<effect::AnswerClaim>(tell(fact::Stored{}));
    ASSERT_EQ(answers.size(), 1u) << "the second would be an answer to nobody";
    EXPECT_EQ(reg.record().epoch, 1u);
}

TEST_F(RegisterTest, R1RequestsThatWaitForTheDiskAreBounded) {
    connect("alpha");
    disk_works = false;
    tell(fact::Claimed{"alpha", 1, 1, ClaimReason::first});
    for (std::size_t i = 0; i < waiting_max; ++i)
        EXPECT_THAT(tell(fact::Claimed{"alpha", 2 + i, 2, ClaimReason::first}), IsEmpty());
    const auto past = all<effect::AnswerClaim>(tell(fact::Claimed{"alpha", 99, 2, {}}));
    ASSERT_EQ(past.size(), 1u);
    EXPECT_FALSE(past.front().granted);
    EXPECT_THAT(past.front().text, HasSubstr("too many requests"));
}

// --- R2: when the holder counts as gone ---------------------------------------------------------

TEST_F(RegisterTest, R2AHolderThatIsHeardKeepsItsEpochWhateverTheClaimantSays) {
    pair_runs();
    for (const auto reason : {ClaimReason::first, ClaimReason::peer_refused,
                              ClaimReason::peer_silent, ClaimReason::handover}) {
        pass(settings.lease - 1ns, {"beta"});
        const auto answer = claim("beta", 2, reason);
        EXPECT_FALSE(answer.granted);
        EXPECT_THAT(answer.text, HasSubstr("was heard 600 ms ago"));
        EXPECT_THAT(answer.text, HasSubstr("gone once it is silent for 600 ms"));
        pass(0ns, {"alpha", "beta"});
    }
}

TEST_F(RegisterTest, R2SilenceForTheLeaseMakesItGone) {
    pair_runs();
    pass(settings.lease - 1ns, {"beta"});
    EXPECT_FALSE(claim("beta", 2).granted);
    pass(1ns, {"beta"});
    EXPECT_TRUE(claim("beta", 2).granted);
}

TEST_F(RegisterTest, R2ClosedLinksMakeItGoneAfterTheGrace) {
    pair_runs();
    disconnect("alpha");
    const auto early = claim("beta", 2);
    EXPECT_FALSE(early.granted);
    EXPECT_THAT(early.text, HasSubstr("counts as gone in 200 ms"));
    pass(settings.return_grace - 1ns, {"beta"});
    EXPECT_FALSE(claim("beta", 2).granted);
    pass(1ns, {"beta"});
    EXPECT_TRUE(claim("beta", 2).granted);
}

TEST_F(RegisterTest, R2ClosedLinksAndARefusingHostMakeItGoneAtOnce) {
    pair_runs();
    EXPECT_FALSE(claim("beta", 2, ClaimReason::peer_refused).granted) << "its links are open";
    disconnect("alpha");
    EXPECT_TRUE(claim("beta", 2, ClaimReason::peer_refused).granted);
}

TEST_F(RegisterTest, R2AHolderThatIsBackIsNotGone) {
    pair_runs();
    disconnect("alpha");
    pass(settings.return_grace / 2, {"beta"});
    connect("alpha");
    pass(settings.return_grace, {"beta"});
    EXPECT_FALSE(claim("beta", 2).granted);
}

TEST_F(RegisterTest, R2AfterAStartOfTheGatewayTheHolderHasTimeToComeBack) {
    pair_runs();
    reg = make(disk.back());
    connect("beta");
    pass(settings.restart_grace - 1ns, {"beta"});
    EXPECT_FALSE(claim("beta", 2).granted);
    pass(1ns, {"beta"});
    EXPECT_TRUE(claim("beta", 2).granted);
}

TEST_F(RegisterTest, R2TimeInWhichTheGatewayStoodStillIsNotSilence) {
    pair_runs();
    now += 5s;
    tell(fact::Stalled{5s});
    EXPECT_FALSE(claim("beta", 2).granted);
    pass(settings.lease, {"beta"});
    EXPECT_TRUE(claim("beta", 2).granted);
}

// --- R3: what is of a lower epoch ---------------------------------------------------------------

TEST_F(RegisterTest, R3OnlyTheHolderActivatesAndOnlyItsEpoch) {
    pair_runs();
    EXPECT_TRUE(reg.may_activate("alpha", boot(1), 1));
    EXPECT_FALSE(reg.may_activate("alpha", boot(2), 1)) << "another process of it";
    EXPECT_FALSE(reg.may_activate("beta", boot(1), 1));
    EXPECT_FALSE(reg.may_activate("alpha", boot(1), 0));
    EXPECT_FALSE(reg.may_activate("alpha", boot(1), 2));
    ASSERT_TRUE(claim("beta", 2, ClaimReason::forced).granted);
    EXPECT_FALSE(reg.may_activate("alpha", boot(1), 1));
    EXPECT_TRUE(reg.may_activate("beta", boot(1), 2));
}

TEST_F(RegisterTest, R3ARestartOfTheGatewayKeepsTheEpoch) {
    pair_runs();
    ASSERT_TRUE(claim("beta", 2, ClaimReason::forced).granted);
    reg = make(disk.back());
    connect("alpha", 1, 1);
    EXPECT_FALSE(reg.may_activate("alpha", boot(1), 1));
    EXPECT_THAT(claim("alpha", 2).text, HasSubstr("beta holds epoch 2"));
}

// --- a gateway that follows the register of record -----------------------------------------------

TEST_F(RegisterTest, WhatTheRegisterOfRecordGrantedIsFollowed) {
    pair_runs();
    // The holder is alive here, nobody consented, and epochs were missed: decided elsewhere.
    const auto granted = claim("beta", 7, ClaimReason::follow);
    EXPECT_TRUE(granted.granted) << granted.text;
    EXPECT_EQ(all<effect::CutBelow>(last), (std::vector<effect::CutBelow>{{7, false}}));
    EXPECT_EQ(all<effect::PushFenced>(last).size(), 1u);
    EXPECT_FALSE(reg.rebuilding());
    EXPECT_TRUE(reg.may_activate("beta", boot(1), 7));
    for (const Epoch epoch : {6, 7})
        EXPECT_FALSE(claim("alpha", epoch, ClaimReason::follow).granted) << epoch;
    EXPECT_FALSE(claim("alpha", epoch_max + 1, ClaimReason::follow).granted);
}

TEST_F(RegisterTest, WhoMissedEpochsFollowsWithoutTheOtherNode) {
    Record record;
    record.serial = record.epoch = 1;
    record.holder = alpha;
    record.in_sync = {alpha};
    reg = make(record);
    // This gateway was away while beta took over; alpha is dead.
    connect("beta", 1, 5);
    EXPECT_TRUE(reg.rebuilding());
    EXPECT_FALSE(claim("beta", 6, ClaimReason::peer_silent).granted);
    EXPECT_TRUE(claim("beta", 5, ClaimReason::follow).granted);
    EXPECT_FALSE(reg.rebuilding());
    // Nobody is followed below what another node has reported.
    connect("alpha", 2, 9);
    EXPECT_FALSE(claim("beta", 8, ClaimReason::follow).granted);
}

TEST_F(RegisterTest, WhoLostItsRecordWaitsForAllReportsBeforeItFollows) {
    reg = make({}, true);
    connect("alpha", 1, 5);
    EXPECT_FALSE(claim("alpha", 5, ClaimReason::follow).granted);
    connect("beta", 1, 4);
    EXPECT_EQ(reg.record().epoch, 5u);
    EXPECT_TRUE(reg.record().holder.node.empty());
    EXPECT_TRUE(claim("alpha", 5, ClaimReason::follow).granted);
    EXPECT_FALSE(claim("beta", 5, ClaimReason::follow).granted);
}

TEST_F(RegisterTest, AConsentLetsStreamsEndAlsoWhereItIsFollowed) {
    pair_runs();
    ASSERT_TRUE(consent("alpha", 1, "").ok);
    ASSERT_TRUE(claim("beta", 2, ClaimReason::follow).granted);
    EXPECT_EQ(all<effect::CutBelow>(last), (std::vector<effect::CutBelow>{{2, true}}));
}

}  // namespace
}  // namespace umbra::gateway
