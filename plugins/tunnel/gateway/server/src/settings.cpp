#include "settings.hpp"

#include <umbra/config/source.hpp>
#include <umbra/gateway/loops.hpp>

#include <algorithm>
#include <map>

namespace umbra::gateway {
namespace {

using config::Key;
using config::Table;
using config::Type;

Key limit_key(const char* name, const char* help) {
    return Key{.name = name,
               .type = Type::integer,
               .def = "0",
               .min = "0",
               .max = "1000000",
               .help = help};
}

Key allow_key(const char* help) {
    return Key{.name = "allow", .type = Type::string_list, .help = help};
}

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
    Table clients;
    clients.name = "clients";
    clients.help = "Who may connect by any way in, and how many at once.";
    clients.keys = {
        allow_key("Networks whose clients are let in where a listener has no \"allow\" of its own; "
                  "everybody without it."),
        limit_key("total", "How many at once in total; 0: as many as files may be open."),
        limit_key("per_source", "How many at once from one address (IPv6: from one /64)."),
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
    gateway.keys.push_back(
        Key{.name = "threads",
            .type = Type::integer,
            .def = "0",
            .min = "0",
            .max = std::to_string(loops_max),
            .help = "Threads that carry streams; 0: one for every two processors."});
    gateway.tables = {park, clients, register_schema()};
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
            .type = Type::listen_range,
            .required = true,
            .help = "Where clients connect: a port, or a range of ports."},
        Key{.name = "virtual",
            .type = Type::endpoint_range,
            .required = true,
            .help = "The virtual host and port that they get; of a range, port for port."},
        Key{.name = "pair",
            .type = Type::name,
            .def = "\"default\"",
            .help = "The pair of instances that serves it."},
        allow_key("Networks whose clients are let in; without it those of [gateway.clients]."),
        limit_key("clients", "How many at once."),
        limit_key("clients_per_source", "How many at once from one address (IPv6: from one /64)."),
        Key{.name = "proxy_from",
            .type = Type::string_list,
            .def = "[]",
            .help = "Networks of load balancers, all of whose connections begin with a header of "
                    "the PROXY protocol, version 2; nobody else may connect then."},
    };
    Table root;
    root.tables = {gateway, admin, listener, channel_schema()};
    return root;
}

/// Two doors on one port: the second could not be opened.
class Doors {
public:
    Doors(const config::Source& source, config::Problems& problems)
        : source_(source), problems_(problems) {}

    void add(const config::EndpointRange& ports, const std::string& key, config::Position at) {
        for (unsigned port = ports.first; port != 0 && port <= ports.last; ++port) {
            const config::Endpoint door{ports.host, static_cast<std::uint16_t>(port)};
            const auto [other, added] = keys_.emplace(door, key);
            if (added) continue;
            auto problem =
                source_.problem(at, "address " + to_string(door) + " is taken by " + other->second,
                                "use another port");
            problem.key = key;
            return problems_.add(std::move(problem));
        }
    }
    void add(const config::Endpoint& door, const std::string& key, config::Position at) {
        add(config::EndpointRange{door.host, door.port, door.port}, key, at);
    }

private:
    const config::Source& source_;
    config::Problems& problems_;
    std::map<config::Endpoint, std::string> keys_;
};

/// Networks of a list; each wrong one is a mistake.
class NetworkReader {
public:
    NetworkReader(const config::Source& source, config::Problems& problems)
        : source_(source), problems_(problems) {}

    Networks read(const config::Section& section, const char* key) {
        Networks networks;
        if (!section.has(key)) return networks;
        const auto complain = [&](std::string text, std::string help) {
            auto problem = source_.problem(section.at(key), std::move(text), std::move(help));
            problem.key = section.path() + "." + key;
            problems_.add(std::move(problem));
        };
        for (const auto& text : section.list(key)) {
            auto network = Network::parse(text);
            if (network)
                networks.push_back(*network);
            else
                complain("\"" + text + "\" is no network", network.error().message);
        }
        if (section.list(key).empty() && section.find(key)->given)
            complain("an empty list would let nobody in", "leave the key out, or name a network");
        return networks;
    }

private:
    const config::Source& source_;
    config::Problems& problems_;
};

