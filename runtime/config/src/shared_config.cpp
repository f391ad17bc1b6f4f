#include "literal.hpp"
#include "mapping_reader.hpp"
#include "plugin_use.hpp"
#include <umbra/config/shared_config.hpp>
#include <umbra/config/shared_document.hpp>

#include <algorithm>
#include <set>
#include <tuple>

namespace umbra::config {

namespace {

Table channel_table() {
    return {.name = "channel",
            .named = true,
            .keys = {{.name = "listen",
                      .type = Type::listen,
                      .required = true,
                      .help = "where the instance listens, for example \"127.0.0.1:5433\""},
                     {.name = "target",
                      .type = Type::endpoint,
                      .required = true,
                      .help = "as the gateway reaches it, for example \"db.cloud:5432\""}}};
}

Table shared_table() {
    Table root;
    root.tables.push_back({.name = "tunnel",
                           .named = true,
                           .keys = {plugin_key(UMBRA_KIND_TUNNEL), options_key()},
                           .tables = {mapping_table(), channel_table()}});
    root.tables.push_back({.name = "probe",
                           .named = true,
                           .keys = {plugin_key(UMBRA_KIND_PROBE),
                                    options_key(),
                                    {.name = "every",
                                     .type = Type::duration,
                                     .def = "\"2s\"",
                                     .min = "\"50ms\"",
                                     .max = "\"1h\"",
                                     .help = "how often it is checked"}}});
    root.tables.push_back(
        {.name = "takeover",
         .keys = {{.name = "on_tunnel_loss",
                   .type = Type::duration,
                   .def = "\"5s\"",
                   .min = "\"100ms\"",
                   .max = "\"1h\"",
                   .help = "how long the tunnels may be lost before the roles switch"},
                  {.name = "grace_period",
                   .type = Type::duration,
                   .def = "\"30s\"",
                   .min = "\"0s\"",
                   .max = "\"1h\"",
                   .help = "how long open streams live on after a switch"},
                  {.name = "acknowledge",
                   .type = Type::choice,
                   .def = "\"both\"",
                   .choices = {"both", "one"},
                   .help = "on how many instances an edit is durable before it is acknowledged"},
                  {.name = "register",
                   .type = Type::name,
                   .help = "tunnel whose gateway grants the role; else the first by name that "
                           "fences"}}});
    return root;
}

bool has_capability(const umbra_plugin& plugin, std::string_view wanted) {
    const char* const* capability = plugin.capabilities;
    for (; capability != nullptr && *capability != nullptr; ++capability)
        if (*capability == wanted) return true;
    return false;
}

/// Turns validated sections into the typed configuration and checks what no schema can say.
class SharedReader {
public:
    SharedReader(const PluginCatalog& catalog, const Origin& origin, Problems& problems)
        : catalog_(catalog), origin_(origin), problems_(problems) {}

    SharedConfig read(const Section& root) {
        SharedConfig config;
        limit(root, "tunnel", tunnels_max);
        limit(root, "probe", probes_max);
        for (const Section& section : root.named("probe")) probes_.insert(section.name());
        for (const Section& section : root.named("tunnel")) {
            config.tunnels.push_back(tunnel(section));
            tunnel_names_.push_back(section.name());
        }
        for (const Section& section : root.named("probe")) config.probes.push_back(probe(section));
        config.takeover = takeover(root.table("takeover"));
        check_channel_listeners();
        return config;
    }

private:
    void report(const Section& section, const std::string& key, std::string text,
                std::string help = {}) {
        problems_.add(origin_.problem(section.at(key), section.path() + "." + key, std::move(text),
                                      std::move(help)));
    }

    void limit(const Section& section, const std::string& group, std::size_t max) {
        const auto& members = section.named(group);
        if (members.size() <= max) return;
        const std::string path = (section.path().empty() ? "" : section.path() + ".") + group;
        problems_.add(origin_.problem(members[max].at(), path,
                                      "there are " + std::to_string(members.size()) + " of [" +
                                          path + ".NAME], but at most " + std::to_string(max) +
                                          " are allowed"));
    }

