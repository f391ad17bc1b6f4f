#include "reload.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace umbra::gateway {
namespace {

std::string text(const std::optional<config::Endpoint>& door) {
    return door ? to_string(*door) : std::string();
}

/// A key with one value: how it is shown, and how it is taken over if that works at once.
struct Row {
    const char* key;
    std::string (*shown)(const Settings&);
    const char* why_not;  ///< Null: at once.
    void (*adopt)(Settings&, const Settings&) = nullptr;
    const char* door = nullptr;  ///< What is opened there, or closed when the key is gone.
    std::optional<config::Endpoint> (*address)(const Settings&) = nullptr;
};

constexpr const char* links = "the links of the instances depend on it";

std::string text(std::size_t limit) { return limit == 0 ? "" : std::to_string(limit); }

constexpr const char* shares = "the register is open there, with the other gateways";

/// A value of [gateway.register]; with store = "file" there is none.
template <auto Member>
std::string of_register(const Settings& s) {
    return s.shared ? (*s.shared).*Member : std::string();
}

const std::array rows = std::to_array<Row>({
    {"gateway.name", [](const Settings& s) { return s.name; }, "the instances were told it"},
    {"gateway.data_dir", [](const Settings& s) { return s.data_dir.string(); },
     "the register is open there"},
    {"gateway.listen", [](const Settings& s) { return to_string(s.listen); }, links},
    {"gateway.lease", [](const Settings& s) { return config::format_duration(s.lease); },
     "the instances were promised it"},
    {"gateway.register.store",
     [](const Settings& s) { return std::string(s.shared ? "etcd" : "file"); },
     "the register is open there"},
    {"gateway.register.endpoints", of_register<&SharedRegisterSettings::endpoints>, shares},
    {"gateway.register.prefix", of_register<&SharedRegisterSettings::prefix>, shares},
    {"gateway.register.user", of_register<&SharedRegisterSettings::user>, shares},
    {"gateway.register.password_file", of_register<&SharedRegisterSettings::password_file>, shares},
    {"gateway.register.ca_file", of_register<&SharedRegisterSettings::ca_file>, shares},
    {"gateway.register.cert_file", of_register<&SharedRegisterSettings::cert_file>, shares},
    {"gateway.register.key_file", of_register<&SharedRegisterSettings::key_file>, shares},
    {"gateway.register.hold",
     [](const Settings& s) { return s.shared ? config::format_duration(s.shared->hold) : ""; },
     "the other gateways were promised it"},
    {"gateway.threads", [](const Settings& s) { return std::to_string(s.threads); }, links},
    {"gateway.park.time", [](const Settings& s) { return config::format_duration(s.park_time); },
     nullptr, [](Settings& s, const Settings& file) { s.park_time = file.park_time; }},
    {"gateway.park.clients", [](const Settings& s) { return std::to_string(s.park_clients); },
     nullptr, [](Settings& s, const Settings& file) { s.park_clients = file.park_clients; }},
    {"gateway.socks5", [](const Settings& s) { return text(s.socks5); }, nullptr,
     [](Settings& s, const Settings& file) { s.socks5 = file.socks5; }, "socks5",
     [](const Settings& s) { return s.socks5; }},
    {"gateway.http_connect", [](const Settings& s) { return text(s.http_connect); }, nullptr,
     [](Settings& s, const Settings& file) { s.http_connect = file.http_connect; }, "http_connect",
     [](const Settings& s) { return s.http_connect; }},
    {"admin.listen", [](const Settings& s) { return s.admin; },
     "the admin socket is opened at the start"},
    {"gateway.clients.allow", [](const Settings& s) { return to_text(s.clients.allow); }, nullptr,
     [](Settings& s, const Settings& file) { s.clients.allow = file.clients.allow; }},
    {"gateway.clients.total", [](const Settings& s) { return text(s.clients.total); }, nullptr,
     [](Settings& s, const Settings& file) { s.clients.total = file.clients.total; }},
    {"gateway.clients.per_source", [](const Settings& s) { return text(s.clients.per_source); },
     nullptr,
     [](Settings& s, const Settings& file) { s.clients.per_source = file.clients.per_source; }},
});

/// The same for each listener.
struct ListenerRow {
    const char* key;
    std::string (*shown)(const ListenerSettings&);
};
const std::array listener_rows = std::to_array<ListenerRow>({
    {"address", [](const ListenerSettings& l) { return to_string(l.address); }},
    {"virtual", [](const ListenerSettings& l) { return to_string(l.virtual_at); }},
    {"pair", [](const ListenerSettings& l) { return l.pair; }},
    {"allow",
     [](const ListenerSettings& l) {
         return l.rules.allow.empty() ? std::string() : to_text(l.rules.allow);
     }},
    {"clients", [](const ListenerSettings& l) { return text(l.rules.clients); }},
    {"clients_per_source", [](const ListenerSettings& l) { return text(l.rules.per_source); }},
    {"proxy_from",
     [](const ListenerSettings& l) {
         return l.proxy_from.empty() ? std::string() : to_text(l.proxy_from);
     }},
});

/// The same for each channel.
struct ChannelRow {
    const char* key;
    std::string (*shown)(const ChannelSettings&);
};
const std::array channel_rows = std::to_array<ChannelRow>({
    {"target", [](const ChannelSettings& c) { return to_string(c.target); }},
    {"address", [](const ChannelSettings& c) { return to_string(c.address); }},
    {"pair", [](const ChannelSettings& c) { return c.pair; }},
});

std::string change(const std::string& key, const std::string& from, const std::string& to) {
    return key + ": " + (from.empty() ? "none" : from) + " -> " + (to.empty() ? "none" : to);
}

template <class T>
const T* find(const std::vector<T>& all, const std::string& name) {
    const auto found = std::ranges::find(all, name, &T::name);
    return found == all.end() ? nullptr : &*found;
}

template <class T>
std::set<std::string> names_of(const std::vector<T>& a, const std::vector<T>& b) {
    std::set<std::string> names;
    for (const auto* all : {&a, &b})
        for (const T& one : *all) names.insert(one.name);
    return names;
}

/// Lines about what differs between the two, either of which may be null.
template <class Rows, class T>
void compare(const Rows& keys, const std::string& path, const T* was, const T* is,
             ReloadPlan& plan) {
    for (const auto& row : keys) {
        const std::string from = was == nullptr ? std::string() : row.shown(*was);
        const std::string to = is == nullptr ? std::string() : row.shown(*is);
        if (from != to) plan.live.push_back(change(path + "." + row.key, from, to));
    }
}

void compare_listener(const std::string& name, const ListenerSettings* was,
                      const ListenerSettings* is, ReloadPlan& plan) {
    compare(listener_rows, "listener." + name, was, is, plan);
    const auto before = was == nullptr ? std::vector<NewDoor>() : doors_of(*was);
    const auto after = is == nullptr ? std::vector<NewDoor>() : doors_of(*is);
    for (const auto& door : after)
        if (std::ranges::count(before, door) == 0) plan.open.push_back(door);
    for (const auto& door : before) {
        const auto stays = [&](const NewDoor& other) { return other.what == door.what; };
        if (std::ranges::none_of(after, stays)) plan.close.push_back(door.what);
    }
}

}  // namespace

