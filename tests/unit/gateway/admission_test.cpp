#include "admission.hpp"

#include <gtest/gtest.h>

#include <deque>

namespace umbra::gateway {
namespace {

boost::asio::ip::address from(const char* text) { return boost::asio::ip::make_address(text); }

class AdmissionTest : public ::testing::Test {
protected:
    std::optional<Refusal> come(const char* address, const std::string& way = "a") {
        Admission::Place place;
        const auto refused = admission.admit(way, from(address), place);
        if (!refused) inside.push_back(std::move(place));
        return refused;
    }
    std::uint64_t refused(const char* way, Refusal refusal) {
        return admission.tally(way)->refused[static_cast<std::size_t>(refusal)];
    }
    Admission admission;
    std::deque<Admission::Place> inside;
};

TEST_F(AdmissionTest, AWayInTakesAsManyAsItsLimitAndNotOneMore) {
    admission.set("a", {.clients = 2});
    admission.set("b", {});
    EXPECT_FALSE(come("10.0.0.1"));
    EXPECT_FALSE(come("10.0.0.2"));
    EXPECT_EQ(come("10.0.0.3"), Refusal::clients);
    EXPECT_FALSE(come("10.0.0.3", "b")) << "another way in has places of its own";
    EXPECT_EQ(refused("a", Refusal::clients), 1u);
    EXPECT_EQ(admission.tally("a")->clients, 2u);
    inside.pop_front();
    EXPECT_FALSE(come("10.0.0.3")) << "who leaves makes room";
}

TEST_F(AdmissionTest, OneSourceTakesNoMoreThanItsShare) {
    admission.set("a", {.per_source = 2});
    EXPECT_FALSE(come("10.0.0.1"));
    EXPECT_FALSE(come("10.0.0.1"));
    EXPECT_EQ(come("10.0.0.1"), Refusal::per_source);
    EXPECT_FALSE(come("10.0.0.2")) << "nobody else suffers";
    EXPECT_EQ(admission.now(), 3u) << "who was turned away keeps no place";
    inside.pop_front();
    EXPECT_FALSE(come("10.0.0.1"));
}

TEST_F(AdmissionTest, LimitsInTotalHoldOverAllWays) {
    admission.set("a", {});
    admission.set("b", {});
    admission.limit(3, 2);
    EXPECT_FALSE(come("10.0.0.1", "a"));
    EXPECT_FALSE(come("10.0.0.1", "b"));
    EXPECT_EQ(come("10.0.0.1", "a"), Refusal::per_source);
    EXPECT_FALSE(come("10.0.0.2", "a"));
    EXPECT_EQ(come("10.0.0.3", "b"), Refusal::clients);
    admission.limit(0, 0);
    EXPECT_FALSE(come("10.0.0.1", "a"));
}

TEST_F(AdmissionTest, WhoIsNotAllowedLearnsNothingElse) {
    admission.set("a", {.allow = {*Network::parse("10.0.0.0/8")}, .clients = 1});
    EXPECT_FALSE(come("10.0.0.1"));
    EXPECT_EQ(come("192.0.2.1"), Refusal::network);
    EXPECT_EQ(come("10.0.0.2"), Refusal::clients);
    EXPECT_EQ(refused("a", Refusal::network), 1u);
}

TEST_F(AdmissionTest, AnAddressThatIsKnownLaterIsJudgedLater) {
    admission.set("a", {.allow = {*Network::parse("10.0.0.0/8")}, .per_source = 1});
    Admission::Place first, second, third;
    ASSERT_FALSE(admission.enter("a", first));
    ASSERT_FALSE(admission.enter("a", second));
    ASSERT_FALSE(admission.enter("a", third));
    EXPECT_FALSE(admission.identify(first, from("10.0.0.1")));
    EXPECT_EQ(admission.identify(second, from("10.0.0.1")), Refusal::per_source);
    EXPECT_EQ(admission.identify(third, from("192.0.2.1")), Refusal::network);
    second = {};
    third = {};
    EXPECT_EQ(admission.now(), 1u);
    EXPECT_EQ(admission.tally("a")->clients, 1u);
}

TEST_F(AdmissionTest, OtherRulesLeaveThoseInsideWhereTheyAre) {
    admission.set("a", {});
    EXPECT_FALSE(come("10.0.0.1"));
    EXPECT_FALSE(come("10.0.0.1"));
    admission.set("a", {.clients = 1});
    EXPECT_EQ(admission.tally("a")->now, 2u);
    EXPECT_EQ(come("10.0.0.1"), Refusal::clients);
    admission.remove("a");
    EXPECT_EQ(come("10.0.0.1"), Refusal::clients) << "there is no such way";
    EXPECT_EQ(admission.now(), 2u);
    inside.clear();
    EXPECT_EQ(admission.now(), 0u);
}

TEST_F(AdmissionTest, APlaceMayOutliveEverythingElse) {
    Admission::Place place;
    {
        Admission shortly;
        shortly.set("a", {});
        ASSERT_FALSE(shortly.admit("a", from("::1"), place));
    }
    ++place.tally()->served;
    Admission::Place other = std::move(place);
    EXPECT_EQ(place.tally(), nullptr);
    EXPECT_EQ(other.tally()->served, 1u);
}

}  // namespace
}  // namespace umbra::gateway
