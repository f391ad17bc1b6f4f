#pragma once

#include <umbra/sdk/storage.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Keys and values, as they are in etcd. The README shows an example.
namespace umbra::etcd_storage {

/// Bytes of a body in one key; etcd refuses requests of more than 1.5 MiB.
inline constexpr std::size_t part_max = std::size_t{512} << 10;

/// Names of the keys below a prefix, which ends with a slash.
class Keys {
public:
    explicit Keys(std::string prefix) : prefix_(std::move(prefix)) {}
    [[nodiscard]] const std::string& prefix() const { return prefix_; }
    [[nodiscard]] std::string head() const { return prefix_ + "head"; }
    /// Part 0 sorts before the others of its entry, these before the next entry.
    [[nodiscard]] std::string entry(std::uint64_t seq, std::size_t part = 0) const;
    [[nodiscard]] std::string end_of_entries() const { return prefix_ + "entry0"; }
    [[nodiscard]] std::string snapshot(std::uint64_t id, std::size_t part) const;
    [[nodiscard]] std::string snapshots(std::uint64_t id) const;  ///< The first key of `id`.
    [[nodiscard]] std::string end_of_snapshots() const { return prefix_ + "snapshot0"; }

private:
    std::string prefix_;
};

/// The one key that decides: who may write, and what of the rest counts.
struct Head {
    std::string owner;     ///< Identity of the state directory that writes, hexadecimal.
    std::string session;   ///< Of the open storage, hexadecimal.
    std::string instance;  ///< Name of the owner, for people.
    std::uint64_t writes = 0;
    LogPosition last;
    LogPosition snapshot;
    std::uint64_t snapshot_id = 0;  ///< Which of the snapshots counts; 0: none.
    std::uint64_t snapshot_size = 0;
    std::uint64_t snapshot_sum = 0;

    bool operator==(const Head&) const = default;
};
std::string encode_head(const Head& head);
/// `data_loss` when it is damaged, `unsupported` when a later version wrote it.
Result<Head> decode_head(std::string_view value);

/// Value of part `part` of an entry.
std::string encode_entry(const LogEntry& entry, std::size_t part);
/// How many parts a body of that size has; an empty one has one.
std::size_t parts_of(std::size_t body_size);
std::string_view part_of(std::string_view body, std::size_t part);

/// Puts entries together again from their parts, in the order of the keys.
class Assembly {
public:
    /// @param first  Sequence of the first entry that is expected.
    Assembly(const Keys& keys, std::uint64_t first) : keys_(keys), next_(first) {}

    /// Takes the next pair. Errors are `data_loss`, naming the key.
    /// @return The entry that it completes, or nothing yet.
    Result<std::optional<LogEntry>> take(const std::string& key, std::string value);
    /// True between entries.
    [[nodiscard]] bool complete() const { return part_ == 0; }
    [[nodiscard]] std::uint64_t next() const { return next_; }

private:
    const Keys& keys_;
    std::uint64_t next_;
    std::size_t part_ = 0;
    LogEntry entry_;
    std::uint64_t size_ = 0;
    std::uint64_t sum_ = 0;
};

}  // namespace umbra::etcd_storage
