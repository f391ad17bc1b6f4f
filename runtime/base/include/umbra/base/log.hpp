#pragma once

#include <umbra/sdk/time.hpp>

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace umbra::base {

/// The log of a program: one line per event on stderr, as text or as JSON.
///
///     2026-01-31T12:00:00.000123Z info  [instance] role shadow -> master, epoch 4
///     {"time":"2026-01-31T12:00:00.000123Z","level":"info","room":"instance","text":"role ..."}
///
/// A line is one write(2), so that lines of several threads and processes do not mix. Control
/// characters in a text are escaped: what comes from the network cannot forge a second line.
///
/// Threads: everything here may be called from any thread at any time.

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error };
enum class LogFormat : std::uint8_t { text, json };

/// Takes effect for the next line. Without a call: `info`, `text`.
void log_configure(LogLevel level, LogFormat format) noexcept;

[[nodiscard]] bool log_enabled(LogLevel level) noexcept;

/// "trace" … "error", "text" and "json" as the instance file spells them; empty if unknown.
[[nodiscard]] std::optional<LogLevel> log_level_of(std::string_view name) noexcept;
[[nodiscard]] std::optional<LogFormat> log_format_of(std::string_view name) noexcept;
[[nodiscard]] std::string_view to_string(LogLevel level) noexcept;

/// Writes a line if `level` is enabled.
/// @param room  The part of the program that speaks: "instance", "host", "admin".
void log_write(LogLevel level, std::string_view room, std::string_view text) noexcept;

/// Formats and writes. `log_enabled` is asked first: a line that is off costs a load.
void log_format(LogLevel level, std::string_view room, fmt::string_view format,
                fmt::format_args args) noexcept;

template <class... Args>
void trace(std::string_view room, fmt::format_string<Args...> format, Args&&... args) {
    if (!log_enabled(LogLevel::trace)) return;
    log_format(LogLevel::trace, room, format, fmt::make_format_args(args...));
}
template <class... Args>
void debug(std::string_view room, fmt::format_string<Args...> format, Args&&... args) {
    if (!log_enabled(LogLevel::debug)) return;
    log_format(LogLevel::debug, room, format, fmt::make_format_args(args...));
}
template <class... Args>
void info(std::string_view room, fmt::format_string<Args...> format, Args&&... args) {
    if (!log_enabled(LogLevel::info)) return;
    log_format(LogLevel::info, room, format, fmt::make_format_args(args...));
}
template <class... Args>
void warn(std::string_view room, fmt::format_string<Args...> format, Args&&... args) {
    if (!log_enabled(LogLevel::warn)) return;
    log_format(LogLevel::warn, room, format, fmt::make_format_args(args...));
}
template <class... Args>
void error(std::string_view room, fmt::format_string<Args...> format, Args&&... args) {
    if (!log_enabled(LogLevel::error)) return;
    log_format(LogLevel::error, room, format, fmt::make_format_args(args...));
}

/// Lets one of many equal lines through per interval and counts the rest.
///
///     if (auto suppressed = limit.pass(now)) warn("host", "... ({} more like it)", *suppressed);
///
/// Threads: none; one owner.
class RateLimit {
public:
    explicit RateLimit(Duration interval) noexcept : interval_(interval) {}

    /// @return How many were held back since the last one that passed, if this one may pass. The
    ///         first always may; later ones once `interval` is over.
    [[nodiscard]] std::optional<std::uint64_t> pass(Instant now) noexcept {
        if (last_ && now - *last_ < interval_) {
            ++suppressed_;
            return std::nullopt;
        }
        last_ = now;
        return std::exchange(suppressed_, 0);
    }

private:
    Duration interval_;
    std::optional<Instant> last_;
    std::uint64_t suppressed_ = 0;
};

}  // namespace umbra::base
