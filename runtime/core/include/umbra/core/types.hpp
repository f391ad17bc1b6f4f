#pragma once

#include <umbra/sdk/tunnel.hpp>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>

namespace umbra::core {

/// Number of a mastership. Grows with every change of master, is never reused, and travels with
/// every tunnel so that a gateway can refuse an older one. 0 = there never was one.
using Epoch = std::uint64_t;

/// SHA-256 of an entry and everything before it.
using Hash = std::array<std::byte, 32>;

/// Name of one committed change of the shared configuration, as users see it: "3.41".
struct Revision {
    Epoch epoch = 0;
    std::uint64_t seq = 0;

    auto operator<=>(const Revision&) const = default;
};

[[nodiscard]] std::string to_string(Revision revision);

/// Why an edit that was made for another revision is refused.
[[nodiscard]] std::string revision_conflict(Revision current, Revision wanted);

/// Place in the log, with the hash that makes a fork visible. Sequence 0 is before the first entry.
struct Position {
    Revision revision;
    Hash hash{};

    bool operator==(const Position&) const = default;
};

/// One node with one data directory, as the register names it.
using Member = umbra::Member;

/// Maintenance: no automatic takeover by either instance. Travels with every pong; the higher stamp
/// is the later order, wherever it was given.
struct Pause {
    bool on = false;
    std::uint64_t stamp = 0;
    std::int64_t until_ms = 0;  ///< Unix time at which the shell ends it; 0 = an operator does.

    bool operator==(const Pause&) const = default;
};

/// Part an instance plays in the pair. The values are on disk and on the wire: append only.
enum class Role : std::uint8_t { master = 1, shadow = 2 };

[[nodiscard]] const char* to_string(Role role);

}  // namespace umbra::core
