#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace umbra::config {

/// Length of the well-formed UTF-8 character at `text[at]`; 0 when there is none (overlong forms,
/// surrogates and what is past U+10FFFF are none). @pre at < text.size()
[[nodiscard]] std::size_t utf8_length(std::string_view text, std::size_t at);

/// The character at `text[at]`. @pre `utf8_length(text, at) == length && length != 0`
[[nodiscard]] char32_t utf8_decode(std::string_view text, std::size_t at, std::size_t length);

/// Control characters, of which a terminal or a log must not get any.
[[nodiscard]] constexpr bool is_control(char32_t c) {
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 ||
           (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

}  // namespace umbra::config