    TunnelConfig tunnel(const Section& section) {
        TunnelConfig out;
        out.name = section.name();
        if (const auto* plugin =
                find_plugin(catalog_, UMBRA_KIND_TUNNEL, section, origin_, problems_)) {
            out.plugin = section.text("plugin");
            out.options = section_options(catalog_, *plugin, section, origin_, problems_);
            if (has_capability(*plugin, UMBRA_CAP_FENCES)) fencing_.push_back(out.name);
        } else {
            fencing_.push_back(out.name);  // Nobody knows; that there is no such plugin was said.
        }
        limit(section, "mapping", mappings_max);
        limit(section, "channel", channels_max);
        for (const Section& inner : section.named("mapping")) {
            limit(inner, "resource", resources_max);
            out.mappings.push_back(read_mapping(inner, probes_, origin_, problems_));
        }
        for (const Section& inner : section.named("channel"))
            out.channels.push_back(channel(inner));
        check_virtual_endpoints(section.named("mapping"));
        return out;
    }

    Channel channel(const Section& section) {
        Channel out;
        out.name = section.name();
        if (section.has("target")) out.target = section.endpoint("target");
        if (section.has("listen")) {
            out.listen = section.endpoint("listen");
            listeners_.push_back({out.listen, &section});
        }
        return out;
    }

    ProbeConfig probe(const Section& section) {
        ProbeConfig out;
        out.name = section.name();
        if (section.has("every")) out.every = section.duration("every");
        if (const auto* plugin =
                find_plugin(catalog_, UMBRA_KIND_PROBE, section, origin_, problems_)) {
            out.plugin = section.text("plugin");
            out.options = section_options(catalog_, *plugin, section, origin_, problems_);
        }
        return out;
    }

    TakeoverConfig takeover(const Section& section) {
        TakeoverConfig out;
        if (section.has("on_tunnel_loss")) out.on_tunnel_loss = section.duration("on_tunnel_loss");
        if (section.has("grace_period")) out.grace_period = section.duration("grace_period");
        if (section.has("acknowledge") && section.text("acknowledge") == "one") {
            out.acknowledge = TakeoverConfig::Acknowledge::one;
        }
        if (section.has("register")) {
            out.register_of_record = section.text("register");
            check_register(section, out.register_of_record);
        }
        return out;
    }

    void check_register(const Section& section, const std::string& name) {
        if (std::ranges::count(fencing_, name) != 0) return;
        const auto& tunnels = tunnel_names_;
        if (std::ranges::count(tunnels, name) != 0)
            return report(
                section, "register",
                "the provider of [tunnel." + name + "] cannot fence, so it keeps no register",
                fencing_.empty() ? "leave it out: no tunnel here fences" : suggest(name, fencing_));
        report(section, "register", "there is no [tunnel." + name + "]",
               fencing_.empty() ? "leave it out: no tunnel here fences" : suggest(name, fencing_));
    }

    /// A client's request must have one answer: of two mappings in one tunnel, no virtual endpoint
    /// is the same, not even when one is suspended.
    void check_virtual_endpoints(const std::vector<Section>& mappings) {
        struct Use {
            EndpointRange range;
            const Section* section;
        };
        std::vector<Use> uses;
        for (const Section& section : mappings) {
            if (section.has("virtual"))
                uses.push_back({section.endpoint_range("virtual"), &section});
        }
        std::stable_sort(uses.begin(), uses.end(), [](const Use& a, const Use& b) {
            return std::tie(a.range.host, a.range.first) < std::tie(b.range.host, b.range.first);
        });
        const Use* widest = nullptr;  // Of this host, the one that reaches furthest so far.
        for (const Use& use : uses) {
            if (widest == nullptr || widest->range.host != use.range.host) {
                widest = &use;
                continue;
            }
            if (use.range.first <= widest->range.last)
                report_overlap(*widest->section, *use.section);
            if (use.range.last > widest->range.last) widest = &use;
        }
    }

