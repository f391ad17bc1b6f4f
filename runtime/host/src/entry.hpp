#pragma once

#include <umbra/host/file.hpp>
#include <umbra/sdk/abi.h>

#include <string>

namespace umbra::host {

/// The judgement of gate 2: the entry is whole, has what every plugin must have, and says what the
/// note says.
/// @return Why not, without the path; empty = fine.
[[nodiscard]] std::string entry_refusal(const umbra_entry_pod* entry, const Identity& note);

}  // namespace umbra::host
