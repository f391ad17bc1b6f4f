#pragma once

#include <string>
#include <string_view>

namespace umbra::config {

/// Basic string with the fewest escapes.
[[nodiscard]] std::string string_literal(std::string_view text);
/// Bare where TOML permits it, else quoted.
[[nodiscard]] std::string key_literal(std::string_view key);
/// Shortest text that reads back as the same number, and as a float.
[[nodiscard]] std::string number_literal(double number);

}  // namespace umbra::config
