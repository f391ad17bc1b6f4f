#pragma once

#include <cstddef>

namespace umbra::base {

/// Raises the soft limit of open files to the hard one: each stream needs one.
/// Programs that are started later inherit it.
/// @return How many may be open, as far as that is of interest: 64 to 1,048,576.
[[nodiscard]] std::size_t raise_descriptor_limit();

}  // namespace umbra::base