std::size_t ports_of(const config::EndpointRange& range) {
    return static_cast<std::size_t>(range.last) - range.first + 1;
}

/// What is wrong with a listener as a whole; empty when nothing is.
std::string ports_fault(const ListenerSettings& listener) {
    const auto own = ports_of(listener.address), wanted = ports_of(listener.virtual_at);
    if (own > listener_ports_max)
        return "address has " + std::to_string(own) + " ports, the limit is " +
               std::to_string(listener_ports_max);
    if (own != wanted)
        return "address has " + std::to_string(own) + " ports, virtual has " +
               std::to_string(wanted);
    return {};
}

ListenerSettings read_listener(const config::Section& section, NetworkReader& networks) {
    ListenerSettings listener{section.name(), section.endpoint_range("address"),
                              section.endpoint_range("virtual"), section.text("pair")};
    listener.rules.allow = networks.read(section, "allow");
    listener.rules.clients = static_cast<std::size_t>(section.integer("clients"));
    listener.rules.per_source = static_cast<std::size_t>(section.integer("clients_per_source"));
    listener.proxy_from = networks.read(section, "proxy_from");
    return listener;
}

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
    NetworkReader networks(*source, problems);
    std::vector<ListenerSettings> listeners;
    for (const auto& section : root.named("listener")) {
        if (section.has("address"))
            doors.add(section.endpoint_range("address"), section.path() + ".address",
                      section.at("address"));
        // Else it has a mistake that was reported.
        const auto keys = {"address", "virtual", "pair", "clients", "clients_per_source"};
        if (!std::ranges::all_of(keys, [&](const char* key) { return section.has(key); })) continue;
        listeners.push_back(read_listener(section, networks));
        if (auto fault = ports_fault(listeners.back()); !fault.empty()) {
            auto problem = source->problem(section.at("address"), std::move(fault),
                                           "give both the same number of ports");
            problem.key = section.path() + ".address";
            problems.add(std::move(problem));
        }
    }
    const auto& clients = gateway.table("clients");
    ClientSettings client_settings{networks.read(clients, "allow")};
    auto channels = load_channels(root.named("channel"), *source, problems);
    if (admin.has("listen")) {
        const auto& addresses = admin.addresses("listen");
        if (addresses.size() != 1 || addresses.front().unix_path.empty())
            problems.add(source->problem(
                admin.at("listen"),
                "[admin] listen must be one Unix socket; other addresses are not supported by this "
                "version",
                "for example \"unix:/run/umbra-gateway/admin.sock\""));
    }
    auto shared =
        load_register(gateway.table("register"), *source,
                      gateway.has("lease") ? gateway.duration("lease") : Duration{}, problems);
    if (!problems.empty()) return load;

    Settings settings;
    settings.shared = std::move(shared);
    settings.file = file;
    settings.name = gateway.text("name");
    settings.data_dir = gateway.path("data_dir");
    settings.listen = gateway.endpoint("listen");
    settings.socks5 = optional_door(gateway, "socks5");
    settings.http_connect = optional_door(gateway, "http_connect");
    settings.lease = gateway.duration("lease");
    settings.threads = static_cast<std::size_t>(gateway.integer("threads"));
    const auto& park = gateway.table("park");
    settings.park_time = park.duration("time");
    settings.park_clients = static_cast<std::size_t>(park.integer("clients"));
    settings.admin = to_string(admin.addresses("listen").front());
    client_settings.total = static_cast<std::size_t>(clients.integer("total"));
    client_settings.per_source = static_cast<std::size_t>(clients.integer("per_source"));
    settings.clients = std::move(client_settings);
    settings.listeners = std::move(listeners);
    settings.channels = std::move(channels);
    load.settings = std::move(settings);
    return load;
}

}  // namespace umbra::gateway
