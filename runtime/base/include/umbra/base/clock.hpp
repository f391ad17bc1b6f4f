#pragma once

#include <umbra/sdk/time.hpp>

#include <chrono>
#include <string>

namespace umbra::base {

/// Now on the boot-time clock: monotonic, and it goes on while the host is suspended. The one
/// place where an `Instant` comes from.
/// Threads: any.
[[nodiscard]] Instant boot_now() noexcept;

/// Wall time for people and files, never for decisions: "2026-01-31T12:00:00Z", UTC. With
/// microseconds: "2026-01-31T12:00:00.000123Z".
[[nodiscard]] std::string to_rfc3339(std::chrono::system_clock::time_point time);
[[nodiscard]] std::string to_rfc3339_micros(std::chrono::system_clock::time_point time);

/// `to_rfc3339` of now.
[[nodiscard]] std::string wall_time();

}  // namespace umbra::base
