#pragma once

#include <umbra/core/log.hpp>
#include <umbra/sdk/result.hpp>

#include <string>
#include <vector>

namespace umbra::instance {

/// The entries of the log that bring a configuration from `file`: one, or as many as it takes for
/// each to be within the limits of an entry. A larger one could be neither sent nor read again.
/// @param changes  As of core::difference.
/// @return `invalid` for a value that fits into no entry.
[[nodiscard]] Result<std::vector<core::Entry>> import_entries(std::vector<core::Change> changes,
                                                              const std::string& file);

}  // namespace umbra::instance
