#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace umbra::core {

/// How much of the log is kept. A compaction writes what is kept anew, hence not one for each edit.
struct CompactionPolicy {
    /// The newest entries: history, rollback, and a shadow that was away catch up from them.
    std::uint64_t keep = 10'000;
    /// As many have to be behind these before they are compacted together.
    std::uint64_t batch = 5'000;
    /// So many stay at most for a shadow that is catching up.
    std::uint64_t keep_for_lagging = 100'000;

    bool operator==(const CompactionPolicy&) const = default;
};

/// What holds a compaction back, as sequence numbers.
struct CompactionBounds {
    std::uint64_t base = 0, last = 0;
    /// Durable on every instance that may become master; what is after it may still be cut.
    std::uint64_t committed = 0;
    /// Where a fork began whose edits are not merged yet.
    std::optional<std::uint64_t> fork;
    /// Where a shadow is that is catching up.
    std::optional<std::uint64_t> lagging;
};

/// Up to which entry the log is to be compacted; nothing when it is not to be now.
[[nodiscard]] std::optional<std::uint64_t> compact_to(const CompactionPolicy& policy,
                                                      const CompactionBounds& bounds);

}  // namespace umbra::core
