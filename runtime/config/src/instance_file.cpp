#include "plugin_use.hpp"
#include <umbra/config/instance_file.hpp>

#include <algorithm>
#include <array>

namespace umbra::config {

namespace {

using std::chrono::milliseconds;

struct Profile {
    std::string_view name;
    Duration check_interval, connect_timeout, request_timeout, takeover_delay;
};

constexpr std::array<Profile, 3> profiles{{
    {"fast", milliseconds{50}, milliseconds{200}, milliseconds{200}, milliseconds{250}},
    {"balanced", milliseconds{100}, milliseconds{500}, milliseconds{500}, milliseconds{500}},
    {"patient", milliseconds{1000}, milliseconds{2000}, milliseconds{3000}, milliseconds{5000}},
}};

/// One missed check is not silence: the delay covers this many intervals at least.
constexpr int intervals_min = 2;

Table instance_section() {
    return {.name = "instance",
            .required = true,
            .keys = {{.name = "name",
                      .type = Type::name,
                      .required = true,
                      .help = "unique in the pair, for example name = \"alpha\""},
                     {.name = "role",
                      .type = Type::choice,
                      .required = true,
                      .choices = {"master", "shadow"},
                      .help = "the role at the very first start; one instance of the pair is the "
                              "master"},
                     {.name = "data_dir",
                      .type = Type::path,
                      .required = true,
                      .help = "where the instance keeps its state, for example data_dir = "
                              "\"/var/lib/umbra\""}},
            .help = "an instance file begins with [instance]"};
}

Table peer_section() {
    const auto timer = [](std::string name, std::string min, std::string help) {
        return Key{.name = std::move(name),
                   .type = Type::duration,
                   .min = std::move(min),
                   .max = "\"1h\"",
                   .help = std::move(help)};
    };
    return {.name = "peer",
            .keys = {{.name = "enabled", .type = Type::boolean, .def = "false"},
                     {.name = "permitted",
                      .type = Type::name,
                      .help = "the name of the only instance that may be the shadow"},
                     {.name = "profile",
                      .type = Type::choice,
                      .def = "\"balanced\"",
                      .choices = {"fast", "balanced", "patient"},
                      .help = "sets the timers, each of which may also be set by itself"},
                     timer("check_interval", "\"10ms\"", "how often the shadow pings the master"),
                     timer("connect_timeout", "\"10ms\"", "longest wait for a connection"),
                     timer("request_timeout", "\"10ms\"", "longest wait for an answer"),
                     timer("takeover_delay", "\"20ms\"",
                           "how long the master may be silent before the shadow takes over")}};
}

Table transport_section() {
    const auto endpoint = [](std::string name) {
        return Key{.name = std::move(name), .type = Type::url, .required = true};
    };
    return {.name = "transport",
            .keys = {plugin_key(UMBRA_KIND_TRANSPORT), options_key()},
            .tables = {{.name = "peer",
                        .keys = {endpoint("publish"), endpoint("respond")},
                        .help = "peer = { publish = \"tcp://host:port\", respond = "
                                "\"tcp://host:port\" }, the other side's endpoints"}}};
}

Table instance_table() {
    Table root;
    root.tables = {
        instance_section(),
        {.name = "plugins",
         .keys = {{.name = "path",
                   .type = Type::path_list,
                   .def = "[\"/usr/lib/umbra/plugins\"]",
                   .help = "the directories that are searched for plugins, in order"}}},
        peer_section(),
        transport_section(),
        {.name = "storage", .keys = {plugin_key(UMBRA_KIND_STORAGE, "\"file\""), options_key()}},
        {.name = "admin",
         .keys = {{.name = "listen",
                   .type = Type::address_list,
                   .def = "\"unix:/run/umbra/admin.sock\""}}},
        {.name = "log",
         .keys = {{.name = "level",
                   .type = Type::choice,
                   .def = "\"info\"",
                   .choices = {"trace", "debug", "info", "warn", "error"}},
                  {.name = "format",
                   .type = Type::choice,
                   .def = "\"text\"",
                   .choices = {"text", "json"}}}},
        {.name = "shared",
         .keys = {{.name = "initial",
                   .type = Type::path,
                   .help = "a shared configuration, imported until the instance was master "
                           "for the first time"}}}};
    return root;
}

/// Turns validated sections into the typed configuration and checks what no schema can say.
class InstanceReader {
public:
    InstanceReader(const PluginCatalog& catalog, const Origin& origin, Problems& problems)
        : catalog_(catalog), origin_(origin), problems_(problems) {}

