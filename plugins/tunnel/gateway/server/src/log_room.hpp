#pragma once

#include <string_view>

namespace umbra::gateway {

/// The room that lines of this program's log name.
inline constexpr std::string_view log_room = "gateway";

}  // namespace umbra::gateway
