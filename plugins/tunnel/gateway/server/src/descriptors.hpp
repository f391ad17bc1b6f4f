#pragma once

#include <cstddef>

namespace umbra::gateway {

/// Raises the soft limit of open files to the hard one: each client needs one.
/// @return How many may be open, as far as that is of interest: 64 to 1,048,576.
[[nodiscard]] std::size_t raise_descriptor_limit();

}  // namespace umbra::gateway