std::vector<NewDoor> doors_of(const ListenerSettings& listener) {
    std::vector<NewDoor> doors;
    const auto& range = listener.address;
    for (unsigned port = range.first; port <= range.last; ++port)
        doors.push_back({"listener " + listener.name + ":" + std::to_string(port),
                         {range.host, static_cast<std::uint16_t>(port)},
                         listener.name});
    return doors;
}

ReloadPlan plan_reload(const Settings& running, const Settings& file) {
    ReloadPlan plan;
    plan.next = running;
    for (const Row& row : rows) {
        const std::string from = row.shown(running), to = row.shown(file);
        if (from == to) continue;
        const std::string line = change(row.key, from, to);
        if (row.why_not != nullptr) {
            plan.restart.push_back(line + " (" + row.why_not + ")");
            continue;
        }
        plan.live.push_back(line);
        row.adopt(plan.next, file);
        if (row.door == nullptr) continue;
        if (const auto address = row.address(file)) {
            plan.open.push_back({row.door, *address});
        } else {
            plan.close.emplace_back(row.door);
        }
    }
    for (const auto& name : names_of(running.listeners, file.listeners))
        compare_listener(name, find(running.listeners, name), find(file.listeners, name), plan);
    plan.next.listeners = file.listeners;
    for (const auto& name : names_of(running.channels, file.channels))
        compare(channel_rows, "channel." + name, find(running.channels, name),
                find(file.channels, name), plan);
    plan.next.channels = file.channels;
    return plan;
}

std::vector<std::string> reload_keys() {
    std::vector<std::string> keys;
    for (const Row& row : rows) keys.emplace_back(row.key);
    for (const ListenerRow& row : listener_rows) keys.push_back(std::string("listener.") + row.key);
    for (const ChannelRow& row : channel_rows) keys.push_back(std::string("channel.") + row.key);
    return keys;
}

}  // namespace umbra::gateway
