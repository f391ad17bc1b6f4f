#include "literal.hpp"
#include <umbra/config/instance_file.hpp>
#include <umbra/config/reload.hpp>

#include <algorithm>
#include <array>
#include <map>

namespace umbra::config {

namespace {

using Text = std::optional<std::string>;

constexpr std::string_view masked = "(secret)";

/// One key: when a change of it counts, how its value is shown and, if it counts at once, how it is
/// taken over. Two values are the same when they are shown the same.
struct Row {
    std::string_view key;
    ReloadEffect effect;
    std::string_view reason;                         ///< Why not at once.
    Text (*shown)(const InstanceConfig&) = nullptr;  ///< Null: options, see below.
    void (*adopt)(InstanceConfig&, const InstanceConfig&) = nullptr;
    /// Why a change that usually counts at once needs a restart this time; empty = it does not.
    std::string_view (*obstacle)(const InstanceConfig& running,
                                 const InstanceConfig& file) = nullptr;
};

Text quoted(const std::string& text) { return string_literal(text); }
Text quoted_or_none(const std::string& text) {
    return text.empty() ? Text() : Text(string_literal(text));
}
Text duration(Duration value) { return string_literal(format_duration(value)); }

template <class Items, class ToText>
Text list(const Items& items, ToText to_text) {
    std::string out;
    for (const auto& item : items) out += (out.empty() ? "" : ", ") + string_literal(to_text(item));
    return "[" + out + "]";
}

/// With what it becomes while nobody arbitrates, where that differs.
Text takeover_delay(const PeerConfig& peer) {
    const Duration fenced = peer.takeover_delay_for(true);
    const Duration unfenced = peer.takeover_delay_for(false);
    std::string text = string_literal(format_duration(fenced));
    if (unfenced != fenced) {
        text += " (" + format_duration(unfenced) + " while no tunnel provider can arbitrate)";
    }
    return text;
}

/// A link to the other instance can be turned elsewhere only where there is one and it stays.
std::string_view no_link(const InstanceConfig& running, const InstanceConfig& file) {
    if (running.transport.plugin.empty()) return "there is no [transport] until then";
    if (running.transport.plugin != file.transport.plugin) {
        return "the transport plugin changes with it";
    }
    return {};
}

constexpr std::string_view timers =
    "the timers of the pair are fixed when the takeover decisions begin";
constexpr std::string_view first =
    "it counts at the very first start only; see `umbra switch`, "
    "`umbra role set`";

using Config = InstanceConfig;

const auto rows = std::to_array<Row>({
    {"instance.name", ReloadEffect::restart,
     "the data directory belongs to this name: another name needs another data_dir",
     [](const Config& c) { return quoted(c.name); }},
    {"instance.role", ReloadEffect::first_start, first,
     [](const Config& c) { return quoted(c.role == core::Role::master ? "master" : "shadow"); }},
    {"instance.data_dir", ReloadEffect::restart,
     "everything that this instance keeps is open there",
     [](const Config& c) { return quoted(c.data_dir.string()); }},
    {"plugins.path", ReloadEffect::restart, "a loaded plugin stays loaded until the process ends",
     [](const Config& c) {
         return list(c.plugin_path, [](const auto& path) { return path.string(); });
     }},
    {"peer.enabled",
     ReloadEffect::live,
     {},
     [](const Config& c) { return Text(c.peer.enabled ? "true" : "false"); },
     [](Config& running, const Config& file) { running.peer.enabled = file.peer.enabled; },
     [](const Config& running, const Config& file) {
         // Off is possible whatever becomes of the transport.
         return file.peer.enabled ? no_link(running, file) : std::string_view();
     }},
    {"peer.permitted", ReloadEffect::restart, "who may be the shadow is fixed at the start",
     [](const Config& c) { return quoted_or_none(c.peer.permitted.value_or("")); }},
    {"peer.profile", ReloadEffect::restart, timers,
     [](const Config& c) { return quoted(c.peer.profile); }},
    {"peer.check_interval", ReloadEffect::restart, timers,
     [](const Config& c) { return duration(c.peer.check_interval); }},
    {"peer.connect_timeout", ReloadEffect::restart, timers,
     [](const Config& c) { return duration(c.peer.connect_timeout); }},
    {"peer.request_timeout", ReloadEffect::restart, timers,
     [](const Config& c) { return duration(c.peer.request_timeout); }},
    {"peer.takeover_delay", ReloadEffect::restart, timers,
     [](const Config& c) { return takeover_delay(c.peer); }},
    {"transport.plugin", ReloadEffect::restart, "the link to the other instance is made of it",
     [](const Config& c) { return quoted_or_none(c.transport.plugin); }},
    {"transport.options", ReloadEffect::restart, "the transport opens once, with its options"},
    {"transport.peer.publish",
     ReloadEffect::live,
     {},
     [](const Config& c) { return quoted_or_none(c.transport.peer_publish); },
     [](Config& running, const Config& file) {
         running.transport.peer_publish = file.transport.peer_publish;
     },
     no_link},
    {"transport.peer.respond",
     ReloadEffect::live,
     {},
     [](const Config& c) { return quoted_or_none(c.transport.peer_respond); },
     [](Config& running, const Config& file) {
         running.transport.peer_respond = file.transport.peer_respond;
     },
     no_link},
    {"storage.plugin", ReloadEffect::restart,
     "the configuration is open in it; umbra storage migrate copies it while the instance is "
     "stopped",
     [](const Config& c) { return quoted(c.storage.plugin); }},
    {"storage.options", ReloadEffect::restart, "the storage opens once, with its options"},
    {"admin.listen", ReloadEffect::restart, "the admin addresses are opened at the start",
     [](const Config& c) {
         return list(c.admin_listen, [](const auto& address) { return to_string(address); });
     }},
    {"log.level",
     ReloadEffect::live,
     {},
     [](const Config& c) { return quoted(c.log_level); },
     [](Config& running, const Config& file) { running.log_level = file.log_level; }},
    {"log.format",
     ReloadEffect::live,
     {},
     [](const Config& c) { return quoted(c.log_format); },
     [](Config& running, const Config& file) { running.log_format = file.log_format; }},
    {"shared.initial", ReloadEffect::first_start,
     "it is imported at the start of a master that never was one; see `umbra config apply`",
     [](const Config& c) {
         return c.shared_initial ? quoted(c.shared_initial->string()) : Text();
     }},
});

using Options = std::map<std::string, ShownOption>;

Options options_of(const OptionValues& values) {
    Options options;
    for (const ShownOption& one : values.shown()) options[one.key] = one;
    return options;
}

/// Those of one plugin. Of two plugins nothing is compared: the change of the plugin says it all.
/// The own endpoints are the host's, so any two transports have them.
std::pair<Options, Options> options_of(const Row& row, const Config& running, const Config& file) {
    std::pair<Options, Options> out;
    if (row.key == "storage.options") {
        if (running.storage.plugin != file.storage.plugin) return out;
        return {options_of(running.storage.options), options_of(file.storage.options)};
    }
    if (running.transport.plugin == file.transport.plugin) {
        out = {options_of(running.transport.options), options_of(file.transport.options)};
    }
    if (running.transport.plugin.empty() || file.transport.plugin.empty()) return out;
    const auto add_own = [](Options& options, const TransportConfig& transport) {
        options["publish"] = {"publish", string_literal(transport.own_publish)};
        options["respond"] = {"respond", string_literal(transport.own_respond)};
    };
    add_own(out.first, running.transport);
    add_own(out.second, file.transport);
    return out;
}

ShownOption find(const Options& options, const std::string& key) {
    const auto found = options.find(key);
    return found == options.end() ? ShownOption{key, {}} : found->second;
}

Text shown(const ShownOption& option) {
    return option.secret && option.literal ? Text(masked) : option.literal;
}

void compare_options(const Row& row, const Config& running, const Config& file, ReloadPlan& plan) {
    const auto [before, after] = options_of(row, running, file);
    Options keys = before;
    keys.insert(after.begin(), after.end());
    for (const auto& [key, unused] : keys) {
        const ShownOption was = find(before, key), is = find(after, key);
        if (was.literal == is.literal) continue;
        ReloadChange change{std::string(row.key) + "." + key, shown(was), shown(is), {}};
        const bool live = was.live && is.live;
        if (!live) change.reason = row.reason;
        (live ? plan.live : plan.restart).push_back(std::move(change));
    }
}

}  // namespace

ReloadPlan plan_reload(const InstanceConfig& running, const InstanceConfig& file) {
    ReloadPlan plan;
    for (const Row& row : rows) {
        if (row.shown == nullptr) {
            compare_options(row, running, file, plan);
            continue;
        }
        ReloadChange change{std::string(row.key), row.shown(running), row.shown(file),
                            std::string(row.reason)};
        if (change.from == change.to) continue;
        if (row.effect == ReloadEffect::first_start) {
            plan.ignored.push_back(std::move(change));
            continue;
        }
        if (row.obstacle != nullptr) change.reason = row.obstacle(running, file);
        const bool live = row.effect == ReloadEffect::live && change.reason.empty();
        (live ? plan.live : plan.restart).push_back(std::move(change));
    }
    return plan;
}

void adopt(InstanceConfig& running, const InstanceConfig& file, std::string_view key) {
    if (key.starts_with(transport_options)) {
        running.transport.options = running.transport.options.with_live(file.transport.options);
        return;
    }
    if (key.starts_with(storage_options)) {
        running.storage.options = running.storage.options.with_live(file.storage.options);
        return;
    }
    const auto row = std::find_if(rows.begin(), rows.end(),
                                  [key](const Row& candidate) { return candidate.key == key; });
    if (row != rows.end() && row->adopt != nullptr) row->adopt(running, file);
}

std::vector<ReloadDecision> reload_decisions() {
    std::vector<ReloadDecision> decisions;
    for (const Row& row : rows) decisions.push_back({row.key, row.effect});
    return decisions;
}

}  // namespace umbra::config
