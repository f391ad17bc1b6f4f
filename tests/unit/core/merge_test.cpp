#include "simulation/hash.hpp"
#include <umbra/core/merge.hpp>

#include <gmock/gmock.h>

namespace umbra::core {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const std::string crm = "tunnel.main.mapping.crm.";

/// A mapping and some keys beside it.
Document base() {
    return {{"probe.p.every", "1"},     {"probe.p.plugin", "\"tcp\""},
            {"takeover.a", "1"},        {"takeover.b", "1"},
            {crm + "active", "true"},   {crm + "internal", "\"i\""},
            {crm + "virtual", "\"v\""}, {"tunnel.main.plugin", "\"gateway\""}};
}

Document with(Document document, const std::vector<Change>& changes) {
    core::apply(document, changes);
    return document;
}
std::vector<Change> without_crm() {
    return {{crm + "active", {}}, {crm + "internal", {}}, {crm + "virtual", {}}};
}

SavedEdits edits_of(const std::vector<Change>& changes, const Document& at_fork = base()) {
    Log log{&simulation::quick_hash};
    Entry entry;
    entry.author = "ann";
    entry.changes = changes;
    const Logged logged = log.append(1, entry);
    return summarize(Position{}, true, at_fork, with(at_fork, changes), {logged});
}

/// The configuration after the merge of what one side saved and the other has.
struct Outcome {
    Document document;
    std::map<std::string, Fate> fates;
};
Outcome merged(const std::vector<Change>& saved, const std::vector<Change>& ours,
               const Judge& judge = {}) {
    const Document mine = with(base(), ours);
    const auto lines = merge(edits_of(saved), mine, judge);
    Outcome outcome{with(mine, changes_of(lines, false)), {}};
    for (const auto& line : lines) outcome.fates[line.key] = line.fate;
    return outcome;
}

TEST(MergeTest, DifferentKeysMerge) {
    const auto result = merged({{"takeover.a", "2"}, {"new", "1"}}, {{"takeover.b", "3"}});
    EXPECT_EQ(result.document,
              with(base(), {{"takeover.a", "2"}, {"takeover.b", "3"}, {"new", "1"}}));
    EXPECT_THAT(result.fates, UnorderedElementsAre(std::pair{"takeover.a", Fate::merged},
                                                   std::pair{"new", Fate::merged}));
}

TEST(MergeTest, TheSameValueOnBothSidesIsNoConflict) {
    const auto result = merged({{"takeover.a", "2"}}, {{"takeover.a", "2"}});
    EXPECT_THAT(result.fates, ElementsAre(std::pair{"takeover.a", Fate::equal}));
}

TEST(MergeTest, TheSameKeyConflictsAndTheMastersValueStays) {
    const auto result = merged({{"takeover.a", "2"}, {"takeover.b", {}}},
                               {{"takeover.a", "3"}, {"takeover.b", "4"}});
    EXPECT_EQ(result.document, with(base(), {{"takeover.a", "3"}, {"takeover.b", "4"}}));
    EXPECT_THAT(result.fates, UnorderedElementsAre(std::pair{"takeover.a", Fate::conflict},
                                                   std::pair{"takeover.b", Fate::conflict}));
}

TEST(MergeTest, WhatWasChangedBackIsNoChange) {
    EXPECT_THAT(merged({{"takeover.a", "2"}, {"takeover.a", "1"}}, {{"takeover.a", "3"}}).fates,
                IsEmpty());
}

TEST(MergeTest, ASavedRestrictionWinsAndStaysAConflict) {
    const Document before = with(base(), {{crm + "active", {}}});  // Active by default.
    const Document mine = with(before, {{crm + "active", "true"}});
    const auto lines = merge(edits_of({{crm + "active", "false"}}, before), mine, {});
    ASSERT_EQ(lines.size(), 1u);
    EXPECT_EQ(lines[0].fate, Fate::restricted);
    EXPECT_TRUE(is_conflict(lines[0].fate));
    EXPECT_THAT(changes_of(lines, false), ElementsAre(Change{crm + "active", "false"}));
}

TEST(MergeTest, ARestrictionOfTheMasterStays) {
    const Document off = with(base(), {{crm + "active", "false"}});
    const auto edits = edits_of({{crm + "active", {}}});
    const auto lines = merge(edits, off, {});
    EXPECT_EQ(lines[0].fate, Fate::kept);
    EXPECT_THAT(changes_of(lines, false), IsEmpty());
    EXPECT_THAT(changes_of(lines, true), ElementsAre(Change{crm + "active", {}}));
}

TEST(MergeTest, UnsettingActiveIsNoRestriction) {
    const Document before = with(base(), {{crm + "active", "false"}});
    const Document mine = with(before, {{crm + "active", "true"}});
    EXPECT_EQ(merge(edits_of({{crm + "active", {}}}, before), mine, {})[0].fate, Fate::conflict);
}

TEST(MergeTest, ARemovedMappingIsRemovedAsAWhole) {
    const auto result = merged(without_crm(), {{crm + "internal", "\"j\""}, {crm + "extra", "1"}});
    for (const auto& [key, literal] : result.document) EXPECT_NE(key.rfind(crm, 0), 0u) << key;
    EXPECT_EQ(result.fates.at(crm + "internal"), Fate::restricted);
    EXPECT_EQ(result.fates.at(crm + "virtual"), Fate::restricted);
    EXPECT_EQ(result.fates.at(crm + "extra"), Fate::restricted) << "added here, unknown there";
}

TEST(MergeTest, AMappingThatTheMasterRemovedStaysAway) {
    const auto result = merged({{crm + "internal", "\"j\""}, {crm + "new", "1"}}, without_crm());
    for (const auto& [key, literal] : result.document) EXPECT_NE(key.rfind(crm, 0), 0u) << key;
    EXPECT_EQ(result.fates.at(crm + "internal"), Fate::kept);
    EXPECT_EQ(result.fates.at(crm + "new"), Fate::kept);
}

TEST(MergeTest, AnUntouchedMappingIsRemovedWithoutAConflict) {
    const auto result = merged(without_crm(), {{"takeover.a", "2"}});
    for (const auto& [key, fate] : result.fates) EXPECT_EQ(fate, Fate::merged) << key;
    EXPECT_FALSE(result.document.contains(crm + "virtual"));
}

TEST(MergeTest, OtherTablesAreNotHalfRemoved) {
    const auto removed =
        merged({{"probe.p.every", {}}, {"probe.p.plugin", {}}}, {{"probe.p.every", "2"}});
    EXPECT_EQ(removed.document.at("probe.p.plugin"), "\"tcp\"");
    EXPECT_EQ(removed.fates.at("probe.p.plugin"), Fate::conflict);
    const auto gone = merged({{"probe.p.every", "2"}, {"probe.p.more", "1"}},
                             {{"probe.p.every", {}}, {"probe.p.plugin", {}}});
    EXPECT_FALSE(gone.document.contains("probe.p.more"));
}

TEST(MergeTest, TablesThatBothCreatedAreNotMixed) {
    const std::string erp = "tunnel.main.mapping.erp.";
    const auto result = merged({{erp + "internal", "\"a\""}, {erp + "protocol", "\"http\""}},
                               {{erp + "internal", "\"b\""}});
    EXPECT_FALSE(result.document.contains(erp + "protocol"));
    EXPECT_EQ(result.fates.at(erp + "protocol"), Fate::conflict);
}

TEST(MergeTest, NamesWithDotsAreOnePart) {
    const std::string table = "tunnel.\"a.b\".mapping.\"x.\\\"y\"";
    const Document before{{table + ".active", "true"}, {table + ".virtual", "\"v\""}};
    const auto edits = edits_of({{table + ".active", "false"}}, before);
    ASSERT_EQ(edits.tables.size(), 1u);
    EXPECT_EQ(edits.tables[0].name, table);
}

TEST(MergeTest, NothingIsTakenWithoutAKnownFork) {
    auto edits = edits_of({{"takeover.a", "2"}, {crm + "active", "false"}});
    edits.fork_known = false;
    const auto lines = merge(edits, base(), {});
    for (const auto& line : lines) EXPECT_EQ(line.fate, Fate::conflict) << line.key;
    EXPECT_EQ(merge(edits, with(base(), {{"takeover.a", "2"}}), {})[0].fate, Fate::equal);
}

TEST(MergeTest, NamesWhatIsInItWhollyAndInPart) {
    SavedEdits saved;
    saved.ops = {{"whole", {"k1"}}, {"part", {"k1", "k2"}},
                 {"left", {"k2"}},  {"nothing", {}},
                 {"", {"k1"}},      {"merge\none\n" + in_part("two"), {"k1", "k2"}}};
    const std::vector<MergeLine> lines{{"k1", "1", "1", "2", Fate::merged},
                                       {"k2", "1", "3", "2", Fate::conflict}};
    EXPECT_THAT(ids_in_merge(saved, lines),
                ElementsAre("whole", in_part("part"), "nothing", in_part("merge"), in_part("one"),
                            in_part("two")));
    EXPECT_EQ(in_part(in_part("x")), in_part("x"));
}

TEST(MergeTest, WhatWouldNotBeValidBecomesAConflictAndTheRestMerges) {
    const Judge judge = [](const Document& document) -> std::optional<std::string> {
        if (document.contains("bad")) return "bad is not known";
        return std::nullopt;
    };
    const auto result = merged({{"bad", "1"}, {"takeover.a", "2"}}, {}, judge);
    EXPECT_EQ(result.fates.at("bad"), Fate::conflict);
    EXPECT_EQ(result.fates.at("takeover.a"), Fate::merged);
    EXPECT_EQ(result.document, with(base(), {{"takeover.a", "2"}}));
    // So many are tried one by one; what is beyond waits for a person.
    std::vector<Change> many{{"bad", "1"}};
    for (int i = 100; i < 200; ++i) many.push_back({"k" + std::to_string(i), "1"});
    const auto most = merged(many, {}, judge);
    EXPECT_EQ(most.document.size(), base().size() + 15);
    EXPECT_EQ(most.fates.at("k199"), Fate::conflict);
}

TEST(MergeTest, TheIdNamesTheFirstRevisionAndTheLastHash) {
    Log log{&simulation::quick_hash};
    const Logged one = log.append(3, {});
    Entry entry;
    entry.author = "bob";
    const Logged two = log.append(3, entry);
    const auto edits = summarize(Position{}, true, {}, {}, {one, two});
    EXPECT_EQ(edits.id.rfind("3.1-", 0), 0u);
    EXPECT_EQ(edits.id.size(), 4u + 8u);
    EXPECT_EQ(edits.last, two.position);
    EXPECT_EQ(edits.authors, "bob");
    EXPECT_NE(summarize(Position{}, true, {}, {}, {one}).id, edits.id);
}

}  // namespace
}  // namespace umbra::core
