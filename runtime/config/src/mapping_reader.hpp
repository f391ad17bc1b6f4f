#pragma once

#include <umbra/config/schema.hpp>
#include <umbra/config/shared_config.hpp>

#include <set>
#include <string>

namespace umbra::config {

/// What [tunnel.X.mapping.Y] may hold.
[[nodiscard]] Table mapping_table();

/// Turns a validated [tunnel.X.mapping.Y] into the typed mapping, and reports what contradicts
/// itself.
/// @param probes  Names of all [probe.X].
[[nodiscard]] Mapping read_mapping(const Section& section, const std::set<std::string>& probes,
                                   const Origin& origin, Problems& problems);

/// What is wrong with the path of a resource, as a sentence; empty when a request can match it.
[[nodiscard]] std::string resource_path_fault(std::string_view path);

}  // namespace umbra::config
