#pragma once

#include <umbra/sdk/result.hpp>
#include <umbra/sdk/tunnel.hpp>

#include <string>

namespace umbra::exec_tunnel {

/// What a command is told about its tunnel, as JSON; the README describes it. Pure.
std::string mappings_json(const std::string& tunnel, const TunnelSpec& spec, std::uint64_t epoch);

/// Replaces a file as a whole, mode 0600. `exhausted` or `unavailable` with its name.
Result<Done> replace_file(const std::string& path, const std::string& text);

}  // namespace umbra::exec_tunnel
