#pragma once

#include <umbra/sdk/storage.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace umbra::storage_queue {

/// The limits that every storage of this tree has; beyond them the answer is `invalid`.
inline constexpr std::size_t entry_body_max = std::size_t{4} << 20;
inline constexpr std::size_t snapshot_body_max = std::size_t{64} << 20;
/// Last sequence number; those that count in signed 64 bits have no more.
inline constexpr std::uint64_t seq_max = INT64_MAX;

/// What a storage knows of its content without looking: the entries are those of
/// (snapshot.seq, last.seq].
struct Extent {
    LogPosition snapshot;
    LogPosition last;

    bool operator==(const Extent&) const = default;
};

/// `conflict` unless `entries` follow `last` without a gap; `invalid` if one is too large.
Result<Done> check_append(const LogPosition& last, const std::vector<LogEntry>& entries);
/// `invalid` if it has no position or is too large.
Result<Done> check_snapshot(const LogEntry& snapshot);
/// `conflict` if it cuts into the snapshot. @return False where there is nothing to cut.
Result<bool> check_truncate(const Extent& extent, std::uint64_t seq);
/// `conflict` unless the log reaches the position of `snapshot`.
/// @param known  Position of the stored entry of that sequence; empty if it is not stored as one.
Result<Done> check_compact(const Extent& extent, const LogEntry& snapshot,
                           const std::optional<LogPosition>& known);

}  // namespace umbra::storage_queue
