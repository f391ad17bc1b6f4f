#include "permits.hpp"

#include "settings.hpp"

#include <gtest/gtest.h>

namespace umbra::zeromq {
namespace {

TEST(PermitsTest, ThePeerMayDoBothAGuestMayAskAndNobodyElseMayAnything) {
    Permits permits;
    permits.set("peer", {"guest"});
    EXPECT_EQ(permits.judge(respond_domain, "peer", ""), Verdict::permitted);
    EXPECT_EQ(permits.judge(publish_domain, "peer", ""), Verdict::permitted);
    EXPECT_EQ(permits.judge(respond_domain, "guest", ""), Verdict::permitted);
    EXPECT_EQ(permits.judge(publish_domain, "guest", "10.0.0.9"), Verdict::unknown);
    EXPECT_EQ(permits.judge(respond_domain, "other", "10.0.0.9"), Verdict::unknown);
    EXPECT_EQ(permits.judge("", "peer", ""), Verdict::unknown);
    EXPECT_FALSE(permits.allows(respond_domain, ""));
    EXPECT_FALSE(permits.is_peer("guest"));
    const auto strangers = permits.take_strangers();
    EXPECT_EQ(strangers.count, 3u);
    EXPECT_EQ(permits.take_strangers().count, 0u);
}

TEST(PermitsTest, AnUnpairedInstancePermitsNobodyNotEvenAnEmptyKey) {
    Permits permits;
    permits.set("", {});
    EXPECT_FALSE(permits.allows(publish_domain, ""));
    EXPECT_FALSE(permits.is_peer(""));
    EXPECT_EQ(permits.judge(respond_domain, "", ""), Verdict::unknown);
}

TEST(PermitsTest, AKeyThatWasPermittedIsRevokedUntilItIsPermittedAgain) {
    Permits permits;
    permits.set("peer", {"guest"});
    permits.set("next", {});
    EXPECT_EQ(permits.judge(respond_domain, "peer", ""), Verdict::revoked);
    EXPECT_EQ(permits.judge(respond_domain, "guest", ""), Verdict::revoked);
    permits.set("peer", {});
    EXPECT_EQ(permits.judge(respond_domain, "peer", ""), Verdict::permitted);
    EXPECT_EQ(permits.judge(respond_domain, "next", ""), Verdict::revoked);
}

TEST(PermitsTest, AGuestThatBecomesThePeerIsNotRevoked) {
    Permits permits;
    permits.set("", {"key"});
    permits.set("key", {});
    EXPECT_EQ(permits.judge(publish_domain, "key", ""), Verdict::permitted);
}

TEST(PermitsTest, TheKeyOfTheSelfTestIsRefusedAndNotCountedAsAStranger) {
    Permits permits;
    permits.begin_self_test("test");
    permits.set("test", {});  // not even when it is permitted
    EXPECT_EQ(permits.judge(respond_domain, "test", ""), Verdict::revoked);
    EXPECT_EQ(permits.end_self_test(), 1);
    EXPECT_EQ(permits.take_strangers().count, 0u);
}

TEST(PermitsTest, ManyOneTimeKeysDoNotGrowTheMemoryOfRevokedOnes) {
    Permits permits;
    for (std::size_t i = 0; i <= revoked_max; ++i) permits.set("", {std::to_string(i)});
    permits.set("", {});
    EXPECT_EQ(permits.judge(respond_domain, std::to_string(revoked_max - 1), ""), Verdict::revoked);
    EXPECT_EQ(permits.judge(respond_domain, std::to_string(revoked_max), ""), Verdict::unknown);
}

}  // namespace
}  // namespace umbra::zeromq
