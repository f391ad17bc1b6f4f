#pragma once

#include <umbra/core/document.hpp>
#include <umbra/core/operations.hpp>
#include <umbra/core/snapshot.hpp>
#include <umbra/core/types.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::core {

/// SHA-256. Handed in, because the core has no cryptography of its own.
using HashFunction = Hash (*)(std::string_view);

/// One edit of the shared configuration. Never changes after it was made.
struct Entry {
    Revision revision;
    Hash previous{};  ///< Hash of the entry before it; of zeros for the first.
    /// Same id = same edit, however often it is retried. A merge has those of the edits that it
    /// merges as well, one a line.
    std::string op_id;
    std::string author;
    std::string message;
    std::int64_t time_ms = 0;  ///< Wall clock of the master, for people only.
    std::vector<Change> changes;

    bool operator==(const Entry&) const = default;
};

[[nodiscard]] std::string encode(const Entry& entry);
/// encode(entry).size() is not more. For small entries far cheaper to know.
[[nodiscard]] std::size_t bytes_at_most(const Entry& entry);
[[nodiscard]] std::optional<Entry> decode_entry(std::string_view body);
/// Of an encoded entry, read without the rest. Nothing from bytes that are too short for it.
[[nodiscard]] std::optional<Revision> revision_of(std::string_view body);
/// The keys that an encoded entry changes, as views into it; nothing for bytes that are none.
[[nodiscard]] std::optional<std::vector<std::string_view>> keys_changed_by(std::string_view body);

/// An entry as it is stored and sent, with the place it has.
struct Logged {
    Position position;
    std::string body;

    bool operator==(const Logged&) const = default;
};

/// The replicated log in memory: a base (snapshot) and the entries after it, chained by hash, with
/// the document they lead to. What is before the base is known by the ids of its newest edits and
/// by marks only.
///
/// Thread-safety: none. Pure: durability is the shell's business, the order of its effects says
/// when.
class Log {
public:
    static constexpr std::size_t boundaries_max = 64;
    static constexpr std::size_t changes_max = 100'000;  ///< Keys in one edit.
    /// One encoded entry: it must fit into one message, with room for what surrounds it.
    static constexpr std::size_t entry_bytes_max = 768 * 1024;

    explicit Log(HashFunction hash) : hash_(hash) {}

    [[nodiscard]] const Position& base() const { return base_; }
    [[nodiscard]] const Position& last() const {
        return entries_.empty() ? base_ : entries_.back().position;
    }
    [[nodiscard]] const Document& document() const { return document_; }
    [[nodiscard]] const std::deque<Logged>& entries() const { return entries_; }

    /// Entry `seq`; null when it is not there or before the base.
    [[nodiscard]] const Logged* at(std::uint64_t seq) const;
    /// Place of `seq`, which may be the base; nothing when unknown.
    [[nodiscard]] std::optional<Position> position_at(std::uint64_t seq) const;
    /// Configuration as of `seq`; nothing when that is before the base or after the end.
    [[nodiscard]] std::optional<Document> document_at(std::uint64_t seq) const;
    /// Whether `position` is in this history: the base, after it, or a mark before it. False does
    /// not prove the contrary for what is before the base.
    [[nodiscard]] bool contains(const Position& position) const;
    /// Places before the base: the last one of each epoch, and those that were worth a mark.
    [[nodiscard]] const std::vector<Position>& marks() const { return marks_; }
    /// Revision of the edit with this id, one of the newest before the base included.
    [[nodiscard]] std::optional<Revision> find_op(std::string_view op_id) const {
        return operations_.find(op_id);
    }
    /// All edits that `find_op` knows, oldest first.
    [[nodiscard]] const std::deque<Operation>& operations() const { return operations_.list(); }
    /// Last position of each epoch, newest first, at most `boundaries_max`, then the base.
    [[nodiscard]] std::vector<Position> boundaries() const;
    /// SHA-256 over the document: equal on both instances when they agree.
    [[nodiscard]] Hash digest() const;

    /// Makes the next entry and appends it. @pre `epoch >= last().revision.epoch`, and the edit is
    /// within `changes_max` and `entry_bytes_max`
    const Logged& append(Epoch epoch, Entry edit);
    /// Appends an entry made elsewhere. False, and nothing changes, when it is malformed or does
    /// not follow `last()`.
    [[nodiscard]] bool push(const std::string& body);
    /// Cuts everything after `seq` and returns it. @pre `base().seq <= seq <= last().seq`
    std::vector<Logged> truncate(std::uint64_t seq);
    /// Starts over from a snapshot.
    void install(Snapshot snapshot);
    /// Forgets the entries up to `seq`, which becomes the base. @pre as `truncate`
    /// @param mark  A place of that past to be recognised later; anything else is no harm.
    void compact(std::uint64_t seq, const Position& mark = {});
    /// Body of a snapshot up to `seq`. @pre as `truncate`
    [[nodiscard]] std::string snapshot_at(std::uint64_t seq) const;

    bool operator==(const Log&) const = default;

private:
    void add(Position position, std::string body, const Entry& entry);
    [[nodiscard]] Hash chain(const Hash& previous, const std::string& body) const;
    void forget_operations();

    HashFunction hash_;
    Position base_;
    Document base_document_;
    std::deque<Logged> entries_;
    Document document_;
    Operations operations_;
    std::vector<Position> marks_;
};

[[nodiscard]] std::string encode(const Document& document);
[[nodiscard]] std::optional<Document> decode_document(std::string_view body);

}  // namespace umbra::core
