#pragma once

#include <umbra/core/types.hpp>

#include <string>
#include <string_view>

namespace umbra::instance {

/// The hash that is handed to the core.
[[nodiscard]] core::Hash sha256(std::string_view bytes);
/// From the system's generator, as lower-case hex. Aborts when there is none.
[[nodiscard]] std::string random_hex(std::size_t bytes);

}  // namespace umbra::instance
