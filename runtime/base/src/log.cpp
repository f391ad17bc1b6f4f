#include <umbra/base/clock.hpp>
#include <umbra/base/log.hpp>

#include <atomic>
#include <cerrno>
#include <iterator>
#include <string>
#include <unistd.h>

namespace umbra::base {
namespace {

std::atomic<LogLevel> threshold{LogLevel::info};
std::atomic<LogFormat> shape{LogFormat::text};

/// Longest text of one line; what is past it is cut and marked. Keeps a hostile name in a message
/// from filling the journal.
constexpr std::size_t text_max = 8192;

/// Appends `text` without control characters; for JSON also without what would end a string.
void append_escaped(fmt::memory_buffer& out, std::string_view text, bool json) {
    const bool cut = text.size() > text_max;
    for (const char c : text.substr(0, text_max)) {
        const auto byte = static_cast<unsigned char>(c);
        if (json && (c == '"' || c == '\\')) {
            out.push_back('\\');
            out.push_back(c);
        } else if (c == '\n') {
            out.append(std::string_view{"\\n"});
        } else if (byte < 0x20 || byte == 0x7f) {
            fmt::format_to(std::back_inserter(out), "\\{}{:0{}x}", json ? 'u' : 'x',
                           static_cast<unsigned>(byte), json ? 4 : 2);
        } else {
            out.push_back(c);
        }
    }
    if (cut) out.append(std::string_view{" [cut]"});
}

void write_all(const char* data, std::size_t size) noexcept {
    while (size > 0) {
        const ssize_t n = ::write(STDERR_FILENO, data, size);
        if (n < 0) {
            if (errno == EINTR) continue;
            return;  // nowhere left to complain
        }
        data += n;
        size -= static_cast<std::size_t>(n);
    }
}

}  // namespace

void log_configure(LogLevel level, LogFormat format) noexcept {
    threshold.store(level, std::memory_order_relaxed);
    shape.store(format, std::memory_order_relaxed);
}

bool log_enabled(LogLevel level) noexcept {
    return level >= threshold.load(std::memory_order_relaxed);
}

std::string_view to_string(LogLevel level) noexcept {
    switch (level) {
        case LogLevel::trace:
            return "trace";
        case LogLevel::debug:
            return "debug";
        case LogLevel::info:
            return "info";
        case LogLevel::warn:
            return "warn";
        case LogLevel::error:
            return "error";
    }
    return "info";
}

std::optional<LogLevel> log_level_of(std::string_view name) noexcept {
    for (const LogLevel level :
         {LogLevel::trace, LogLevel::debug, LogLevel::info, LogLevel::warn, LogLevel::error}) {
        if (to_string(level) == name) return level;
    }
    return std::nullopt;
}

std::optional<LogFormat> log_format_of(std::string_view name) noexcept {
    if (name == "text") return LogFormat::text;
    if (name == "json") return LogFormat::json;
    return std::nullopt;
}

void log_write(LogLevel level, std::string_view room, std::string_view text) noexcept try {
    if (!log_enabled(level)) return;
    const bool json = shape.load(std::memory_order_relaxed) == LogFormat::json;
    const std::string time = to_rfc3339_micros(std::chrono::system_clock::now());
    fmt::memory_buffer line;
    if (json) {
        fmt::format_to(std::back_inserter(line), R"({{"time":"{}","level":"{}","room":")", time,
                       to_string(level));
        append_escaped(line, room, true);
        line.append(std::string_view{R"(","text":")"});
        append_escaped(line, text, true);
        line.append(std::string_view{"\"}\n"});
    } else {
        fmt::format_to(std::back_inserter(line), "{} {:<5} [", time, to_string(level));
        append_escaped(line, room, false);
        line.append(std::string_view{"] "});
        append_escaped(line, text, false);
        line.push_back('\n');
    }
    write_all(line.data(), line.size());
} catch (...) {
    // Out of memory: the line is lost, the program goes on.
}

void log_format(LogLevel level, std::string_view room, fmt::string_view format,
                fmt::format_args args) noexcept try {
    fmt::memory_buffer text;
    fmt::vformat_to(std::back_inserter(text), format, args);
    log_write(level, room, {text.data(), text.size()});
} catch (...) {
    log_write(level, room, {format.data(), format.size()});
}

}  // namespace umbra::base
