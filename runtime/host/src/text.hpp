#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace umbra::host {

/// "No such file or directory" for ENOENT.
[[nodiscard]] std::string system_text(int error_number);

/// Text from a plugin or a file, made fit for one line: control characters and broken UTF-8 become
/// '?', and what is longer than `bytes_max` ends in "…".
[[nodiscard]] std::string one_line(std::string_view text, std::size_t bytes_max);

/// "0644"
[[nodiscard]] std::string mode_text(unsigned mode);

/// "140 ms", "12 s"
[[nodiscard]] std::string span_text(std::int64_t nanoseconds);

/// "root", or the number where the user has no name.
[[nodiscard]] std::string user_text(std::uint32_t user);

/// "unavailable", "timeout" … of an umbra_code.
[[nodiscard]] std::string_view code_text(int code);

}  // namespace umbra::host
