// What is concluded from the notes of other gateways, and from their silence.

#include <umbra/gateway/other_gateways.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace umbra::gateway {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr Duration hold = 8s;

GatewayNote note_of(Epoch epoch, bool hears = false) {
    GatewayNote note{"cloud-2", hold, {}};
    note.pairs["default"].epoch = epoch;
    note.pairs["default"].hears_holder = hears;
    return note;
}

class OtherGatewaysTest : public ::testing::Test {
protected:
    void read(Duration at, std::uint64_t revision, std::optional<GatewayNote> note,
              Duration took = {}) {
        others.read(Instant(at), Instant(at + took), {{"g/2", revision, std::move(note)}});
    }
    OtherGateways others;
};

TEST_F(OtherGatewaysTest, NobodyElseIsNoObstacle) {
    EXPECT_TRUE(others.passed("default", 7));
    EXPECT_EQ(others.about("default", 7), fact::HeardElsewhere{});
}

TEST_F(OtherGatewaysTest, AnEpochHasPassedWhenTheOtherHasSeenIt) {
    read(1h, 1, note_of(3, true));
    EXPECT_TRUE(others.passed("default", 3));
    EXPECT_FALSE(others.passed("default", 4));
    EXPECT_TRUE(others.passed("two", 4)) << "it does not serve that pair";
    read(1h + 1s, 2, note_of(4));
    EXPECT_TRUE(others.passed("default", 4));
}

TEST_F(OtherGatewaysTest, WhatItHearsCountsForTheEpochThatItKnows) {
    read(1h, 1, note_of(3, true));
    EXPECT_EQ(others.about("default", 3).heard_by, "cloud-2");
    EXPECT_THAT(others.about("default", 3).doubt, IsEmpty());
    EXPECT_THAT(others.about("default", 4).heard_by, IsEmpty());
    EXPECT_THAT(others.about("default", 4).doubt, HasSubstr("has not yet seen epoch 4"));
    EXPECT_THAT(others.about("two", 1).doubt, IsEmpty());
}

TEST_F(OtherGatewaysTest, SilenceIsDoubtedAndThenOver) {
    read(1h, 1, note_of(3, true));
    read(1h + doubt_after(hold) - 1ns, 1, note_of(3, true));
    EXPECT_THAT(others.about("default", 3).doubt, IsEmpty());
    read(1h + doubt_after(hold), 1, note_of(3, true));
    EXPECT_THAT(others.about("default", 3).doubt, HasSubstr("may still serve it"));
    EXPECT_EQ(others.about("default", 3).heard_by, "cloud-2");
    read(1h + gone_after(hold) - 1ns, 1, note_of(3, true));
    EXPECT_FALSE(others.passed("default", 4));
    EXPECT_THAT(others.gone(), IsEmpty());
    read(1h + gone_after(hold), 1, note_of(3, true));
    EXPECT_TRUE(others.passed("default", 4));
    EXPECT_EQ(others.about("default", 3), fact::HeardElsewhere{});
    EXPECT_EQ(others.gone().size(), 1u);
    EXPECT_GT(gone_after(hold), hold);
    // It comes back with another note.
    read(2h, 9, note_of(3, true));
    EXPECT_EQ(others.about("default", 3).heard_by, "cloud-2");
}

TEST_F(OtherGatewaysTest, OnlyWhatAQuestionShowedCountsAsSilence) {
    // The first answer took its time: the note may be from the end of it.
    read(1h, 1, note_of(3), 10s);
    read(1h + 10s + gone_after(hold) - 1ns, 1, note_of(3));
    EXPECT_FALSE(others.passed("default", 4));
    // This gateway slept for an hour; the other one wrote meanwhile.
    read(2h, 2, note_of(3));
    EXPECT_FALSE(others.passed("default", 4));
    // The answer to the next question comes late, the question was sent early.
    read(2h + 1s, 2, note_of(3), 1h);
    EXPECT_FALSE(others.passed("default", 4));
}

TEST_F(OtherGatewaysTest, ANoteThatCanNotBeReadIsWaitedForLongest) {
    read(1h, 1, std::nullopt);
    EXPECT_FALSE(others.passed("default", 1));
    EXPECT_THAT(others.about("default", 1).doubt, HasSubstr("of another version"));
    read(1h + gone_after(hold_max) - 1ns, 1, std::nullopt);
    EXPECT_FALSE(others.passed("default", 1));
    read(1h + gone_after(hold_max), 1, std::nullopt);
    EXPECT_TRUE(others.passed("default", 1));
}

TEST_F(OtherGatewaysTest, ConsentAndReportsArePassedOn) {
    auto note = note_of(3, true);
    note.pairs["default"].consent = true;
    note.pairs["default"].successor = "beta";
    note.pairs["default"].reports["beta"] = 3;
    read(1h, 1, note);
    const auto told = others.about("default", 3);
    EXPECT_EQ(told.consent, std::optional<Epoch>(3));
    EXPECT_EQ(told.successor, "beta");
    EXPECT_EQ(told.reports.at("beta"), 3u);
    EXPECT_EQ(others.about("default", 4).consent, std::nullopt);
}

}  // namespace
}  // namespace umbra::gateway
