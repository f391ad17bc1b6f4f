#pragma once

#include <umbra/sdk/time.hpp>

#include <algorithm>
#include <chrono>

namespace umbra::gateway {

/// While something waits that no socket tells of.
inline constexpr Duration tick_every = std::chrono::milliseconds{50};
/// While nothing does, so that an idle gateway sleeps. A stall of this and what the loop counts as
/// late goes unnoticed: with what passes between two pings it must stay well within the lease.
inline constexpr Duration tick_at_rest = std::chrono::milliseconds{100};
inline constexpr int ticks_per_lease = 6;

/// How long the gateway's loop sleeps until it looks at its clock again. Pure.
/// @param awake  Clients are parked, or a register is shared.
/// @param lease  After so long a silence a holder counts as gone.
[[nodiscard]] constexpr Duration tick_after(bool awake, Duration lease) {
    return awake ? tick_every
                 : std::clamp<Duration>(lease / ticks_per_lease, tick_every, tick_at_rest);
}

}  // namespace umbra::gateway
