#include "integration/gateway/link_fixture.hpp"
#include "register_file.hpp"
#include "roster.hpp"

#include <fstream>

namespace umbra::gateway {
namespace {

class RegisterFileTest : public ::testing::Test {
protected:
    RegisterFile::Opened open(bool expected = true) {
        auto opened = RegisterFile::open(path, expected);
        if (!opened) throw std::runtime_error(opened.error().message);
        return std::move(opened).value();
    }
    static Record record(std::uint64_t serial) {
        Record made;
        made.serial = serial;
        made.epoch = serial + 100;
        made.holder = {"alpha", "a"};
        return made;
    }
    void damage(std::streamoff offset) {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekg(offset);
        const auto byte = static_cast<char>(file.get() ^ 1);
        file.seekp(offset);
        file.put(byte);
    }
    testing::TempDir dir;
    std::filesystem::path path = dir.path() / "default.rec";
};

TEST_F(RegisterFileTest, ANewPairBeginsEmptyAndIsExpectedAfterwards) {
    const auto first = open(false);
    EXPECT_FALSE(first.lost);
    EXPECT_EQ(first.record, Record{});
    const auto again = open(true);
    EXPECT_FALSE(again.lost);
}

TEST_F(RegisterFileTest, TheNewestRecordIsRead) {
    auto opened = open(false);
    for (std::uint64_t serial = 1; serial <= 5; ++serial) {
        ASSERT_TRUE(opened.file.store(record(serial)).ok());
        const auto again = open();
        EXPECT_EQ(again.record, record(serial));
        EXPECT_FALSE(again.lost);
    }
}

TEST_F(RegisterFileTest, AMissingOrEmptyFileThatWasExpectedIsLostAndStaysLost) {
    EXPECT_TRUE(open().lost);
    EXPECT_TRUE(open().lost);
}

TEST_F(RegisterFileTest, DamageOfEitherSlotIsNoticed) {
    auto opened = open(false);
    ASSERT_TRUE(opened.file.store(record(1)).ok());
    ASSERT_TRUE(opened.file.store(record(2)).ok());
    damage(20);
    EXPECT_TRUE(open().lost);
    EXPECT_EQ(open().record, record(1)) << "the other slot is what is left";
    damage(20);
    EXPECT_FALSE(open().lost);
    damage(static_cast<std::streamoff>(RegisterFile::slot_bytes) + 20);
    EXPECT_TRUE(open().lost);
    EXPECT_EQ(open().record, record(2));
}

TEST_F(RegisterFileTest, AnEmptySlotBesideARecordIsLostWhicheverItIs) {
    for (const std::uint64_t stores : {1u, 2u, 3u}) {
        std::filesystem::remove(path);
        auto opened = open(false);
        for (std::uint64_t serial = 1; serial <= stores; ++serial)
            ASSERT_TRUE(opened.file.store(record(serial)).ok());
        std::filesystem::resize_file(path, RegisterFile::slot_bytes);
        EXPECT_TRUE(open().lost) << stores << ": the second slot may have had the newer one";
        // What was reported by the nodes is stored, and counts from then on.
        auto rebuilt = open();
        ASSERT_TRUE(rebuilt.file.store(record(stores + 1)).ok());
        EXPECT_FALSE(open().lost);
        EXPECT_EQ(open().record, record(stores + 1));
    }
}

TEST_F(RegisterFileTest, ANewFileThatIsHalfMadeIsMadeAgain) {
    (void)open(false);
    std::filesystem::resize_file(path, RegisterFile::slot_bytes);
    EXPECT_FALSE(open(false).lost);
    EXPECT_FALSE(open(true).lost);
}

TEST_F(RegisterFileTest, AnImpossibleLengthIsDamageAndNotACrash) {
    auto opened = open(false);
    ASSERT_TRUE(opened.file.store(record(2)).ok());
    for (const std::streamoff byte : {0, 1, 2, 3}) {
        damage(byte);
        EXPECT_TRUE(open().lost);
        damage(byte);
    }
}

OpenInvitation invitation(std::uint8_t number, const std::string& node) {
    OpenInvitation made;
    made.id.fill(number);
    made.node = node;
    made.pair = "default";
    made.expires = 1000;
    return made;
}
const std::string pin = "sha256:" + std::string(64, 'a');

TEST(RosterTest, WhatIsWrittenIsRead) {
    Roster roster;
    ASSERT_TRUE(roster.invite(invitation(1, "alpha")).ok());
    ASSERT_TRUE(roster.invite(invitation(2, "beta")).ok());
    roster.enrol(invitation(1, "").id, pin, "2026-01-01T00:00:00Z");
    const auto back = Roster::parse(roster.to_json());
    ASSERT_TRUE(back.ok()) << back.error().message;
    EXPECT_EQ(back.value(), roster);
    EXPECT_EQ(roster.members("default"), std::set<std::string>{"alpha"});
    EXPECT_EQ(roster.pairs(), std::set<std::string>{"default"});
}

TEST(RosterTest, EveryTruncationIsRefused) {
    Roster roster;
    ASSERT_TRUE(roster.invite(invitation(1, "alpha")).ok());
    const auto text = roster.to_json();
    for (std::size_t length = 0; length + 1 < text.size(); ++length)
        EXPECT_FALSE(Roster::parse(std::string_view(text).substr(0, length)).ok()) << length;
}

TEST(RosterTest, NamesThatCouldLeaveTheDirectoryAreRefused) {
    Roster roster;
    ASSERT_TRUE(roster.invite(invitation(1, "../../etc")).ok());
    EXPECT_FALSE(Roster::parse(roster.to_json()).ok());
}

TEST(RosterTest, AnInvitationIsUsedUpByItsNode) {
    Roster roster;
    ASSERT_TRUE(roster.invite(invitation(1, "alpha")).ok());
    roster.enrol(invitation(1, "").id, pin, "now");
    EXPECT_EQ(roster.find_invitation(invitation(1, "").id), nullptr);
    ASSERT_NE(roster.find_pin(pin), nullptr);
    EXPECT_EQ(roster.find_pin(pin)->node, "alpha");
}

TEST(RosterTest, ANodeThatEnrolsAgainReplacesItsOldKey) {
    Roster roster;
    ASSERT_TRUE(roster.invite(invitation(1, "alpha")).ok());
    roster.enrol(invitation(1, "").id, pin, "now");
    ASSERT_TRUE(roster.invite(invitation(2, "alpha")).ok());
    roster.enrol(invitation(2, "").id, "sha256:" + std::string(64, 'b'), "later");
    EXPECT_EQ(roster.nodes().size(), 1u);
    EXPECT_EQ(roster.find_pin(pin), nullptr);
}

/// alpha has the key `pin`, beta has 'b'.
Roster two_nodes() {
    Roster roster;
    EXPECT_TRUE(roster.invite(invitation(1, "alpha")).ok());
    EXPECT_TRUE(roster.invite(invitation(2, "beta")).ok());
    roster.enrol(invitation(1, "").id, pin, "now");
    roster.enrol(invitation(2, "").id, "sha256:" + std::string(64, 'b'), "now");
    return roster;
}
const std::string next_pin = "sha256:" + std::string(64, 'c');

TEST(RosterTest, ANodeIsKnownByBothOfItsKeysUntilTheNewOneIsTheKey) {
    Roster roster = two_nodes();
    ASSERT_TRUE(roster.set_keys("default", "alpha", pin, {pin, next_pin}).ok());
    for (const auto& one : {pin, next_pin}) {
        ASSERT_NE(roster.find_pin(one), nullptr);
        EXPECT_EQ(roster.find_pin(one)->node, "alpha");
    }
    const auto back = Roster::parse(roster.to_json());
    ASSERT_TRUE(back.ok()) << back.error().message;
    EXPECT_EQ(back.value(), roster);
    ASSERT_TRUE(roster.set_keys("default", "alpha", pin, {next_pin, ""}).ok());
    EXPECT_EQ(roster.find_pin(pin), nullptr);
    EXPECT_NE(roster.find_pin(next_pin), nullptr);
    EXPECT_EQ(roster.find_pin(""), nullptr);
}

TEST(RosterTest, KeysAreNotTakenFromALinkOfAnOldKeyNorFromAnotherNode) {
    Roster roster = two_nodes();
    const Roster before = roster;
    const std::string of_beta = roster.find_node("default", "beta")->pin;
    EXPECT_FALSE(roster.set_keys("default", "alpha", next_pin, {pin, next_pin}).ok());
    EXPECT_FALSE(roster.set_keys("default", "alpha", pin, {pin, of_beta}).ok());
    EXPECT_FALSE(roster.set_keys("default", "alpha", pin, {of_beta, ""}).ok());
    EXPECT_FALSE(roster.set_keys("default", "gamma", pin, {pin, next_pin}).ok());
    EXPECT_EQ(roster, before);
    ASSERT_TRUE(roster.set_keys("default", "beta", of_beta, {of_beta, next_pin}).ok());
    EXPECT_FALSE(roster.set_keys("default", "alpha", pin, {pin, next_pin}).ok());
}

TEST(RosterTest, WhoKnowsAKeyOfTheGatewayIsRemembered) {
    Roster roster = two_nodes();
    EXPECT_EQ(roster.who_does_not_know(next_pin).size(), 2u);
    ASSERT_TRUE(roster.note_known("default", "alpha", next_pin).ok());
    const auto back = Roster::parse(roster.to_json());
    ASSERT_TRUE(back.ok()) << back.error().message;
    ASSERT_EQ(back.value().who_does_not_know(next_pin).size(), 1u);
    EXPECT_EQ(back.value().who_does_not_know(next_pin).front()->node, "beta");
    EXPECT_EQ(roster.note_known("default", "alpha", next_pin).error().code, Errc::conflict);
    EXPECT_EQ(roster.note_known("default", "gamma", next_pin).error().code, Errc::refused);
}

TEST(RosterTest, AFileFromBeforeKeysCouldChangeIsRead) {
    const auto back =
        Roster::parse(R"({"format":1,"nodes":[{"node":"alpha","pair":"default","pin":")" + pin +
                      R"(","since":"now"}],"invitations":[],"pairs":["default"]})");
    ASSERT_TRUE(back.ok()) << back.error().message;
    EXPECT_NE(back.value().find_pin(pin), nullptr);
    EXPECT_EQ(back.value().who_does_not_know(pin).size(), 1u);
}

