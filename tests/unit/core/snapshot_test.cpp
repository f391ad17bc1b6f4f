#include "core_support.hpp"
#include <umbra/core/bytes.hpp>
#include <umbra/core/snapshot.hpp>

#include <gmock/gmock.h>

namespace umbra::core {
namespace {

const Position end_of_it{{3, 41}, simulation::quick_hash("h")};

Snapshot sample() {
    return {end_of_it,
            {{"a", "1"}, {"b", "\"x\""}},
            {{"op-2", {1, 7}}, {"op-1", {3, 41}}},
            {{{1, 9}, simulation::quick_hash("m")}, {{2, 30}, simulation::quick_hash("n")}}};
}

bool is_read(const Snapshot& snapshot) {
    return decode_snapshot(snapshot.position, encode(snapshot)).has_value();
}

TEST(SnapshotTest, ComesBackAsItWasWritten) {
    EXPECT_EQ(decode_snapshot(end_of_it, encode(sample())), sample());
    const Snapshot empty{end_of_it};
    EXPECT_EQ(decode_snapshot(end_of_it, encode(empty)), empty);
}

TEST(SnapshotTest, ABodyOfOldIsAConfigurationAlone) {
    const Snapshot old{end_of_it, sample().document};
    EXPECT_EQ(decode_snapshot(end_of_it, encode(old.document)), old);
    EXPECT_EQ(decode_snapshot(end_of_it, encode(Document{})), Snapshot{end_of_it});
}

TEST(SnapshotTest, EveryTruncationIsRefusedAndSoIsATail) {
    const auto body = encode(sample());
    for (std::size_t size = 0; size < body.size(); ++size) {
        EXPECT_FALSE(decode_snapshot(end_of_it, std::string_view{body}.substr(0, size))) << size;
    }
    EXPECT_FALSE(decode_snapshot(end_of_it, body + '\0'));
}

TEST(SnapshotTest, AVersionOfTheFutureIsRefused) {
    auto body = encode(sample());
    body[4] = 2;
    EXPECT_FALSE(decode_snapshot(end_of_it, body));
}

TEST(SnapshotTest, MutatedBytesNeverCrash) {
    const auto body = encode(sample());
    for (std::size_t i = 0; i < body.size(); ++i) {
        for (const char byte : {'\x00', '\x01', '\x7f', '\xff'}) {
            auto mutated = body;
            mutated[i] = byte;
            if (const auto read = decode_snapshot(end_of_it, mutated)) {
                EXPECT_LE(read->operations.size(), body.size());
            }
        }
    }
}

TEST(SnapshotTest, OperationsAreInTheirOrderAndBeforeTheEnd) {
    for (const auto& wrong :
         {Operation{"", {1, 8}}, Operation{"x", {3, 42}}, Operation{"x", {4, 41}},
          Operation{"x", {1, 0}}, Operation{"op-2", {1, 7}}, Operation{"a", {1, 6}}}) {
        auto snapshot = sample();
        snapshot.operations.insert(snapshot.operations.begin() + 1, wrong);
        EXPECT_FALSE(is_read(snapshot)) << wrong.id << " " << to_string(wrong.revision);
    }
}

TEST(SnapshotTest, MarksAreInTheirOrderAndBeforeTheEnd) {
    for (const Revision wrong : {Revision{3, 41}, Revision{2, 30}, Revision{1, 35}}) {
        auto snapshot = sample();
        snapshot.marks.push_back({wrong, {}});
        EXPECT_FALSE(is_read(snapshot)) << to_string(wrong);
    }
    auto snapshot = sample();
    snapshot.marks.push_back({{2, 31}, {}});
    EXPECT_TRUE(is_read(snapshot));
}

TEST(SnapshotTest, HasLimits) {
    Snapshot snapshot{{{1, 1'000'000}, {}}};
    for (std::uint64_t i = 1; i <= Snapshot::operations_max; ++i) {
        snapshot.operations.push_back({"op", {1, i}});
    }
    for (std::uint64_t i = 1; i <= Snapshot::marks_max; ++i) snapshot.marks.push_back({{1, i}, {}});
    snapshot.operations[0].id.assign(Snapshot::operation_bytes_max, 'x');
    EXPECT_TRUE(is_read(snapshot));
    auto more = snapshot;
    more.operations.push_back({"op", {1, Snapshot::operations_max + 1}});
    EXPECT_FALSE(is_read(more));
    more = snapshot;
    more.marks.push_back({{1, Snapshot::marks_max + 1}, {}});
    EXPECT_FALSE(is_read(more));
    more = snapshot;
    more.operations[0].id += 'x';
    EXPECT_FALSE(is_read(more));
}

TEST(SnapshotTest, HasALimitOfBytes) {
    Snapshot snapshot{end_of_it, {{"k", ""}}};
    snapshot.document["k"].assign(Snapshot::bytes_max - encode(snapshot).size(), 'x');
    EXPECT_TRUE(is_read(snapshot));
    snapshot.document["k"] += 'x';
    EXPECT_FALSE(is_read(snapshot));
}

}  // namespace
}  // namespace umbra::core
