#pragma once

#include <umbra/sdk/result.hpp>

#include <map>
#include <string>
#include <string_view>

namespace umbra::admin {

/// A request target taken apart: "/v1/config?key=a%2Eb" -> "/v1/config", {"key": "a.b"}.
struct Target {
    std::string path;
    std::map<std::string, std::string, std::less<>> query;
};

/// @return `invalid` for a broken percent escape and for a parameter that is given twice.
Result<Target> parse_target(std::string_view target);

}  // namespace umbra::admin
