#pragma once

#include <atomic>
#include <cstdint>

/// What stands between a program and its files, and what a test sees of it: a page of shared memory
/// that both map. A file, so that a program in another language can write it too.
namespace umbra::failpoint {

/// Names the file of the page.
inline constexpr const char* page_variable = "UMBRA_FAILPOINT";
/// Names a file to which every change is written; absent: none is. See trace.hpp.
inline constexpr const char* trace_variable = "UMBRA_FAILPOINT_TRACE";

enum class How : std::uint32_t {
    nothing = 0,  ///< Counts only.
    kill = 1,     ///< SIGKILL before the call.
    torn = 2,     ///< SIGKILL after the first half of a write, or after any other call.
    full = 3,     ///< The disk is full for this call: half of a write is taken, the rest refused.
    full_on = 4,  ///< The same, and it stays full.
    broken = 5,   ///< EIO, once, as the kernel reports a write that failed.
};

struct Page {
    /// The call that it happens at, from 1 on.
    std::uint64_t at = 0;
    How how = How::nothing;
    std::uint32_t reserved = 0;
    /// Calls so far that change something below `under`: creations, writes, syncs, renames,
    /// removals, changes of length and mode.
    std::atomic<std::uint64_t> calls{0};
    /// Whether it happened, and at what.
    std::atomic<std::uint64_t> struck{0};
    char call[32] = {};
    char path[448] = {};
    /// Directory; only what lies below it counts.
    char under[512] = {};
};
static_assert(sizeof(Page) == 1024);

}  // namespace umbra::failpoint
