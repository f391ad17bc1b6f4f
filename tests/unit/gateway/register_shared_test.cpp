// A register whose record other gateways change as well.

#include "unit/gateway/register_fixture.hpp"

#include <gmock/gmock.h>

namespace umbra::gateway {
namespace {

using ::testing::HasSubstr;

class RegisterSharedTest : public RegisterTest {
protected:
    RegisterSharedTest() {
        settings.shared = true;
        reg = make();
        tell(fact::StoreReachable{""});
    }
    /// What another gateway would write on top of what is known here.
    [[nodiscard]] Record next(Epoch epoch, const Member& holder) const {
        Record record = reg.record();
        ++record.serial;
        record.epoch = epoch;
        record.holder = holder;
        return record;
    }
    void hears(const std::string& gateway) {
        fact::HeardElsewhere told;
        told.heard_by = gateway;
        last = tell(told);
    }
};

TEST_F(RegisterSharedTest, NothingIsGrantedBeforeTheStoreWasRead) {
    reg = make();
    connect("alpha");
    const auto refused = claim("alpha", 1, ClaimReason::first);
    EXPECT_FALSE(refused.granted);
    EXPECT_THAT(refused.text, HasSubstr("was not read yet"));
    EXPECT_TRUE(disk.empty());
    tell(fact::StoreReachable{""});
    EXPECT_EQ(disk.size(), 1u) << "the incarnation is stored now";
    EXPECT_TRUE(claim("alpha", 1, ClaimReason::first).granted);
}

TEST_F(RegisterSharedTest, AHigherEpochFromElsewhereFencesHere) {
    pair_runs();
    ASSERT_TRUE(reg.may_activate("alpha", boot(1), 1));
    const auto effects = tell(fact::RecordChanged{next(2, beta), true});
    EXPECT_EQ(all<effect::CutBelow>(effects), (std::vector<effect::CutBelow>{{2, true}}));
    const auto fenced = all<effect::PushFenced>(effects);
    ASSERT_EQ(fenced.size(), 1u);
    EXPECT_EQ(fenced.front().node, "alpha");
    EXPECT_TRUE(fenced.front().drain);
    EXPECT_LT(place<effect::CutBelow>(effects), place<effect::PushFenced>(effects));
    EXPECT_FALSE(reg.may_activate("alpha", boot(1), 1));
    EXPECT_TRUE(reg.may_activate("beta", boot(1), 2));
    EXPECT_EQ(reg.note(now).epoch, 2u);
}

TEST_F(RegisterSharedTest, AChangeOfTheSameEpochCutsNothing) {
    pair_runs();
    auto record = next(1, alpha);
    record.in_sync = {alpha};
    const auto effects = tell(fact::RecordChanged{record, false});
    EXPECT_TRUE(all<effect::CutBelow>(effects).empty());
    EXPECT_EQ(all<effect::PushRegister>(effects).size(), 2u);
    EXPECT_FALSE(claim("beta", 2, ClaimReason::forced).granted) << "it is not in sync any more";
}

TEST_F(RegisterSharedTest, WhoComesSecondIsDecidedAnew) {
    pair_runs();
    disk_works = false;
    const auto asked = tell(fact::Claimed{"beta", 7, 2, ClaimReason::forced});
    ASSERT_EQ(all<effect::Store>(asked).size(), 1u);
    EXPECT_TRUE(all<effect::AnswerClaim>(asked).empty());
    tell(fact::RecordChanged{next(2, alpha), false});
    const auto lost = tell(fact::StoreLost{});
    const auto answers = all<effect::AnswerClaim>(lost);
    ASSERT_EQ(answers.size(), 1u);
    EXPECT_FALSE(answers.front().granted);
    EXPECT_EQ(answers.front().view.holder, "alpha");
    EXPECT_TRUE(all<effect::Store>(lost).empty());
    // A change that does not matter to it only delays it.
    const auto again = tell(fact::Claimed{"beta", 8, 3, ClaimReason::forced});
    ASSERT_EQ(all<effect::Store>(again).size(), 1u);
    auto other = next(2, alpha);
    other.incarnations["gamma"] = "g";
    tell(fact::RecordChanged{other, false});
    const auto anew = tell(fact::StoreLost{});
    ASSERT_EQ(all<effect::Store>(anew).size(), 1u);
    EXPECT_EQ(all<effect::Store>(anew).front().record.serial, other.serial + 1);
    EXPECT_TRUE(all<effect::Store>(anew).front().record.incarnations.contains("gamma"));
    EXPECT_TRUE(all<effect::AnswerClaim>(tell(fact::Stored{})).front().granted);
}

TEST_F(RegisterSharedTest, AnUnreachableStoreAnswersEveryoneAndForgets) {
    pair_runs();
    disk_works = false;
    tell(fact::Claimed{"beta", 7, 2, ClaimReason::forced});
    tell(fact::InSyncAsked{"alpha", 8, 1, 2, {alpha}});
    const auto effects = tell(fact::StoreUnreachable{"etcd is away"});
    ASSERT_EQ(all<effect::AnswerClaim>(effects).size(), 1u);
    EXPECT_EQ(all<effect::AnswerClaim>(effects).front().text, "etcd is away");
    ASSERT_EQ(all<effect::AnswerInSync>(effects).size(), 1u);
    EXPECT_FALSE(all<effect::AnswerInSync>(effects).front().ok);
    EXPECT_FALSE(claim("beta", 2, ClaimReason::forced).granted);
    EXPECT_TRUE(reg.may_activate("alpha", boot(1), 1)) << "what was granted stays granted";
    // The store that nobody knew of had been done after all.
    tell(fact::RecordChanged{next(2, beta), false});
    tell(fact::StoreReachable{""});
    EXPECT_EQ(reg.record().epoch, 2u);
    disk_works = true;
    EXPECT_TRUE(claim("beta", 3, ClaimReason::first).granted);
}

TEST_F(RegisterSharedTest, AHolderThatAnotherGatewayHearsIsAlive) {
    pair_runs();
    hears("cloud-2");
    const auto effects = disconnect("alpha");
    EXPECT_TRUE(all<effect::PushHolderLost>(effects).empty());
    EXPECT_EQ(reg.next_deadline(), std::nullopt);
    pass(1h);
    for (const auto reason : {ClaimReason::peer_silent, ClaimReason::peer_refused}) {
        const auto refused = claim("beta", 2, reason);
        EXPECT_FALSE(refused.granted);
        EXPECT_TRUE(refused.view.holder_alive);
        EXPECT_THAT(refused.text, HasSubstr("gateway cloud-2 hears it"));
    }
    hears("");
    EXPECT_EQ(all<effect::PushHolderLost>(last).size(), 1u);
    EXPECT_FALSE(claim("beta", 2, ClaimReason::peer_silent).granted) << "it may come back";
    pass(settings.return_grace);
    EXPECT_TRUE(claim("beta", 2, ClaimReason::peer_silent).granted);
}

TEST_F(RegisterSharedTest, InDoubtNobodyIsGone) {
    pair_runs();
    disconnect("alpha");
    fact::HeardElsewhere doubt;
    doubt.doubt = "gateway cloud-2 may still serve it";
    tell(doubt);
    pass(1h);
    const auto refused = claim("beta", 2, ClaimReason::peer_refused);
    EXPECT_FALSE(refused.granted);
    EXPECT_THAT(refused.text, HasSubstr(doubt.doubt));
    EXPECT_TRUE(claim("beta", 2, ClaimReason::forced).granted);
}

TEST_F(RegisterSharedTest, AConsentCountsAtEveryGateway) {
    pair_runs();
    ASSERT_TRUE(consent("alpha", 1, "beta").ok);
    const auto note = reg.note(now);
    EXPECT_TRUE(note.consent);
    EXPECT_EQ(note.successor, "beta");
    EXPECT_TRUE(note.hears_holder);
    pass(settings.consent_ttl, {"alpha", "beta"});
    EXPECT_FALSE(reg.note(now).consent);

    fact::HeardElsewhere told;
    told.heard_by = "cloud-2";
    told.consent = 1;
    told.successor = "gamma";
    tell(told);
    EXPECT_FALSE(claim("beta", 2, ClaimReason::handover).granted);
    told.successor = "beta";
    tell(told);
    EXPECT_TRUE(claim("beta", 2, ClaimReason::handover).granted);
    // It was for that epoch only.
    EXPECT_FALSE(claim("alpha", 3, ClaimReason::handover).granted);
}

TEST_F(RegisterSharedTest, TheNameOfTheStoreIsInEveryView) {
    pair_runs();
    const auto effects = tell(fact::StoreReachable{"etcd-1"});
    ASSERT_EQ(all<effect::PushRegister>(effects).size(), 2u);
    EXPECT_EQ(all<effect::PushRegister>(effects).front().view.store, "etcd-1");
    EXPECT_TRUE(all<effect::PushRegister>(tell(fact::StoreReachable{"etcd-1"})).empty());
}

TEST_F(RegisterSharedTest, AStoreThatWentBackIsRebuiltFromWhatIsKnown) {
    pair_runs();
    ASSERT_TRUE(claim("beta", 2, ClaimReason::forced).granted);
    auto old = reg.record();
    old.serial = 1;
    old.epoch = 1;
    old.holder = alpha;
    disk.clear();
    const auto effects = tell(fact::RecordChanged{old, false});
    EXPECT_THAT(all<effect::Alert>(effects).front().text, HasSubstr("went back from epoch 2 to"));
    // Both nodes have reported; the record is stored again as it was.
    ASSERT_EQ(disk.size(), 1u);
    EXPECT_EQ(disk.front().epoch, 2u);
    EXPECT_EQ(disk.front().holder, beta);
    EXPECT_FALSE(reg.rebuilding());
}

TEST_F(RegisterSharedTest, ALostRecordWaitsForAllReportsAlsoFromElsewhere) {
    connect("alpha", 1, 4);
    tell(fact::RecordLost{});
    EXPECT_TRUE(reg.rebuilding());
    EXPECT_EQ(reg.missing_reports(), (std::set<std::string>{"beta"}));
    EXPECT_FALSE(claim("alpha", 5, ClaimReason::first).granted);
    fact::HeardElsewhere told;
    told.reports["beta"] = 6;
    tell(told);
    EXPECT_FALSE(reg.rebuilding());
    EXPECT_EQ(reg.record().epoch, 6u);
}

}  // namespace
}  // namespace umbra::gateway
