#include "initial_import.hpp"

#include "simulation/hash.hpp"

#include <gmock/gmock.h>

namespace umbra::instance {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<core::Change> many(std::size_t count, std::size_t bytes) {
    std::vector<core::Change> changes;
    for (std::size_t i = 0; i < count; ++i) {
        changes.push_back({"k" + std::to_string(i), std::string(bytes, 'x')});
    }
    return changes;
}

/// Each is within the limits and can be read again, and together they are `changes`.
void expect_parts(const std::vector<core::Entry>& entries,
                  const std::vector<core::Change>& changes) {
    core::Log log{&simulation::quick_hash};
    core::Log other{&simulation::quick_hash};
    std::vector<core::Change> together;
    for (const auto& entry : entries) {
        ASSERT_TRUE(other.push(log.append(0, entry).body));
        together.insert(together.end(), entry.changes.begin(), entry.changes.end());
    }
    EXPECT_EQ(together, changes);
}

TEST(InitialImportTest, WhatFitsIsOneEntry) {
    const auto entries = import_entries(many(3, 10), "/etc/shared.toml").value();
    ASSERT_THAT(entries, SizeIs(1));
    EXPECT_EQ(entries[0].message, "imported /etc/shared.toml");
    EXPECT_EQ(entries[0].author, "umbra");
    EXPECT_EQ(entries[0].op_id.size(), 32U);
    expect_parts(entries, many(3, 10));
    EXPECT_THAT(import_entries({}, "f").value(), IsEmpty());
}

TEST(InitialImportTest, WhatDoesNotIsSeveralOfWhichEachDoes) {
    const auto changes = many(3000, 1000);
    const auto entries = import_entries(changes, "f").value();
    EXPECT_THAT(entries, SizeIs(5));
    EXPECT_EQ(entries[0].message, "imported f (1 of 5)");
    EXPECT_NE(entries[0].op_id, entries[1].op_id);
    expect_parts(entries, changes);
}

TEST(InitialImportTest, TheLimitsOfAnEntryAreMetExactly) {
    const auto keys = many(core::Log::changes_max + 1, 0);
    std::vector<core::Change> small;
    for (const auto& change : keys) small.push_back({change.key, std::nullopt});
    const auto parts = import_entries(small, "f").value();
    expect_parts(parts, small);
    for (const auto& entry : parts) {
        EXPECT_LE(entry.changes.size(), core::Log::changes_max);
        EXPECT_LE(core::encode(entry).size(), core::Log::entry_bytes_max);
    }
    std::size_t largest = core::Log::entry_bytes_max;
    while (!import_entries(many(1, largest), "f").ok()) --largest;
    expect_parts(import_entries(many(2, largest), "f").value(), many(2, largest));
    EXPECT_THAT(import_entries(many(2, largest), "f").value(), SizeIs(2));
    const auto refused = import_entries(many(1, largest + 1), "f");
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Errc::invalid);
    EXPECT_THAT(refused.error().message, HasSubstr("f: the value of k0 takes"));
}

}  // namespace
}  // namespace umbra::instance
