#include "core_support.hpp"
#include <umbra/core/log.hpp>

#include <gmock/gmock.h>

namespace umbra::core {
namespace {

TEST(LogTest, EachEntryNamesTheHashOfTheOneBefore) {
    const Log log = log_of(3);
    Hash previous{};
    for (const auto& logged : log.entries()) {
        EXPECT_EQ(decode_entry(logged.body)->previous, previous);
        EXPECT_NE(logged.position.hash, previous);
        previous = logged.position.hash;
    }
}

TEST(LogTest, WhatOneAppendsAnotherPushesToTheSameState) {
    const Log log = log_of(3);
    Log copy{&simulation::quick_hash};
    for (const auto& logged : log.entries()) ASSERT_TRUE(copy.push(logged.body));
    EXPECT_EQ(copy, log);
    EXPECT_EQ(copy.digest(), log.digest());
}

TEST(LogTest, AnEntryThatDoesNotFollowIsRefusedAndChangesNothing) {
    const Log log = log_of(3);
    Log other = log_of(1);
    const Log before = other;
    EXPECT_FALSE(other.push(log.entries()[2].body)) << "a gap";
    EXPECT_FALSE(other.push(log.entries()[0].body)) << "a repetition";
    EXPECT_FALSE(other.push("nonsense"));
    Log fork = log_of(1, 2);
    fork.append(2, edit_of("k", "1"));
    EXPECT_FALSE(other.push(fork.entries()[1].body)) << "another history";
    EXPECT_EQ(other, before);
}

TEST(LogTest, AnOlderEpochDoesNotFollowANewerOne) {
    Log log = log_of(1, 5);
    Entry stale = edit_of("k", "1");
    stale.revision = {4, 2};
    stale.previous = log.last().hash;
    EXPECT_FALSE(log.push(encode(stale)));
}

TEST(LogTest, TruncateReturnsWhatItCutsAndRestoresTheDocument) {
    Log log = log_of(4);
    const Log two = log_of(2);
    const auto cut = log.truncate(2);
    ASSERT_EQ(cut.size(), 2u);
    EXPECT_EQ(cut.front().position.revision, (Revision{1, 3}));
    EXPECT_EQ(log, two);
    EXPECT_FALSE(log.find_op("op3")) << "what was cut was not applied";
    EXPECT_TRUE(log.find_op("op2"));
    EXPECT_THAT(log.truncate(2), testing::IsEmpty());
}

TEST(LogTest, TheDocumentOfEveryRevisionCanBeSeen) {
    Log log = log_of(2);
    Entry removal;
    removal.changes = {{"k1", std::nullopt}};
    log.append(1, removal);
    EXPECT_EQ(log.document_at(0), Document{});
    EXPECT_EQ(log.document_at(2), (Document{{"k1", "1"}, {"k2", "2"}}));
    EXPECT_EQ(log.document_at(3), (Document{{"k2", "2"}}));
    EXPECT_FALSE(log.document_at(4));
}

TEST(LogTest, ASnapshotIsANewBase) {
    Log log = log_of(2);
    const Position at{{3, 40}, simulation::quick_hash("x")};
    log.install({at, {{"a", "1"}}});
    EXPECT_EQ(log.last(), at);
    EXPECT_EQ(log.document(), (Document{{"a", "1"}}));
    EXPECT_FALSE(log.position_at(39));
    log.append(3, edit_of("b", "2"));
    EXPECT_EQ(log.last().revision, (Revision{3, 41}));
    EXPECT_FALSE(log.document_at(39));
}

TEST(LogTest, BoundariesAreTheLastPlaceOfEachEpochNewestFirst) {
    Log log = log_of(1, 3, log_of(2, 2, log_of(3, 1)));
    std::vector<Revision> found;
    for (const auto& position : log.boundaries()) found.push_back(position.revision);
    EXPECT_THAT(found, testing::ElementsAre(Revision{3, 6}, Revision{2, 5}, Revision{1, 3},
                                            Revision{0, 0}));
}

TEST(LogTest, RevisionAndKeysOfAnEntryAreReadWithoutTheRest) {
    Entry entry;
    entry.revision = {3, 41};
    entry.previous.fill(std::byte{7});
    entry.op_id = "op";
    entry.author = "admin";
    entry.message = "why";
    entry.time_ms = 1'700'000'000'000;
    entry.changes = {{"a.b", "1"}, {"c", std::nullopt}, {"d", "\"text\""}};
    const std::string body = encode(entry);
    EXPECT_EQ(revision_of(body), entry.revision);
    EXPECT_THAT(keys_changed_by(body), testing::Optional(testing::ElementsAre("a.b", "c", "d")));
    EXPECT_FALSE(revision_of(body.substr(0, 15)));
    for (std::size_t size = 0; size < body.size(); ++size)
        EXPECT_FALSE(keys_changed_by(body.substr(0, size))) << size;
    EXPECT_FALSE(keys_changed_by(body + "x"));
}

TEST(LogTest, EveryTruncationOfAnEntryIsRefused) {
    const std::string body = log_of(1).entries().front().body;
    for (std::size_t size = 0; size < body.size(); ++size) {
        EXPECT_FALSE(decode_entry(std::string_view{body}.substr(0, size))) << size;
    }
    EXPECT_FALSE(decode_entry(body + '\0'));
}

TEST(LogTest, MutatedEntriesNeverCrashAndNeverGrowBeyondTheirBytes) {
    const std::string body = log_of(1).entries().front().body;
    for (std::size_t i = 0; i < body.size(); ++i) {
        for (const char byte : {'\x00', '\x01', '\x7f', '\xff'}) {
            std::string mutated = body;
            mutated[i] = byte;
            if (const auto entry = decode_entry(mutated)) {
                EXPECT_LE(entry->changes.size(), body.size());
            }
        }
    }
}

TEST(LogTest, AnEntryHasALimitOfBytes) {
    Entry entry = edit_of("k", "");
    entry.message.assign(Log::entry_bytes_max - encode(entry).size(), 'x');
    EXPECT_TRUE(decode_entry(encode(entry)));
    entry.message += 'x';
    EXPECT_FALSE(decode_entry(encode(entry)));
}

TEST(LogTest, AnEntryIsNotLargerThanItIsEstimated) {
    Entry entry;
    EXPECT_LE(encode(entry).size(), bytes_at_most(entry));
    for (int i = 0; i < 50; ++i) {
        entry.changes.push_back({"", std::nullopt});
        EXPECT_LE(encode(entry).size(), bytes_at_most(entry));
        entry.changes.push_back({std::string(100, 'k'), std::string(1000, 'v')});
        entry.op_id += "id";
        entry.author += "a";
        EXPECT_LE(encode(entry).size(), bytes_at_most(entry));
    }
}

}  // namespace
}  // namespace umbra::core
