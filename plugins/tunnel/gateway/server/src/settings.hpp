#pragma once

#include "admission.hpp"
#include "channel_settings.hpp"
#include "register_settings.hpp"
#include <umbra/config/problem.hpp>
#include <umbra/config/schema.hpp>
#include <umbra/config/values.hpp>
#include <umbra/sdk/time.hpp>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace umbra::gateway {

inline constexpr const char* default_pair = "default";
inline constexpr const char* default_admin = "unix:/run/umbra-gateway/admin.sock";

/// A range of ports of a listener; more would hardly be meant.
inline constexpr std::size_t listener_ports_max = 1024;

/// A port for one virtual host, or as many ports as the range of the virtual host has.
struct ListenerSettings {
    std::string name;
    config::EndpointRange address;
    config::EndpointRange virtual_at;
    std::string pair;
    WayRules rules{};       ///< An empty `allow`: that of `[gateway.clients]`.
    Networks proxy_from{};  ///< Load balancers, which say whose connection it is.
};

/// For all ways in together.
struct ClientSettings {
    Networks allow;  ///< For ways in that have no list of their own.
    std::size_t total = 0;
    std::size_t per_source = 0;
};

/// gateway.toml, validated.
struct Settings {
    std::filesystem::path file;  ///< Where it was read.
    std::string name;
    std::filesystem::path data_dir;
    config::Endpoint listen;  ///< Agents.
    std::optional<config::Endpoint> socks5;
    std::optional<config::Endpoint> http_connect;
    Duration park_time{};
    std::size_t park_clients = 0;
    ClientSettings clients;
    Duration lease{};
    std::optional<SharedRegisterSettings> shared;  ///< Absent: the register is on the disk here.
    std::size_t threads = 1;  ///< Loops for the bytes of links; 0: see `Loops`.
    std::string admin;        ///< "unix:/path"
    std::vector<ListenerSettings> listeners;
    std::vector<ChannelSettings> channels;
};

struct SettingsLoad {
    std::optional<Settings> settings;  ///< Only if there is no problem at all.
    config::Problems problems;
};

/// What a gateway file may hold.
[[nodiscard]] const config::Table& settings_schema();

/// Reads a gateway file and reports all its mistakes at once.
[[nodiscard]] SettingsLoad load_settings(const std::filesystem::path& file);

}  // namespace umbra::gateway
