#include "text.hpp"
#include <umbra/core/merge.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

namespace umbra::core {

namespace {

constexpr std::size_t authors_bytes_max = 256;
/// So many tables and single keys are tried one by one when all of them together are not valid.
constexpr std::size_t trials_max = 16;

constexpr std::string_view in_part_mark = "in part\t";

/// Where each part of a canonical key ends; dots inside quotes separate nothing.
std::vector<std::size_t> part_ends(std::string_view key) {
    std::vector<std::size_t> ends;
    bool quoted = false;
    for (std::size_t i = 0; i < key.size(); ++i) {
        if (quoted && key[i] == '\\') {
            ++i;
        } else if (key[i] == '"') {
            quoted = !quoted;
        } else if (key[i] == '.' && !quoted) {
            ends.push_back(i);
        }
    }
    ends.push_back(key.size());
    return ends;
}

std::string_view part(std::string_view key, const std::vector<std::size_t>& ends, std::size_t i) {
    const std::size_t begin = i == 0 ? 0 : ends[i - 1] + 1;
    return key.substr(begin, ends[i] - begin);
}

/// The innermost of `tunnel.T.mapping.M`, `tunnel.T.channel.C`, `tunnel.T`, `probe.P` around a key;
/// empty when there is none.
std::string table_of(std::string_view key) {
    const auto ends = part_ends(key);
    const auto upto = [&](std::size_t parts) {
        return std::string{key.substr(0, ends[parts - 1])};
    };
    const auto name = part(key, ends, 0);
    if (ends.size() >= 5 && name == "tunnel") {
        const auto kind = part(key, ends, 2);
        if (kind == "mapping" || kind == "channel") return upto(4);
    }
    if (ends.size() >= 3 && (name == "tunnel" || name == "probe")) return upto(2);
    return {};
}

bool is_mapping(std::string_view table) {
    const auto ends = part_ends(table);
    return ends.size() == 4 && part(table, ends, 2) == "mapping";
}

/// The keys below `table`, as a range of `document`.
std::pair<Document::const_iterator, Document::const_iterator> below(const Document& document,
                                                                    const std::string& table) {
    // '/' is the character after '.'.
    return {document.lower_bound(table + "."), document.lower_bound(table + "/")};
}

bool has_table(const Document& document, const std::string& table) {
    const auto [first, last] = below(document, table);
    return first != last;
}

std::optional<std::string> literal_at(const Document& document, const std::string& key) {
    const auto found = document.find(key);
    if (found == document.end()) return std::nullopt;
    return found->second;
}

/// Whether `value` at a key of a mapping takes something away from its users.
bool restricts(const std::string& key, const std::optional<std::string>& value) {
    if (!is_mapping(table_of(key))) return false;
    const auto ends = part_ends(key);
    // Without `active` a mapping is active.
    if (part(key, ends, ends.size() - 1) == "active") return value == "false";
    return !value;
}

/// How the two sides treated one table.
struct Treatment {
    bool removed_here = false;
    bool removed_there = false;
    bool changed_here = false;
    bool created_twice = false;
    std::vector<std::string> added_here;  ///< Keys that the saved side never saw.
};

Treatment treatment_of(const SavedTable& table, const SavedEdits& saved, const Document& ours) {
    Treatment t;
    const bool here = has_table(ours, table.name);
    t.removed_here = table.at_fork && !here;
    t.removed_there = table.at_fork && !table.saved;
    std::set<std::string_view> known;
    for (const auto& key : saved.keys) {
        if (key.key.compare(0, table.name.size() + 1, table.name + ".") != 0) continue;
        known.insert(key.key);
        const auto mine = literal_at(ours, key.key);
        t.changed_here = t.changed_here || mine != key.base;
        t.created_twice = t.created_twice || (!table.at_fork && here && mine != key.saved);
    }
    if (t.removed_there) {
        // Then `saved` names every key that the table had at the fork.
        const auto [first, last] = below(ours, table.name);
        for (auto it = first; it != last; ++it) {
            if (!known.contains(it->first)) t.added_here.push_back(it->first);
        }
        t.changed_here = t.changed_here || !t.added_here.empty();
    }
    return t;
}

Fate fate_of(const MergeLine& line, const std::string& table, const Treatment& t) {
    const bool mapping = is_mapping(table);
    if (t.removed_there && t.changed_here) return mapping ? Fate::restricted : Fate::conflict;
    if (t.removed_here) return mapping ? Fate::kept : Fate::conflict;
    if (t.created_twice) return Fate::conflict;
    if (line.ours == line.base) return Fate::merged;
    if (restricts(line.key, line.saved)) return Fate::restricted;
    return restricts(line.key, line.ours) ? Fate::kept : Fate::conflict;
}

/// Takes back what would make the configuration invalid: all together are tried, then table by
/// table.
void keep_what_is_valid(std::vector<MergeLine>& lines, const Document& ours, const Judge& judge) {
    if (!judge) return;
    Document together = ours;
    const auto all = changes_of(lines, false);
    core::apply(together, all);
    if (all.empty() || !judge(together)) return;

    std::vector<std::pair<std::string, std::vector<MergeLine*>>> groups;
    std::map<std::string, std::size_t> places;
    for (auto& line : lines) {
        if (!is_taken(line.fate)) continue;
        const auto table = table_of(line.key);
        const auto [place, fresh] = places.emplace(table.empty() ? line.key : table, groups.size());
        if (fresh) groups.emplace_back(place->first, std::vector<MergeLine*>{});
        groups[place->second].second.push_back(&line);
    }
    // Restrictions first: nothing else may stand in their way.
    std::stable_partition(groups.begin(), groups.end(), [](const auto& group) {
        return group.second.front()->fate == Fate::restricted;
    });
    Document reached = ours;
    std::size_t trials = 0;
    for (auto& [name, group] : groups) {
        Document next = reached;
        for (const auto* line : group)
            core::apply(next, std::vector<Change>{{line->key, line->saved}});
        if (++trials <= trials_max && !judge(next)) {
            reached = std::move(next);
        } else {
            for (auto* line : group) line->fate = Fate::conflict;
        }
    }
}

}  // namespace

const char* to_string(Fate fate) {
    switch (fate) {
        case Fate::equal:
            return "equal";
        case Fate::merged:
            return "merged";
        case Fate::conflict:
            return "conflict";
        case Fate::restricted:
            return "restricted";
        case Fate::kept:
            return "kept";
    }
    return "unknown";
}

SavedEdits summarize(const Position& fork, bool fork_known, const Document& base,
                     const Document& saved, const std::vector<Logged>& entries) {
    SavedEdits edits;
    edits.fork = fork;
    edits.fork_known = fork_known;
    edits.last = entries.empty() ? fork : entries.back().position;
    edits.id = to_string(entries.empty() ? fork.revision : entries.front().position.revision) + "-";
    for (std::size_t i = 0; i < 4; ++i) {
        constexpr std::string_view digits = "0123456789abcdef";
        const auto byte = std::to_integer<unsigned>(edits.last.hash[i]);
        edits.id += digits[byte >> 4];
        edits.id += digits[byte & 15U];
    }
    std::set<std::string> authors;
    for (const auto& logged : entries) {
        if (auto entry = decode_entry(logged.body)) authors.insert(std::move(entry->author));
    }
    for (const auto& author : authors) {
        if (author.empty() || edits.authors.size() + author.size() > authors_bytes_max) continue;
        edits.authors += (edits.authors.empty() ? "" : ", ") + author;
    }
    std::set<std::string> tables;
    for (auto& change : difference(base, saved)) {
        if (auto table = table_of(change.key); !table.empty()) tables.insert(std::move(table));
        edits.keys.push_back({change.key, literal_at(base, change.key), std::move(change.literal)});
    }
    for (const auto& logged : entries) {
        const auto entry = decode_entry(logged.body);
        if (!entry) continue;
        std::set<std::string> changed;
        for (const auto& change : entry->changes) {
            if (literal_at(base, change.key) != literal_at(saved, change.key)) {
                changed.insert(change.key);
            }
        }
        edits.ops.push_back({entry->op_id, {changed.begin(), changed.end()}});
    }
    for (const auto& table : tables) {
        edits.tables.push_back({table, has_table(base, table), has_table(saved, table)});
    }
    return edits;
}

void leave_known_out(SavedEdits& edits, const Document& ours,
                     const std::function<bool(const std::string& op_id)>& known) {
    std::set<std::string_view> news;
    std::set<std::string_view> old;
    for (const auto& op : edits.ops) {
        auto& keys = known(op.op_id) ? old : news;
        keys.insert(op.keys.begin(), op.keys.end());
    }
    std::set<std::string> tables;
    for (auto& key : edits.keys) {
        if (old.contains(key.key) && !news.contains(key.key)) {
            key.saved = literal_at(ours, key.key);
        } else {
            tables.insert(table_of(key.key));
        }
    }
    std::erase_if(edits.tables, [&](const auto& table) { return !tables.contains(table.name); });
}

std::string in_part(std::string_view op_id) {
    if (op_id.starts_with(in_part_mark)) return std::string{op_id};
    return std::string{in_part_mark} + std::string{op_id};
}

std::vector<std::string> ids_in_merge(const SavedEdits& saved,
                                      const std::vector<MergeLine>& lines) {
    std::set<std::string_view> undecided;
    std::set<std::string_view> taken;
    for (const auto& line : lines) {
        if (line.fate == Fate::equal) continue;
        (is_taken(line.fate) ? taken : undecided).insert(line.key);
    }
    std::vector<std::string> ids;
    for (const auto& op : saved.ops) {
        const auto has_one_of = [&op](const std::set<std::string_view>& keys) {
            return std::any_of(op.keys.begin(), op.keys.end(),
                               [&](const auto& key) { return keys.contains(key); });
        };
        const bool open = has_one_of(undecided);
        if (open && !has_one_of(taken)) continue;
        // A merge that was cut again stands for several edits, an id a line.
        for (const auto id : lines_of(op.op_id))
            ids.push_back(open ? in_part(id) : std::string{id});
    }
    return ids;
}

std::vector<MergeLine> merge(const SavedEdits& saved, const Document& ours, const Judge& judge) {
    std::map<std::string, Treatment> treatments;
    for (const auto& table : saved.tables) {
        treatments.emplace(table.name, treatment_of(table, saved, ours));
    }
    std::vector<MergeLine> lines;
    for (const auto& key : saved.keys) {
        MergeLine line{key.key, key.base, literal_at(ours, key.key), key.saved, Fate::equal};
        if (line.ours != line.saved) {
            const auto table = table_of(key.key);
            line.fate = saved.fork_known ? fate_of(line, table, treatments[table]) : Fate::conflict;
        }
        lines.push_back(std::move(line));
    }
    for (const auto& [table, treatment] : treatments) {
        if (!saved.fork_known || !is_mapping(table)) continue;
        for (const auto& key : treatment.added_here) {
            lines.push_back(
                {key, std::nullopt, literal_at(ours, key), std::nullopt, Fate::restricted});
        }
    }
    keep_what_is_valid(lines, ours, judge);
    return lines;
}

std::vector<Change> changes_of(const std::vector<MergeLine>& lines, bool force) {
    std::vector<Change> changes;
    for (const auto& line : lines) {
        const bool taken = force ? line.fate != Fate::equal : is_taken(line.fate);
        if (taken) changes.push_back({line.key, line.saved});
    }
    return changes;
}

}  // namespace umbra::core
