#pragma once

#include <umbra/sdk/result.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace umbra::process {

/// $PATH, $HOME, $LANG and the like of this program as far as they are set, to start from.
std::vector<std::string> basic_environment();
/// The value of a name in such a list; empty when it is not there.
std::string_view value_of(const std::vector<std::string>& environment, std::string_view name);
/// A list with other entries in it; of one name the later counts. `invalid` when one is not
/// "NAME=value".
Result<std::vector<std::string>> with(std::vector<std::string> environment,
                                      const std::vector<std::string>& more);

}  // namespace umbra::process