    InstanceConfig read(const Section& root) {
        InstanceConfig config;
        read_instance(root.table("instance"), config);
        if (root.table("plugins").has("path")) {
            for (const std::string& directory : root.table("plugins").list("path")) {
                config.plugin_path.emplace_back(directory);
            }
        }
        read_peer(root.table("peer"), config);
        read_transport(root.table("transport"), config);
        read_storage(root.table("storage"), config.storage);
        if (root.table("admin").has("listen")) {
            config.admin_listen = root.table("admin").addresses("listen");
        }
        const Section& log = root.table("log");
        if (log.has("level")) config.log_level = log.text("level");
        if (log.has("format")) config.log_format = log.text("format");
        if (root.table("shared").has("initial")) {
            config.shared_initial = root.table("shared").path("initial");
        }
        check_pair(root, config);
        return config;
    }

private:
    void report(const Section& section, const std::string& key, std::string text,
                std::string help = {}) {
        problems_.add(origin_.problem(section.at(key), section.path() + "." + key, std::move(text),
                                      std::move(help)));
    }

    void read_instance(const Section& section, InstanceConfig& config) {
        if (section.has("name")) config.name = section.text("name");
        if (section.has("data_dir")) config.data_dir = section.path("data_dir");
        if (section.has("role") && section.text("role") == "master") {
            config.role = core::Role::master;
        }
    }

    void read_peer(const Section& section, InstanceConfig& config) {
        PeerConfig& peer = config.peer;
        if (section.has("enabled")) peer.enabled = section.boolean("enabled");
        if (section.has("permitted")) peer.permitted = section.text("permitted");
        if (peer.permitted && *peer.permitted == config.name) {
            report(section, "permitted", "\"permitted\" is this instance itself",
                   "name the other instance of the pair");
        }
        peer.profile = section.has("profile") ? section.text("profile") : "balanced";
        const auto* profile = std::find_if(profiles.begin(), profiles.end(), [&](const Profile& p) {
            return p.name == peer.profile;
        });
        const auto timer = [&](std::string_view key, Duration usual) {
            return section.has(key) ? section.duration(key) : usual;
        };
        peer.check_interval = timer("check_interval", profile->check_interval);
        peer.connect_timeout = timer("connect_timeout", profile->connect_timeout);
        peer.request_timeout = timer("request_timeout", profile->request_timeout);
        peer.takeover_delay = timer("takeover_delay", profile->takeover_delay);
        peer.takeover_delay_given = section.has("takeover_delay");
        // Silence counts from the question that stayed without an answer, so a delay can only be
        // kept if that question's time is up by then. Of the two, what was not given gives way.
        if (!section.has("request_timeout")) {
            peer.request_timeout = std::min(peer.request_timeout, peer.takeover_delay);
        } else if (!peer.takeover_delay_given) {
            peer.takeover_delay = std::max(peer.takeover_delay, peer.request_timeout);
        }
        check_timers(section, peer);
    }

