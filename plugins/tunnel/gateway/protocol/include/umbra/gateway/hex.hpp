#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

/// Bytes in files and values that people may look at: two lower-case digits each.
namespace umbra::gateway {

inline constexpr std::string_view hex_digits = "0123456789abcdef";

[[nodiscard]] inline std::string to_hex(std::span<const std::uint8_t> bytes) {
    std::string text;
    for (const std::uint8_t byte : bytes) {
        text += hex_digits[byte >> 4];
        text += hex_digits[byte & 15u];
    }
    return text;
}

/// False when `text` is not what `to_hex` writes for as many bytes.
[[nodiscard]] inline bool from_hex(std::string_view text, std::span<std::uint8_t> bytes) {
    if (text.size() != 2 * bytes.size()) return false;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto high = hex_digits.find(text[2 * i]);
        const auto low = hex_digits.find(text[2 * i + 1]);
        if (high == std::string_view::npos || low == std::string_view::npos) return false;
        bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
    }
    return true;
}

}  // namespace umbra::gateway
