#pragma once

#include "options.hpp"
#include <umbra/sdk/result.hpp>

#include <string>
#include <vector>

namespace umbra::ssh_tunnel {

/// The name under which pinned host keys stand in the file that host_keys are written to.
inline constexpr const char* host_key_alias = "umbra-tunnel";

/// Refuses what ssh would read as something else, and what would undo what the provider relies on.
/// `invalid`, with the option's name and what is allowed. Pure.
Result<Done> check(const SshOptions& options);

/// The arguments of the client: no configuration of the system or a user is read, nothing is asked
/// for, only the given key and host key count. Pure.
/// @param control  Where it listens for requests (its ControlPath). @param known_hosts  File.
std::vector<std::string> command_line(const SshOptions& options, const std::string& control,
                                      const std::string& known_hosts);

/// The lines of the file for `host_keys`.
std::string known_hosts_text(const std::vector<std::string>& host_keys);

}  // namespace umbra::ssh_tunnel
