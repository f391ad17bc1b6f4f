#pragma once

#include <umbra/config/catalog.hpp>
#include <umbra/config/options.hpp>
#include <umbra/config/problem.hpp>
#include <umbra/config/schema.hpp>
#include <umbra/config/source.hpp>
#include <umbra/config/values.hpp>
#include <umbra/core/types.hpp>
#include <umbra/sdk/time.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace umbra::config {

/// Shortest takeover delay of a pair in which nobody can arbitrate, unless the user sets one.
constexpr Duration takeover_delay_unfenced = std::chrono::seconds{10};

struct PeerConfig {
    bool enabled = false;
    std::optional<std::string> permitted;
    std::string profile;  ///< fast | balanced | patient
    Duration check_interval{}, connect_timeout{}, request_timeout{};
    Duration takeover_delay{};          ///< As given, or the profile's.
    bool takeover_delay_given = false;  ///< The user set the key itself.

    /// What to use, by whether a tunnel provider of the pair can arbitrate.
    [[nodiscard]] Duration takeover_delay_for(bool fenced) const;
};

struct TransportConfig {
    std::string plugin;  ///< Empty: no [transport]; only where high availability is off.
    std::string own_publish, own_respond;    ///< options.publish, options.respond
    std::string peer_publish, peer_respond;  ///< May be empty: known after `umbra peer join`.
    OptionValues options;                    ///< What else the plugin declares.
};

struct StorageConfig {
    std::string plugin;
    OptionValues options;
};

/// Instance file as contract.md fixes it, validated; paths are absolute or relative to the process.
struct InstanceConfig {
    std::filesystem::path file;
    std::string name;
    core::Role role = core::Role::shadow;  ///< At the very first start.
    std::filesystem::path data_dir;
    std::vector<std::filesystem::path> plugin_path;
    PeerConfig peer;
    TransportConfig transport;
    StorageConfig storage;
    std::vector<ListenAddress> admin_listen;
    std::string log_level;   ///< trace debug info warn error
    std::string log_format;  ///< text json
    std::optional<std::filesystem::path> shared_initial;
};

/// What an instance file may hold, apart from what the plugins declare.
[[nodiscard]] const Table& instance_schema();

struct InstanceLoad {
    std::optional<InstanceConfig> config;  ///< Only if there is no problem at all.
    Problems problems;
};

/// Reads and checks an instance file; all mistakes at once.
/// @param open_catalog  Called once, with [plugins] path, unless the file cannot be parsed.
[[nodiscard]] InstanceLoad load_instance_file(const std::filesystem::path& file,
                                              const OpenCatalog& open_catalog);
[[nodiscard]] InstanceLoad load_instance_file(const std::filesystem::path& file,
                                              const PluginCatalog& catalog);
/// The same for text that was read before.
[[nodiscard]] InstanceLoad load_instance(const Source& source, const OpenCatalog& open_catalog);

}  // namespace umbra::config