TEST(RosterTest, ADamagedNextKeyIsRefused) {
    Roster roster = two_nodes();
    ASSERT_TRUE(roster.set_keys("default", "alpha", pin, {pin, "sha256:12"}).ok());
    EXPECT_FALSE(Roster::parse(roster.to_json()).ok());
}

TEST(RosterTest, InvitationsExpireAlsoWhenTheClockWasSetBack) {
    Roster roster;
    const auto life = invitation_life.count();
    ASSERT_TRUE(roster.invite(invitation(1, "alpha")).ok());
    roster.drop_expired(999);
    EXPECT_NE(roster.find_invitation(invitation(1, "").id), nullptr);
    Roster early = roster;
    early.drop_expired(1000 - life - 1);
    EXPECT_EQ(early.find_invitation(invitation(1, "").id), nullptr);
    roster.drop_expired(1000);
    EXPECT_EQ(roster.find_invitation(invitation(1, "").id), nullptr);
}

TEST(RosterTest, OpenInvitationsAreBounded) {
    Roster roster;
    for (std::size_t i = 0; i < invitations_max; ++i)
        ASSERT_TRUE(
            roster.invite(invitation(static_cast<std::uint8_t>(i), "n" + std::to_string(i))).ok());
    EXPECT_FALSE(roster.invite(invitation(200, "past")).ok());
    EXPECT_TRUE(roster.invite(invitation(201, "n0")).ok()) << "this one replaces another";
}

}  // namespace
}  // namespace umbra::gateway
