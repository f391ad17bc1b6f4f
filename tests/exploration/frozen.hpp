#pragma once

#include "party.hpp"

#include <string>
#include <string_view>

namespace umbra::exploration {

/// Every member of a party as bytes: equal bytes are equal parties. A twentieth of the memory of
/// the party itself, which is mostly empty deques.
[[nodiscard]] std::string freeze(const Party& party);
/// @pre `bytes` came from `freeze`
[[nodiscard]] Party thaw(std::string_view bytes);

}  // namespace umbra::exploration