    /// Points at the one that comes later in the file.
    void report_overlap(const Section& a, const Section& b) {
        const bool swap = b.at() < a.at();
        const Section& earlier = swap ? b : a;
        const Section& later = swap ? a : b;
        report(later, "virtual",
               "virtual endpoint " + in_quotes(to_string(later.endpoint_range("virtual"))) +
                   " is also served by [" + earlier.path() + "] (" +
                   in_quotes(to_string(earlier.endpoint_range("virtual"))) + ")",
               "each virtual endpoint of a tunnel belongs to one mapping");
    }

    void check_channel_listeners() {
        std::stable_sort(
            listeners_.begin(), listeners_.end(),
            [](const Listener& a, const Listener& b) { return a.endpoint < b.endpoint; });
        for (std::size_t i = 1; i < listeners_.size(); ++i) {
            const Listener& before = listeners_[i - 1];
            const Listener& here = listeners_[i];
            if (here.endpoint.port == 0 || here.endpoint != before.endpoint) continue;
            report(*here.section, "listen",
                   "[" + before.section->path() + "] already listens on " +
                       in_quotes(to_string(here.endpoint)));
        }
    }

    struct Listener {
        Endpoint endpoint;
        const Section* section;
    };

    const PluginCatalog& catalog_;
    const Origin& origin_;
    Problems& problems_;
    std::set<std::string> probes_;           ///< Names; what mappings may refer to.
    std::vector<std::string> tunnel_names_;  ///< Of tunnels.
    std::vector<std::string> fencing_;       ///< Of those, whose provider fences.
    std::vector<Listener> listeners_;        ///< Of all tunnels: they are ports of one host.
};

SharedConfig read_tree(const Node& root, const PluginCatalog& catalog, const Origin& origin,
                       Problems& problems) {
    static const Table schema = shared_table();
    const Section section = validate(root, schema, origin, problems);
    return SharedReader(catalog, origin, problems).read(section);
}

}  // namespace

SharedLoad read_shared(const core::Document& document, const PluginCatalog& catalog) {
    SharedLoad load;
    const Node root = to_tree(document, load.problems);
    const Origin origin{.paths_absolute = true};
    SharedConfig config = read_tree(root, catalog, origin, load.problems);
    if (load.problems.empty()) load.config = std::move(config);
    return load;
}

std::vector<std::string> judged_with(std::string_view key, bool removed) {
    auto parts = split_key(key);
    if (parts.empty()) return {};
    // A mapping refers to probes; of the other mappings it must not have a virtual endpoint, and
    // more than that it has not to do with them.
    if (parts.size() > 4 && parts[0] == "tunnel" && parts[2] == "mapping" &&
        parts[4] != "virtual") {
        const std::string tunnel = join_key({parts[0], parts[1]});
        parts.resize(4);
        return {join_key(parts), tunnel + ".plugin", tunnel + ".options", "probe"};
    }
    // Channels of all tunnels share the ports of one host, and the register of record is one of
    // the tunnels.
    if (parts[0] == "tunnel") return {"tunnel", "probe", "takeover"};
    if (parts[0] == "takeover" && parts.size() == 2 && parts[1] != "register")
        return {std::string(key)};
    if (parts[0] == "takeover") return {"takeover", "tunnel", "probe"};
    if (parts[0] != "probe" || parts.size() < 2 || removed) return {};
    parts.resize(2);
    return {join_key(parts)};
}

SharedLoad load_shared(const Source& source, const PluginCatalog& catalog) {
    SharedLoad load;
    const auto root = parse(source, load.problems);
    if (!root) return load;
    const Origin origin{.source = &source, .paths_absolute = true};
    SharedConfig config = read_tree(*root, catalog, origin, load.problems);
    ParsedDocument parsed = to_document(*root, source, load.problems);
    if (load.problems.empty()) {
        load.document = std::move(parsed.document);
        load.config = std::move(config);
    }
    return load;
}

SharedLoad load_shared_file(const std::filesystem::path& file, const PluginCatalog& catalog) {
    SharedLoad load;
    const auto source = Source::read(file, load.problems);
    if (!source) return load;
    return load_shared(*source, catalog);
}

}  // namespace umbra::config
