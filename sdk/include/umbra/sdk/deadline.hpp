#pragma once

#include <umbra/sdk/time.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <ctime>

namespace umbra {

/// By so much an answer should come before the host gives up, so that it is the one that counts.
inline constexpr Duration answer_margin = std::chrono::milliseconds{100};

/// Now, on the clock of `Reply::deadline_ns()`: CLOCK_MONOTONIC, which stands still while the host
/// is suspended. Not to be compared with instants of another clock.
[[nodiscard]] inline Instant deadline_clock() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return Instant{std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec}};
}

/// Until when to answer: as long as the plugin wants to try, and in time for the host.
/// @param began        by `deadline_clock()`
/// @param deadline_ns  `Reply::deadline_ns()`; 0 = none
[[nodiscard]] inline Instant answer_by(Instant began, Duration patience, std::int64_t deadline_ns) {
    const Instant own = began + patience;
    if (deadline_ns == 0) return own;
    return std::min(own, Instant{Duration{deadline_ns}} - answer_margin);
}

}  // namespace umbra
