// Ten thousand random scripts of edits, partitions, takeovers and restarts. After each both sides
// are equal byte for byte, and every edit that was accepted is in the history or was saved.

#include "two_nodes.hpp"

#include <gtest/gtest.h>

#include <random>

namespace umbra::core {
namespace {

constexpr unsigned scripts = 10'000;
constexpr unsigned scripts_of_one_pair = 50;

/// How often something happened; a campaign in which nothing does says nothing.
struct Seen {
    unsigned apart = 0, merged = 0, conflicts = 0, restricted = 0, kept = 0, by_hand = 0;
    unsigned compactions = 0, snapshots = 0, outrun = 0, checked = 0;

    void count(const TwoNodes::Kept& one) {
        for (const Fate fate : one.fates) {
            merged += fate == Fate::merged ? 1 : 0;
            conflicts += fate == Fate::conflict ? 1 : 0;
            restricted += fate == Fate::restricted ? 1 : 0;
            kept += fate == Fate::kept ? 1 : 0;
        }
    }
};

/// One pair through a row of scripts.
class Story {
public:
    Story(unsigned seed, Seen& seen, CompactionPolicy compaction)
        : random_(seed), seen_(seen), pair_(compaction) {
        EXPECT_TRUE(pair_.settle());
    }
    ~Story() {
        seen_.compactions += pair_.compactions();
        seen_.snapshots += pair_.snapshots();
        for (std::size_t i = 0; i < 2; ++i) {
            for (const auto& [id, one] : pair_.kept(i)) seen_.count(one);
        }
    }
    Story(const Story&) = delete;
    Story& operator=(const Story&) = delete;

    /// @return whether all is as it should be; failures are recorded.
    bool script() {
        const bool cut = chance(9, 10);
        repeated_ = false;
        if (chance(1, 3)) edit(pair_.master(), pick(4));
        if (chance(1, 2)) pair_.round(pick(12));  // Cut in the middle of something.
        if (cut) part();
        const bool apart = pair_.node(0).serving() != 0 && pair_.node(1).serving() != 0 &&
                           pair_.node(0).serving() != pair_.node(1).serving();
        const Sides before = look();
        seen_.apart += apart ? 1 : 0;
        pair_.heal();
        bool quiet = true;
        for (unsigned i = pick(6); i != 0; --i) {
            pair_.round(pick(20));
            if (!chance(1, 8)) continue;
            edit(pick(2), 1);
            quiet = false;
        }
        if (chance(1, 10)) pair_.restart(pick(2));
        if (!pair_.settle()) {
            ADD_FAILURE() << "the two do not come together: " << to_string(pair_.node(0).state())
                          << " and " << to_string(pair_.node(1).state());
            return false;
        }
        const bool good = is_equal() && nothing_lost() && all_listed();
        seen_.outrun += apart && !before.base ? 1 : 0;
        const bool plain = apart && quiet && !repeated_ && before.base;
        seen_.checked += plain ? 1 : 0;
        if (!good || (plain && !is_merged(before))) return false;
        return !chance(1, 4) || decide();
    }

private:
    /// What the two had when they met again; no base when one of them has compacted it.
    struct Sides {
        std::optional<Document> base;
        Document winner, loser;
    };

    unsigned pick(unsigned below) {
        return std::uniform_int_distribution<unsigned>{0, below - 1}(random_);
    }
    bool chance(unsigned in, unsigned of) { return pick(of) < in; }

    void edit(std::size_t side, unsigned count) {
        for (; count != 0; --count) {
            // Now and then somebody asks again for what was accepted already, wherever that was.
            if (!accepted_.empty() && chance(1, 10)) {
                const auto& [old, changes] =
                    accepted_[pick(static_cast<unsigned>(accepted_.size()))];
                (void)pair_.edit(side, changes, old);
                repeated_ = true;
                continue;
            }
            const std::string op = "op-" + std::to_string(++ops_);
            std::vector<Change> changes;
            for (unsigned i = 1 + pick(3); i != 0; --i) add_change(side, changes);
            if (pair_.edit(side, changes, op).verdict != Verdict::refused) {
                accepted_.emplace_back(op, std::move(changes));
            }
        }
    }
    void add_change(std::size_t side, std::vector<Change>& changes) {
        const std::string mapping = "tunnel.t.mapping.m" + std::to_string(pick(3)) + ".";
        const auto literal = [&] { return std::to_string(pick(5)); };
        switch (pick(8)) {
            case 0:
                changes.push_back({"k" + std::to_string(pick(8)), std::nullopt});
                return;
            case 1:
                changes.push_back({mapping + "active", chance(1, 2) ? "true" : "false"});
                changes.push_back({mapping + "internal", literal()});
                return;
            case 2:
                for (const auto& [key, value] : pair_.node(side).log().document()) {
                    if (key.rfind(mapping, 0) == 0) changes.push_back({key, std::nullopt});
                }
                return;
            case 3:
                changes.push_back({mapping + "active", std::nullopt});
                return;
            default:
                changes.push_back({"k" + std::to_string(pick(8)), literal()});
        }
    }

