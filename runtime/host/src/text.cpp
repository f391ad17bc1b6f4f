#include "text.hpp"

#include <umbra/sdk/abi.h>

#include <array>
#include <pwd.h>
#include <system_error>
#include <vector>

namespace umbra::host {

std::string system_text(int error_number) {
    return std::error_code(error_number, std::generic_category()).message();
}

namespace {

/// Length of the well-formed UTF-8 sequence at the start of `text`; 0 if there is none.
std::size_t utf8_length(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xc0) != 0x80) return 0;
    // Overlong forms, surrogates, and what lies above U+10FFFF.
    const unsigned char second = byte(1);
    if (first == 0xe0 && second < 0xa0) return 0;
    if (first == 0xed && second > 0x9f) return 0;
    if (first == 0xf0 && second < 0x90) return 0;
    if (first == 0xf4 && second > 0x8f) return 0;
    return length;
}

}  // namespace

std::string one_line(std::string_view text, std::size_t bytes_max) {
    std::string line;
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        const bool printable = length > 1 || (length == 1 && text[0] >= 0x20 && text[0] != 0x7f);
        if (line.size() + (printable ? length : 1) > bytes_max) return line + "…";
        if (printable) {
            line.append(text.substr(0, length));
        } else {
            line.push_back('?');
        }
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return line;
}

std::string mode_text(unsigned mode) {
    std::string text(4, '0');
    for (std::size_t i = 4; i-- > 0; mode >>= 3) text[i] = static_cast<char>('0' + (mode & 7));
    return text;
}

std::string span_text(std::int64_t nanoseconds) {
    constexpr std::int64_t microsecond = 1000, millisecond = 1000 * microsecond,
                           second = 1000 * millisecond;
    if (nanoseconds >= 10 * second) return std::to_string(nanoseconds / second) + " s";
    if (nanoseconds >= 2 * millisecond) return std::to_string(nanoseconds / millisecond) + " ms";
    return std::to_string(nanoseconds / microsecond) + " us";
}

std::string user_text(std::uint32_t user) {
    constexpr std::size_t buffer_size = 4096;
    std::vector<char> buffer(buffer_size);
    passwd entry{};
    passwd* found = nullptr;
    if (getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr)
        return found->pw_name;
    return std::to_string(user);
}

std::string_view code_text(int code) {
    constexpr std::array<std::string_view, 13> names{
        "ok",       "unavailable", "timeout",   "refused",   "denied",   "invalid", "unsupported",
        "canceled", "closed",      "exhausted", "data loss", "conflict", "internal"};
    static_assert(names.size() == UMBRA_INTERNAL + 1);
    const auto index = static_cast<std::size_t>(code);
    return code >= 0 && index < names.size() ? names[index] : "unknown";
}

}  // namespace umbra::host
