#pragma once

#include <chrono>
#include <cstdint>

namespace umbra {

using Duration = std::chrono::nanoseconds;

/// Clock type without `now()`: code that holds an `Instant` was handed one and cannot fetch
/// another.
struct MonotonicClock {
    using duration = Duration;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<MonotonicClock>;
    static constexpr bool is_steady = true;
};

/// Point on this host's monotonic clock, suspend included. Means nothing on another host.
using Instant = MonotonicClock::time_point;

}  // namespace umbra
