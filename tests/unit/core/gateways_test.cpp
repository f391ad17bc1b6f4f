// One instance with tunnels to several gateways.

#include "core_support.hpp"

#include <gmock/gmock.h>

namespace umbra::core {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

/// With tunnels "backup" and "main" to gateways that arbitrate, and "plain" to one that does not.
class Gateways : public testing::Test {
protected:
    static void configure(Bench& node, const std::string& record) {
        TakeoverPolicy policy;
        policy.register_of_record = record;
        node.tell(fact::PolicyChanged{policy});
        node.tell(fact::TunnelsConfigured{{{"backup", true}, {"main", true}, {"plain", false}}});
        node.tell(fact::Paired{true});
    }
    static Effects up(Bench& node, const std::string& tunnel, RegisterView view,
                      const std::string& store = {}) {
        view.store = store;
        auto effects = node.tell(fact::RegisterSeen{tunnel, view, false});
        const auto more = node.tell(fact::TunnelChanged{tunnel, TunnelState::standby});
        effects.insert(effects.end(), more.begin(), more.end());
        return effects;
    }
    static std::vector<std::string> activated(const Effects& effects) {
        std::vector<std::string> names;
        for (const auto& one : all<effect::Activate>(effects)) names.push_back(one.tunnel);
        return names;
    }
    static Effects answer(Bench& node, const effect::Claim& claim, bool granted, RegisterView view,
                          const std::string& detail = {}) {
        return node.tell(fact::ClaimAnswered{claim.ask, granted, std::move(view), detail});
    }
    /// alpha is master of epoch 4, granted by "main"; all tunnels stand by.
    static Bench master() {
        Bench node("alpha", Role::master);
        configure(node, "main");
        up(node, "plain", {});
        const auto claims =
            all<effect::Claim>(up(node, "main", Bench::view_of(3, "alpha", false, {alpha, beta})));
        EXPECT_EQ(claims.size(), 1u);
        answer(node, claims.at(0), true, Bench::view_of(4, "alpha", true, {alpha, beta}));
        node.tell(fact::TunnelChanged{"main", TunnelState::active});
        return node;
    }
    /// beta follows alpha, master of epoch 1 at "main".
    static Bench shadow(const std::string& store = {}) {
        Bench node = shadow_in_sync();
        configure(node, "main");
        RegisterView view = alive_of_alpha();
        up(node, "main", view, store);
        up(node, "backup", view, store);
        return node;
    }
};

TEST_F(Gateways, TheRegisterOfRecordGrantsAndTheOthersFollow) {
    Bench node("alpha", Role::master);
    configure(node, "main");
    up(node, "plain", {});
    EXPECT_THAT(all<effect::Claim>(up(node, "backup", Bench::view_of(0, "", false, {}))),
                IsEmpty());
    auto effects = up(node, "main", Bench::view_of(3, "alpha", false, {alpha}));
    ASSERT_EQ(all<effect::Claim>(effects).size(), 1u);
    EXPECT_EQ(all<effect::Claim>(effects)[0].tunnel, "main");

    effects = answer(node, all<effect::Claim>(effects)[0], true,
                     Bench::view_of(4, "alpha", true, {alpha}));
    EXPECT_THAT(activated(effects), testing::ElementsAre("main", "plain"));
    const auto follow = all<effect::Claim>(effects);
    ASSERT_EQ(follow.size(), 1u);
    EXPECT_EQ(follow[0].tunnel, "backup");
    EXPECT_EQ(follow[0].epoch, 4u);
    EXPECT_EQ(follow[0].reason, ClaimReason::follow);
    EXPECT_EQ(node.node().serving(), 4u) << "it serves where it may, whatever the others say";

    effects = answer(node, follow[0], true, Bench::view_of(4, "alpha", true, {alpha}));
    EXPECT_THAT(activated(effects), testing::ElementsAre("backup"));
    EXPECT_THAT(all<effect::Claim>(node.wait(3s)), IsEmpty());
}

TEST_F(Gateways, WithoutANameTheFirstThatFencesIsTheRegister) {
    Bench node("alpha", Role::master);
    configure(node, "");
    EXPECT_THAT(all<effect::Claim>(up(node, "main", Bench::view_of(0, "", false, {}))), IsEmpty());
    const auto claims = all<effect::Claim>(up(node, "backup", Bench::view_of(0, "", false, {})));
    ASSERT_EQ(claims.size(), 1u);
    EXPECT_EQ(claims[0].tunnel, "backup");
}

TEST_F(Gateways, AGatewayThatDoesNotFollowIsAskedAgainAndToldOf) {
    Bench node = master();
    auto effects = up(node, "backup", Bench::view_of(0, "", false, {}));
    ASSERT_EQ(all<effect::Claim>(effects).size(), 1u);
    effects = answer(node, all<effect::Claim>(effects)[0], false,
                     Bench::view_of(9, "gamma", false, {}), "gamma holds epoch 9");
    ASSERT_EQ(all<effect::RaiseAlert>(effects).size(), 1u);
    EXPECT_THAT(all<effect::RaiseAlert>(effects)[0].text, HasSubstr("gamma holds epoch 9"));
    EXPECT_EQ(node.node().serving(), 4u) << "it never granted this one an epoch";
    effects = node.wait(3s);
    ASSERT_FALSE(all<effect::Claim>(effects).empty());
    EXPECT_LE(all<effect::Claim>(effects).size(), 3u);
    // One that gives no answer does not keep the question open.
    effects = node.tell(fact::ClaimFailed{all<effect::Claim>(effects).back().ask, "lost"});
    const auto more = node.wait(2s);
    effects.insert(effects.end(), more.begin(), more.end());
    EXPECT_FALSE(all<effect::Claim>(effects).empty());
}

TEST_F(Gateways, AHigherEpochWhereThisOneWasFollowedEndsItsRole) {
    Bench node = master();
    const auto follow =
        all<effect::Claim>(up(node, "backup", Bench::view_of(0, "", false, {}))).at(0);
    answer(node, follow, true, Bench::view_of(4, "alpha", true, {alpha}));
    node.tell(fact::TunnelChanged{"backup", TunnelState::active});
    node.tell(fact::TunnelChanged{"main", TunnelState::connecting});
    // beta was granted epoch 5 by the register of record, which alpha does not reach.
    node.tell(fact::RegisterSeen{"backup", Bench::view_of(5, "beta", true, {alpha, beta}), false});
    EXPECT_EQ(node.node().role(), Role::shadow);
    EXPECT_EQ(node.node().epoch(), 5u);
}

TEST_F(Gateways, ATunnelThatIsDownKeepsNobodyFromTakingOver) {
    Bench node = shadow();
    node.tell(fact::TunnelChanged{"backup", TunnelState::down});
    node.tell(fact::RegisterSeen{"main", lost_of_alpha(), true});
    const auto claims = all<effect::Claim>(node.tell(fact::PeerRefused{"refused"}));
    ASSERT_EQ(claims.size(), 1u);
    EXPECT_EQ(claims[0].tunnel, "main");
    answer(node, claims[0], true, Bench::view_of(2, "beta", true, {alpha, beta}));
    EXPECT_EQ(node.node().serving(), 2u);
    // When it is back, it follows.
    const auto follow = all<effect::Claim>(up(node, "backup", alive_of_alpha()));
    ASSERT_EQ(follow.size(), 1u);
    EXPECT_EQ(follow[0].epoch, 2u);
}

TEST_F(Gateways, WithoutItsRegisterOnlyAnOperatorTakesOver) {
    Bench node = shadow();
    node.tell(fact::TunnelChanged{"main", TunnelState::connecting});
    node.tell(fact::RegisterSeen{"backup", lost_of_alpha(), true});
    node.tell(fact::PeerRefused{"refused"});
    EXPECT_THAT(all<effect::Claim>(node.wait(30s)), IsEmpty());
    EXPECT_THAT(node.node().peer(node.now).detail, HasSubstr("the gateway of tunnel main"));

    const auto claims = all<effect::Claim>(node.tell(fact::SwitchRequested{1, true}));
    ASSERT_EQ(claims.size(), 1u);
    EXPECT_EQ(claims[0].tunnel, "backup");
    EXPECT_EQ(claims[0].reason, ClaimReason::forced);
    const auto effects =
        answer(node, claims[0], true, Bench::view_of(2, "beta", true, {alpha, beta}));
    EXPECT_THAT(activated(effects), testing::ElementsAre("backup"));
    // The register of record learns of it as soon as it is reached, and is not believed before.
    const auto follow = all<effect::Claim>(up(node, "main", alive_of_alpha()));
    ASSERT_EQ(follow.size(), 1u);
    EXPECT_EQ(follow[0].tunnel, "main");
    EXPECT_EQ(follow[0].reason, ClaimReason::follow);
    EXPECT_EQ(node.node().serving(), 2u);
    EXPECT_THAT(
        activated(answer(node, follow[0], true, Bench::view_of(2, "beta", true, {alpha, beta}))),
        testing::ElementsAre("main"));
    // From now on it is the register again.
    node.tell(fact::RegisterSeen{"main", Bench::view_of(3, "alpha", true, {alpha, beta}), false});
    EXPECT_EQ(node.node().role(), Role::shadow);
}

TEST_F(Gateways, OfGatewaysThatShareTheirRegisterAnyCanGrant) {
    Bench node = shadow("etcd-1");
    node.tell(fact::TunnelChanged{"main", TunnelState::connecting});
    auto lost = lost_of_alpha();
    lost.store = "etcd-1";
    node.tell(fact::RegisterSeen{"backup", lost, true});
    const auto claims = all<effect::Claim>(node.tell(fact::PeerRefused{"refused"}));
    ASSERT_EQ(claims.size(), 1u);
    EXPECT_EQ(claims[0].tunnel, "backup");
    auto granted = Bench::view_of(2, "beta", true, {alpha, beta});
    granted.store = "etcd-1";
    EXPECT_THAT(activated(answer(node, claims[0], true, granted)), testing::ElementsAre("backup"));
    // The other one knows by itself.
    const auto effects = up(node, "main", granted, "etcd-1");
    EXPECT_THAT(all<effect::Claim>(effects), IsEmpty());
    EXPECT_THAT(activated(effects), testing::ElementsAre("main"));
    // What either says of a higher epoch is what the register says.
    auto higher = Bench::view_of(3, "alpha", true, {alpha, beta});
    higher.store = "etcd-1";
    node.tell(fact::RegisterSeen{"backup", higher, false});
    EXPECT_EQ(node.node().role(), Role::shadow);
}

TEST_F(Gateways, OneStoreIsNotTakenForAnother) {
    Bench node = shadow("etcd-1");
    up(node, "backup", alive_of_alpha(), "etcd-2");
    node.tell(fact::TunnelChanged{"main", TunnelState::connecting});
    auto lost = lost_of_alpha();
    lost.store = "etcd-2";
    node.tell(fact::RegisterSeen{"backup", lost, true});
    node.tell(fact::PeerRefused{"refused"});
    EXPECT_THAT(all<effect::Claim>(node.wait(30s)), IsEmpty());
}

TEST_F(Gateways, AnotherRegisterOfRecordFollowsFirst) {
    Bench node = master();
    const auto follow =
        all<effect::Claim>(up(node, "backup", Bench::view_of(0, "", false, {}))).at(0);
    answer(node, follow, true, Bench::view_of(4, "alpha", true, {alpha}));
    node.tell(fact::TunnelChanged{"backup", TunnelState::active});
    configure(node, "backup");
    EXPECT_EQ(node.node().serving(), 4u);
    EXPECT_THAT(all<effect::Claim>(node.wait(3s)), IsEmpty()) << "it knows the epoch already";
    // One that is new has to be told; until then the master serves where it was.
    node.tell(fact::TunnelsConfigured{{{"another", true}, {"backup", true}, {"main", true}}});
    configure(node, "another");
    node.tell(fact::TunnelsConfigured{{{"another", true}, {"backup", true}, {"main", true}}});
    const auto told = all<effect::Claim>(up(node, "another", Bench::view_of(0, "", false, {})));
    ASSERT_EQ(told.size(), 1u);
    EXPECT_EQ(told[0].tunnel, "another");
    EXPECT_EQ(told[0].reason, ClaimReason::follow);
    EXPECT_EQ(node.node().role(), Role::master);
}

TEST_F(Gateways, AHandoverLetsTheStreamsOfAllGatewaysEnd) {
    Bench node = master();
    const auto follow =
        all<effect::Claim>(up(node, "backup", Bench::view_of(0, "", false, {}))).at(0);
    answer(node, follow, true, Bench::view_of(4, "alpha", true, {alpha}));
    node.tell(fact::TunnelChanged{"backup", TunnelState::active});
    const auto consents = all<effect::Consent>(node.tell(fact::SwitchRequested{1, true}));
    ASSERT_EQ(consents.size(), 2u);
    EXPECT_EQ(consents[0].tunnel, "main");
    EXPECT_EQ(consents[1].tunnel, "backup");
}

}  // namespace
}  // namespace umbra::core
