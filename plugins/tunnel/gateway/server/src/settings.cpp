#include "settings.hpp"

#include <umbra/config/source.hpp>

#include <map>

namespace umbra::gateway {
namespace {

using config::Key;
using config::Table;
using config::Type;

Table schema() {
    Table park;
    park.name = "park";
    park.help = "Clients that wait while no instance is active.";
    park.keys = {
        Key{.name = "time",
            .type = Type::duration,
            .def = "\"10s\"",
            .min = "\"0s\"",
            .max = "\"10m\"",
            .help = "How long a client waits at most."},
        Key{.name = "clients",
            .type = Type::integer,
            .def = "1024",
            .min = "0",
            .max = "65536",
            .help = "How many wait at most."},
    };
    Table gateway;
    gateway.name = "gateway";
    gateway.required = true;
    gateway.keys = {
        Key{.name = "name", .type = Type::name, .required = true, .help = "Name of this gateway."},
        Key{.name = "data_dir",
            .type = Type::path,
            .required = true,
            .help = "Directory for keys, enrolled nodes and the register; mode 0700."},
        Key{.name = "listen",
            .type = Type::listen,
            .required = true,
            .help = "Where instances connect, for example \"0.0.0.0:7443\"."},
        Key{.name = "socks5", .type = Type::listen, .help = "SOCKS5 for clients."},
        Key{.name = "http_connect", .type = Type::listen, .help = "HTTP CONNECT for clients."},
        Key{.name = "lease",
            .type = Type::duration,
            .def = "\"600ms\"",
            .min = "\"100ms\"",
            .max = "\"1h\"",
            .help = "A holder that is silent for this long counts as gone."},
    };
    gateway.tables = {park};
    Table admin;
    admin.name = "admin";
    admin.keys = {Key{.name = "listen",
                      .type = Type::address_list,
                      .def = "\"unix:/run/umbra-gateway/admin.sock\"",
                      .help = "Where umbra-gateway status and invite ask."}};
    Table listener;
    listener.name = "listener";
    listener.named = true;
    listener.keys = {
        Key{.name = "address",
            .type = Type::listen,
            .required = true,
            .help = "Where clients connect."},
        Key{.name = "virtual",
            .type = Type::endpoint,
            .required = true,
            .help = "The virtual host and port that they get."},
        Key{.name = "pair",
            .type = Type::name,
            .def = "\"default\"",
            .help = "The pair of instances that serves it."},
    };
    Table root;
    root.tables = {gateway, admin, listener};
    return root;
}

/// Two doors on one port: the second could not be opened.
class Doors {
public:
    Doors(const config::Source& source, config::Problems& problems)
        : source_(source), problems_(problems) {}

    void add(const config::Endpoint& door, const std::string& key, config::Position at) {
        if (door.port == 0) return;
        const auto [other, added] = keys_.emplace(door, key);
        if (added) return;
        auto problem = source_.problem(
            at, "address " + to_string(door) + " is taken by " + other->second, "use another port");
        problem.key = key;
        problems_.add(std::move(problem));
    }

private:
    const config::Source& source_;
    config::Problems& problems_;
    std::map<config::Endpoint, std::string> keys_;
};

std::optional<config::Endpoint> optional_door(const config::Section& section,
                                              std::string_view key) {
    if (!section.has(key)) return std::nullopt;
    return section.endpoint(key);
}

}  // namespace

const config::Table& settings_schema() {
    static const Table table = schema();
    return table;
}

SettingsLoad load_settings(const std::filesystem::path& file) {
    SettingsLoad load;
    auto& problems = load.problems;
    const auto source = config::Source::read(file, problems);
    if (!source) return load;
    const auto tree = config::parse(*source, problems);
    if (!tree) return load;
    config::Origin origin;
    origin.source = &*source;
    const auto root = config::validate(*tree, settings_schema(), origin, problems);

    const auto& gateway = root.table("gateway");
    const auto& admin = root.table("admin");
    Doors doors(*source, problems);
    for (const auto* key : {"listen", "socks5", "http_connect"})
        if (gateway.has(key))
            doors.add(gateway.endpoint(key), std::string("gateway.") + key, gateway.at(key));
    for (const auto& listener : root.named("listener"))
        if (listener.has("address"))
            doors.add(listener.endpoint("address"), listener.path() + ".address",
                      listener.at("address"));
    if (admin.has("listen")) {
        const auto& addresses = admin.addresses("listen");
        if (addresses.size() != 1 || addresses.front().unix_path.empty())
            problems.add(source->problem(
                admin.at("listen"),
                "[admin] listen must be one Unix socket; other addresses are not supported by this "
                "version",
                "for example \"unix:/run/umbra-gateway/admin.sock\""));
    }
    if (!problems.empty()) return load;

    Settings settings;
    settings.file = file;
    settings.name = gateway.text("name");
    settings.data_dir = gateway.path("data_dir");
    settings.listen = gateway.endpoint("listen");
    settings.socks5 = optional_door(gateway, "socks5");
    settings.http_connect = optional_door(gateway, "http_connect");
    settings.lease = gateway.duration("lease");
    const auto& park = gateway.table("park");
    settings.park_time = park.duration("time");
    settings.park_clients = static_cast<std::size_t>(park.integer("clients"));
    settings.admin = to_string(admin.addresses("listen").front());
    for (const auto& listener : root.named("listener"))
        settings.listeners.push_back({listener.name(), listener.endpoint("address"),
                                      listener.endpoint("virtual"), listener.text("pair")});
    load.settings = std::move(settings);
    return load;
}

}  // namespace umbra::gateway