    void check_timers(const Section& section, const PeerConfig& peer) {
        if (peer.request_timeout > peer.takeover_delay) {
            report(section, "request_timeout",
                   "request_timeout (" + format_duration(peer.request_timeout) +
                       ") must not be longer than takeover_delay (" +
                       format_duration(peer.takeover_delay) + ")",
                   "a check has to be able to fail before the delay that it starts is over");
        }
        const Duration least = intervals_min * peer.check_interval;
        if (peer.takeover_delay >= least) return;
        const auto origin_of = [&](std::string_view key) {
            return section.has(key) ? std::string() : ", from profile " + in_quotes(peer.profile);
        };
        report(section, peer.takeover_delay_given ? "takeover_delay" : "check_interval",
               "takeover_delay (" + format_duration(peer.takeover_delay) +
                   origin_of("takeover_delay") + ") must be at least " +
                   std::to_string(intervals_min) + " x check_interval (" +
                   format_duration(peer.check_interval) + origin_of("check_interval") + "), " +
                   format_duration(least),
               "one missed check is not silence");
    }

    void read_transport(const Section& section, InstanceConfig& config) {
        if (!section.given()) return;
        TransportConfig& transport = config.transport;
        const Section& peer = section.table("peer");
        if (peer.has("publish")) transport.peer_publish = peer.text("publish");
        if (peer.has("respond")) transport.peer_respond = peer.text("respond");
        const umbra_plugin* plugin =
            find_plugin(catalog_, UMBRA_KIND_TRANSPORT, section, origin_, problems_);
        if (section.has("plugin")) transport.plugin = section.text("plugin");
        read_own_endpoints(section, plugin, transport);
        check_endpoints(section, transport);
    }

    /// `publish` and `respond` are the host's, which hands them to the transport when it opens it;
    /// a plugin that declares them as options gets them there too. The rest is the plugin's.
    void read_own_endpoints(const Section& section, const umbra_plugin* plugin,
                            TransportConfig& transport) {
        Node options;
        options.at = section.at();
        if (const Value* given = section.find("options")) options = given->node;
        const auto text = [&](std::string_view key) {
            const Entry* entry = options.find(key);
            return entry == nullptr ? std::string() : entry->value.text;
        };
        transport.own_publish = text("publish");
        transport.own_respond = text("respond");

        Table schema{.name = "transport.options"};
        Node own;
        own.at = options.at;
        for (const char* key : {"publish", "respond"}) {
            if (plugin != nullptr && declares(*plugin, key)) continue;
            schema.keys.push_back({.name = key,
                                   .type = Type::url,
                                   .required = true,
                                   .help = "the own endpoint, for example \"tcp://0.0.0.0:7401\""});
            if (const Entry* entry = options.find(key)) {
                own.entries.push_back(*entry);
                std::erase_if(options.entries, [key](const Entry& e) { return e.key == key; });
            }
        }
        (void)validate(own, schema, origin_, problems_);
        if (plugin == nullptr) return;
        const OptionsPlace place{.table = &options,
                                 .path = "transport.options",
                                 .at = options.at,
                                 .also = {"publish", "respond"}};
        transport.options = read_options(*plugin, place, origin_, problems_);
    }

    static bool declares(const umbra_plugin& plugin, std::string_view key) {
        std::vector<std::string> faults;  // read_options() reports them.
        const std::vector<Key> keys = option_keys(plugin, faults);
        return std::any_of(keys.begin(), keys.end(), [key](const Key& k) { return k.name == key; });
    }

