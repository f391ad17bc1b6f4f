#pragma once

#include <umbra/config/catalog.hpp>
#include <umbra/config/options.hpp>
#include <umbra/config/problem.hpp>
#include <umbra/config/shared_document.hpp>
#include <umbra/config/source.hpp>
#include <umbra/config/values.hpp>
#include <umbra/core/document.hpp>
#include <umbra/sdk/time.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::config {

constexpr std::size_t tunnels_max = 64;
constexpr std::size_t mappings_max = 4096;  ///< In one tunnel.
constexpr std::size_t channels_max = 1024;  ///< In one tunnel.
constexpr std::size_t probes_max = 1024;
constexpr std::size_t resources_max = 1024;  ///< In one mapping.
constexpr std::size_t backends_max = 64;     ///< Of one mapping.

/// What an `http` mapping permits.
struct Resource {
    std::string name;
    std::string path;                  ///< Begins with "/".
    bool sub_paths = false;            ///< Also what is below it, segment by segment.
    std::vector<std::string> methods;  ///< Empty: any but CONNECT and TRACE.
    bool upgrade = false;              ///< WebSocket and other protocols that take over.
    bool active = true;

    bool operator==(const Resource&) const = default;
};

/// How the backend's certificate is verified, for the protocols with `+tls`.
struct BackendTls {
    std::string server_name;  ///< Empty: the host of `internal`.
    std::string ca_file;      ///< Empty: the system's.
    std::string pin;          ///< Key, "sha256:…"; instead of CA and name.

    bool operator==(const BackendTls&) const = default;
};

struct Mapping {
    std::string name;
    EndpointRange virtual_at;         ///< What cloud clients ask for. Host in lower case.
    std::vector<Endpoint> internals;  ///< Backends; of a range: its first port. At least one.
    std::string protocol;             ///< tcp | tcp+tls | http | http+tls
    bool active = true;
    std::vector<std::string> probes{};  ///< One for each backend, in its order; or none at all.
    BackendTls tls{};
    bool proxy_v2 = false;  ///< PROXY protocol, version 2, towards the backend.
    bool rewrite_host = false;
    std::vector<Resource> resources{};

    bool operator==(const Mapping&) const = default;
};

struct Channel {
    std::string name;
    Endpoint listen;  ///< On the instance's side.
    Endpoint target;  ///< As the gateway reaches it.

    bool operator==(const Channel&) const = default;
};

struct TunnelConfig {
    std::string name, plugin;
    OptionValues options;
    std::vector<Mapping> mappings;  ///< Sorted by name, as everything here.
    std::vector<Channel> channels;

    bool operator==(const TunnelConfig&) const = default;
};

struct ProbeConfig {
    std::string name, plugin;
    Duration every{};
    OptionValues options;

    bool operator==(const ProbeConfig&) const = default;
};

struct TakeoverConfig {
    enum class Acknowledge : bool { one, both };

    Duration on_tunnel_loss{};
    Duration grace_period{};
    Acknowledge acknowledge = Acknowledge::both;
    std::string register_of_record;  ///< A tunnel that fences; empty: the first by name.

    bool operator==(const TakeoverConfig&) const = default;
};

/// What the master owns and the shadow mirrors, typed and validated.
struct SharedConfig {
    std::vector<TunnelConfig> tunnels;
    std::vector<ProbeConfig> probes;
    TakeoverConfig takeover;

    bool operator==(const SharedConfig&) const = default;
};

struct SharedLoad {
    std::optional<SharedConfig> config;      ///< Only if there is no problem at all,
    std::optional<core::Document> document;  ///< like this one. What the text comes to, if any was.
    Problems problems;
};

/// Problems name the key. An empty document is valid: no tunnels, default takeover settings.
[[nodiscard]] SharedLoad read_shared(const core::Document& document, const PluginCatalog& catalog);
/// What an update changed.
struct SharedUpdate {
    bool tunnels = false, probes = false, takeover = false;
};

/// Makes `config` what `read_shared` would make of `document`, from which it differs by `keys`
/// (canonical) at most, and reads no more than these need: keys of one mapping, of a probe, of
/// [takeover]. Nothing, and `config` is as it was, when the whole document has to be read: another
/// key changed, or something is wrong.
/// @pre `document` was judged as a whole by whoever changed it
[[nodiscard]] std::optional<SharedUpdate> update_shared(SharedConfig& config,
                                                        const core::Document& document,
                                                        const std::vector<std::string_view>& keys,
                                                        const PluginCatalog& catalog);
/// The keys (canonical) below which everything is that has to be judged with a change of `key`: of
/// a document that is valid, nothing outside becomes invalid by it. Empty: the whole document.
/// Adding a section counts against a limit, which only the whole document shows.
/// @param removed  The key goes, and with it perhaps the section it stood in.
[[nodiscard]] std::vector<std::string> judged_with(std::string_view key, bool removed);
/// Problems name file, line and column.
[[nodiscard]] SharedLoad load_shared(const Source& source, const PluginCatalog& catalog);
[[nodiscard]] SharedLoad load_shared_file(const std::filesystem::path& file,
                                          const PluginCatalog& catalog);

}  // namespace umbra::config
