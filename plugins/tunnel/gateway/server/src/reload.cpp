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

const std::array<Row, 9> rows{{
    {"gateway.name", [](const Settings& s) { return s.name; }, "the instances were told it"},
    {"gateway.data_dir", [](const Settings& s) { return s.data_dir.string(); },
     "the register is open there"},
    {"gateway.listen", [](const Settings& s) { return to_string(s.listen); }, links},
    {"gateway.lease", [](const Settings& s) { return config::format_duration(s.lease); },
     "the instances were promised it"},
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
}};

/// The same for each listener.
struct ListenerRow {
    const char* key;
    std::string (*shown)(const ListenerSettings&);
};
const std::array<ListenerRow, 3> listener_rows{{
    {"address", [](const ListenerSettings& l) { return to_string(l.address); }},
    {"virtual", [](const ListenerSettings& l) { return to_string(l.virtual_at); }},
    {"pair", [](const ListenerSettings& l) { return l.pair; }},
}};

std::string change(const std::string& key, const std::string& from, const std::string& to) {
    return key + ": " + (from.empty() ? "none" : from) + " -> " + (to.empty() ? "none" : to);
}

const ListenerSettings* find(const Settings& settings, const std::string& name) {
    const auto found =
        std::ranges::find_if(settings.listeners, [&](const auto& l) { return l.name == name; });
    return found == settings.listeners.end() ? nullptr : &*found;
}

void compare_listener(const std::string& name, const ListenerSettings* was,
                      const ListenerSettings* is, ReloadPlan& plan) {
    for (const ListenerRow& row : listener_rows) {
        const std::string from = was == nullptr ? std::string() : row.shown(*was);
        const std::string to = is == nullptr ? std::string() : row.shown(*is);
        if (from != to) plan.live.push_back(change("listener." + name + "." + row.key, from, to));
    }
    const std::string what = "listener " + name;
    if (is == nullptr) {
        plan.close.push_back(what);
    } else if (was == nullptr || was->address != is->address) {
        plan.open.push_back({what, is->address});
    }
}

}  // namespace

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
    std::set<std::string> names;
    for (const auto* settings : {&running, &file})
        for (const auto& listener : settings->listeners) names.insert(listener.name);
    for (const auto& name : names)
        compare_listener(name, find(running, name), find(file, name), plan);
    plan.next.listeners = file.listeners;
    return plan;
}

std::vector<std::string> reload_keys() {
    std::vector<std::string> keys;
    for (const Row& row : rows) keys.emplace_back(row.key);
    for (const ListenerRow& row : listener_rows) keys.push_back(std::string("listener.") + row.key);
    return keys;
}

}  // namespace umbra::gateway