    void part() {
        const std::size_t old = pair_.master();
        pair_.cut();
        edit(old, pick(4));
        if (chance(1, 12)) pair_.restart(pick(2));
        if (chance(1, 2)) pair_.round();
        if (chance(4, 5)) (void)pair_.take_over(1 - old);
        for (unsigned i = pick(3); i != 0; --i) {
            edit(old, pick(3));
            edit(1 - old, pick(3));
            if (chance(1, 3)) pair_.round();
        }
    }

    Sides look() {
        const std::size_t winner = pair_.node(0).serving() > pair_.node(1).serving() ? 0 : 1;
        const Log& won = pair_.node(winner).log();
        const Log& lost = pair_.node(1 - winner).log();
        auto shared = std::min(won.last().revision.seq, lost.last().revision.seq);
        while (shared > 0 && won.position_at(shared) != lost.position_at(shared)) --shared;
        return {won.document_at(shared), won.document(), lost.document()};
    }

    bool is_equal() {
        const Log& a = pair_.node(0).log();
        const Log& b = pair_.node(1).log();
        EXPECT_EQ(encode(a.document()), encode(b.document()));
        EXPECT_EQ(a.last(), b.last());
        EXPECT_EQ(pair_.node(0).durable(), pair_.node(1).durable());
        return a.document() == b.document() && a.last() == b.last();
    }
    bool nothing_lost() {
        const Log& log = pair_.node(0).log();
        for (const auto& [op, changes] : accepted_) {
            // A log that began anew from a snapshot has its edits in the master's.
            if (log.find_op(op) || pair_.node(1).log().find_op(op)) continue;
            if (pair_.saved_ops().contains(op)) continue;
            ADD_FAILURE() << op << " was accepted and is nowhere";
            return false;
        }
        return true;
    }
    /// What was saved was decided about, or waits openly for it.
    bool all_listed() {
        for (std::size_t i = 0; i < 2; ++i) {
            bool open = false;
            for (const auto& [id, one] : pair_.kept(i)) {
                EXPECT_FALSE(one.fates.empty() && !one.edits.keys.empty()) << id;
                open = open || one.open;
                const auto conflicts =
                    std::count_if(one.fates.begin(), one.fates.end(), is_conflict);
                EXPECT_TRUE(!one.open || conflicts != 0) << id;
            }
            EXPECT_EQ(pair_.alerted(i, "divergence"), open);
        }
        return !::testing::Test::HasFailure();
    }
    /// Somebody decides about what conflicts.
    bool decide() {
        for (std::size_t i = 0; i < 2; ++i) {
            for (const auto& [id, one] : std::map{pair_.kept(i)}) {
                if (!one.open) continue;
                if (chance(1, 2)) {
                    pair_.kept(i).at(id).open = false;
                    pair_.tell(i, fact::DivergenceDropped{id});
                    continue;
                }
                Document wanted = pair_.node(i).log().document();
                for (std::size_t k = 0; k < one.fates.size(); ++k) {
                    const auto& key = one.edits.keys[k];
                    if (is_conflict(one.fates[k])) core::apply(wanted, {{key.key, key.saved}});
                }
                const auto request = pair_.merge_by_hand(i, id);
                for (int round = 0; round < 10; ++round) pair_.round();
                EXPECT_EQ(pair_.replies().at(request).verdict, Verdict::done);
                EXPECT_FALSE(pair_.kept(i).at(id).open);
                EXPECT_EQ(pair_.node(i).log().document(), wanted);
                ++seen_.by_hand;
            }
        }
        return is_equal() && all_listed();
    }
    /// By rules of its own, which do not know of edits that both sides made: single keys three
    /// ways, and no restriction undone.
    bool is_merged(const Sides& then) {
        const Document& now = pair_.node(0).log().document();
        const auto at = [](const Document& document, const std::string& key) {
            const auto found = document.find(key);
            return found == document.end() ? std::string{} : found->second;
        };
        for (unsigned i = 0; i < 8; ++i) {
            const std::string key = "k" + std::to_string(i);
            const auto& loser = at(then.loser, key);
            const auto& winner = at(then.winner, key);
            const auto& wanted = winner == at(*then.base, key) ? loser : winner;
            EXPECT_EQ(at(now, key), wanted) << key;
        }
        for (unsigned i = 0; i < 3; ++i) {
            const std::string mapping = "tunnel.t.mapping.m" + std::to_string(i) + ".";
            const bool was = then.base->contains(mapping + "internal");
            const bool kept_by_both = then.loser.contains(mapping + "internal") &&
                                      then.winner.contains(mapping + "internal");
            if (was && !kept_by_both) {
                EXPECT_EQ(at(now, mapping + "internal"), "") << mapping;
            }
            const bool off = at(then.loser, mapping + "active") == "false" &&
                             at(*then.base, mapping + "active") != "false";
            if (was && kept_by_both && off) {
                EXPECT_EQ(at(now, mapping + "active"), "false");
            }
        }
        return !::testing::Test::HasFailure();
    }

