#pragma once

#include <umbra/core/document.hpp>
#include <umbra/core/log.hpp>
#include <umbra/core/types.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::core {

/// What became of one key that both sides of a fork may have changed. The values are on disk and on
/// the wire: append only.
enum class Fate : std::uint8_t {
    equal = 1,       ///< Both sides have the same.
    merged = 2,      ///< Only the saved side changed it: what was saved is taken over.
    conflict = 3,    ///< Both changed it: what the master has stays.
    restricted = 4,  ///< Both changed it, the saved side restricts: what was saved is in force.
    kept = 5,        ///< Both changed it, the master's side restricts: what it has stays.
};
constexpr Fate fate_last = Fate::kept;

[[nodiscard]] const char* to_string(Fate fate);
/// Somebody has to look at it.
[[nodiscard]] constexpr bool is_conflict(Fate fate) { return fate >= Fate::conflict; }
/// What was saved is to be put in force.
[[nodiscard]] constexpr bool is_taken(Fate fate) {
    return fate == Fate::merged || fate == Fate::restricted;
}

/// A key that saved edits changed; no literal where it was not there.
struct SavedKey {
    std::string key;
    std::optional<std::string> base;   ///< At the fork.
    std::optional<std::string> saved;  ///< After the saved edits.

    bool operator==(const SavedKey&) const = default;
};

/// A table with such a key. What removes, creates or breaks a table is judged as one.
struct SavedTable {
    std::string name;
    bool at_fork = false;
    bool saved = false;

    bool operator==(const SavedTable&) const = default;
};

/// One saved edit: what it is called, and the keys that it changed as far as they differ in the
/// end.
struct SavedOp {
    std::string op_id;
    std::vector<std::string> keys;

    bool operator==(const SavedOp&) const = default;
};

/// Edits that one side of a fork made and the other does not have, as what they changed altogether.
struct SavedEdits {
    std::string id;
    Position fork;  ///< Last entry that both have, or where the log of this side begins.
    bool fork_known = true;
    Position last;               ///< The last saved entry.
    std::string authors;         ///< "ann, bob"
    std::vector<SavedKey> keys;  ///< Sorted by key, and so are
    std::vector<SavedTable> tables;
    std::vector<SavedOp> ops;  ///< In the order of the log.

    bool operator==(const SavedEdits&) const = default;
};

/// @param entries  What is about to be cut. Its first revision and last hash are the id; those of
///                 `fork`, when what was edited after it is compacted and no entry is left.
[[nodiscard]] SavedEdits summarize(const Position& fork, bool fork_known, const Document& base,
                                   const Document& saved, const std::vector<Logged>& entries);

/// One row of a three-way merge.
struct MergeLine {
    std::string key;
    std::optional<std::string> base, ours, saved;
    Fate fate = Fate::equal;

    bool operator==(const MergeLine&) const = default;
};

/// Takes out of `edits` what `known` edits did: they are in the other log as well, whatever came
/// after them there, because somebody asked for them again. What is left of such a key says what
/// `ours` says.
void leave_known_out(SavedEdits& edits, const Document& ours,
                     const std::function<bool(const std::string& op_id)>& known);

/// Why a configuration is not valid; nothing when it is. Gives the same for the same document.
using Judge = std::function<std::optional<std::string>(const Document&)>;

/// Merges `saved` into `ours`: what one side changed is taken, what both changed stays as it is
/// here and conflicts. A restriction (a key below a mapping removed, its `active` made false) is in
/// force until the operator decides, whichever side made it. A table that one side removed and the
/// other changed, or that both created, is not mixed. Without a known fork nothing is taken.
///
/// What `judge` does not accept is not taken and becomes a conflict; `judge` may be empty.
///
/// @return A line for each key of `saved`, in that order, then one for each key that was added here
///         to a mapping that the saved side removed.
[[nodiscard]] std::vector<MergeLine> merge(const SavedEdits& saved, const Document& ours,
                                           const Judge& judge);

/// What a merge says of the saved edits in its operation id, in their order: the ids of those of
/// which nothing is left to decide, and `in_part` of those of which something is taken and
/// something is left. An edit of which nothing is taken is not named: whoever asks for it again
/// gets it.
[[nodiscard]] std::vector<std::string> ids_in_merge(const SavedEdits& saved,
                                                    const std::vector<MergeLine>& lines);

/// How the log remembers that an edit was merged in part. A retry of it must neither be answered as
/// done nor be applied again. No id that somebody chose looks like this: those have no tab.
[[nodiscard]] std::string in_part(std::string_view op_id);

/// The changes that put `lines` in force; @param force  conflicts too.
[[nodiscard]] std::vector<Change> changes_of(const std::vector<MergeLine>& lines, bool force);

}  // namespace umbra::core