    /// All four are different places, except that any number of own ones may ask for a free port.
    void check_endpoints(const Section& section, const TransportConfig& transport) {
        struct Named {
            const char* name;
            const std::string* endpoint;
            Position at;
        };
        const Section& peer = section.table("peer");
        const Node* options = section.has("options") ? &section.node("options") : nullptr;
        const auto place = [&](const char* key) {
            const Entry* entry = options == nullptr ? nullptr : options->find(key);
            return entry == nullptr ? section.at() : entry->value.at;
        };
        const std::array<Named, 4> all{{
            {"transport.options.publish", &transport.own_publish, place("publish")},
            {"transport.options.respond", &transport.own_respond, place("respond")},
            {"transport.peer.publish", &transport.peer_publish, peer.at("publish")},
            {"transport.peer.respond", &transport.peer_respond, peer.at("respond")},
        }};
        for (std::size_t i = 0; i < all.size(); ++i) {
            for (std::size_t j = i + 1; j < all.size(); ++j) {
                if (all[i].endpoint->empty() || *all[i].endpoint != *all[j].endpoint) continue;
                if (all[i].endpoint->ends_with(":0")) continue;
                // Either may stand first in the file; the later one is the slip.
                const Named& later = all[j].at < all[i].at ? all[i] : all[j];
                const Named& earlier = all[j].at < all[i].at ? all[j] : all[i];
                problems_.add(
                    origin_.problem(later.at, later.name,
                                    std::string(later.name) + " is the same endpoint as " +
                                        earlier.name + ", " + in_quotes(*later.endpoint),
                                    "each of the four endpoints of a pair is a place of its own"));
            }
        }
    }

    void read_storage(const Section& section, StorageConfig& storage) {
        const umbra_plugin* plugin =
            find_plugin(catalog_, UMBRA_KIND_STORAGE, section, origin_, problems_);
        if (section.has("plugin")) storage.plugin = section.text("plugin");
        if (plugin != nullptr) {
            storage.options = section_options(catalog_, *plugin, section, origin_, problems_);
        }
    }

    void check_pair(const Section& root, const InstanceConfig& config) {
        const Section& instance = root.table("instance");
        const bool is_shadow = instance.has("role") && instance.text("role") == "shadow";
        if (is_shadow && root.table("peer").has("enabled") && !config.peer.enabled) {
            report(instance, "role", "a shadow needs high availability, which is off",
                   "set enabled = true under [peer]");
        }
        if (config.peer.enabled && !root.table("transport").given()) {
            report(root.table("peer"), "enabled",
                   "high availability is enabled, but there is no [transport]",
                   "add [transport] with plugin = \"zeromq\", options = { publish = ..., respond = "
                   "... } and peer = { publish = ..., respond = ... }");
        }
        if (root.table("admin").has("listen") && config.admin_listen.empty()) {
            report(root.table("admin"), "listen", "\"listen\" is empty, so nobody could administer",
                   "for example listen = \"unix:/run/umbra/admin.sock\"");
        }
    }

    const PluginCatalog& catalog_;
    const Origin& origin_;
    Problems& problems_;
};

}  // namespace

Duration PeerConfig::takeover_delay_for(bool fenced) const {
    if (takeover_delay_given || fenced) return takeover_delay;
    return std::max(takeover_delay, takeover_delay_unfenced);
}

const Table& instance_schema() {
    static const Table schema = instance_table();
    return schema;
}

InstanceLoad load_instance(const Source& source, const OpenCatalog& open_catalog) {
    InstanceLoad load;
    const auto root = parse(source, load.problems);
    if (!root) return load;
    const Origin origin{.source = &source};
    const Section section = validate(*root, instance_schema(), origin, load.problems);
    std::vector<std::filesystem::path> directories;
    if (section.table("plugins").has("path")) {
        for (const auto& path : section.table("plugins").list("path"))
            directories.emplace_back(path);
    }
    const PluginCatalog& catalog = open_catalog(directories);
    InstanceConfig config = InstanceReader(catalog, origin, load.problems).read(section);
    if (!load.problems.empty()) return load;
    config.file = source.name();
    load.config = std::move(config);
    return load;
}

InstanceLoad load_instance_file(const std::filesystem::path& file,
                                const OpenCatalog& open_catalog) {
    InstanceLoad load;
    const auto source = Source::read(file, load.problems);
    if (!source) return load;
    return load_instance(*source, open_catalog);
}

InstanceLoad load_instance_file(const std::filesystem::path& file, const PluginCatalog& catalog) {
    return load_instance_file(file,
                              [&catalog](const auto&) -> const PluginCatalog& { return catalog; });
}

}  // namespace umbra::config