    std::mt19937 random_;
    Seen& seen_;
    TwoNodes pair_;
    unsigned ops_ = 0;
    bool repeated_ = false;  ///< In this script.
    std::vector<std::pair<std::string, std::vector<Change>>> accepted_;
};

Seen play(unsigned count, CompactionPolicy compaction) {
    Seen seen;
    for (unsigned seed = 0; seed < count / scripts_of_one_pair; ++seed) {
        Story story{seed, seen, compaction};
        for (unsigned i = 0; i < scripts_of_one_pair; ++i) {
            if (story.script()) continue;
            ADD_FAILURE() << "seed " << seed << ", script " << i;
            return seen;
        }
    }
    std::printf("apart %u, merged %u, conflicts %u, restricted %u, kept %u, by hand %u, ",
                seen.apart, seen.merged, seen.conflicts, seen.restricted, seen.kept, seen.by_hand);
    std::printf("compactions %u, snapshots %u, outrun %u, checked %u\n", seen.compactions,
                seen.snapshots, seen.outrun, seen.checked);
    return seen;
}

TEST(PartitionsTest, NoAcceptedEditIsLostAndBothSidesEndEqual) {
    const Seen seen = play(scripts, {});
    EXPECT_GT(seen.apart, scripts / 2);
    EXPECT_GT(seen.merged, scripts / 4);
    EXPECT_GT(seen.conflicts, scripts / 20);
    EXPECT_GT(seen.restricted, scripts / 100);
    EXPECT_GT(seen.kept, scripts / 100);
    EXPECT_GT(seen.by_hand, scripts / 100);
}

TEST(PartitionsTest, CompactionOfWhatBothHaveChangesNothing) {
    const Seen plain = play(scripts / 4, {});
    const Seen seen = play(scripts / 4, {4, 2, 16});
    EXPECT_GT(seen.compactions, scripts / 4);
    EXPECT_EQ(seen.snapshots, 0u);
    EXPECT_EQ(seen.merged, plain.merged);
    EXPECT_EQ(seen.conflicts, plain.conflicts);
}

/// Each side compacts what it does alone at once, so that forks are outrun and snapshots are sent.
TEST(PartitionsTest, NoAcceptedEditIsLostThoughNothingIsKept) {
    const Seen seen = play(scripts, {0, 1, 0});
    EXPECT_GT(seen.compactions, scripts);
    EXPECT_GT(seen.snapshots, scripts / 20);
    EXPECT_GT(seen.outrun, scripts / 20);
    EXPECT_GT(seen.checked, scripts / 4);
    EXPECT_GT(seen.merged, scripts / 4);
    EXPECT_GT(seen.by_hand, scripts / 100);
}

}  // namespace
}  // namespace umbra::core
