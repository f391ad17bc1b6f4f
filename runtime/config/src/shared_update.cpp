// A change of the shared configuration, without reading what did not change.

#include <umbra/config/shared_config.hpp>
#include <umbra/config/shared_document.hpp>

#include <algorithm>
#include <set>
#include <utility>

namespace umbra::config {

namespace {

/// The sections that changed keys are in.
struct Sections {
    std::set<std::pair<std::string, std::string>> mappings;  ///< Of a tunnel.
    std::set<std::string> probes;
    bool takeover = false;
};

/// Nothing when one of the keys is in no section that can be read by itself.
std::optional<Sections> sections_of(const std::vector<std::string_view>& keys) {
    Sections sections;
    std::string_view before;
    for (const auto key : keys) {
        if (key == std::exchange(before, key)) continue;
        const auto parts = split_key(key);
        if (parts.size() == 2 && parts[0] == "takeover" && parts[1] != "register") {
            sections.takeover = true;
        } else if (parts.size() > 2 && parts[0] == "probe") {
            sections.probes.insert(parts[1]);
        } else if (parts.size() > 4 && parts[0] == "tunnel" && parts[2] == "mapping") {
            sections.mappings.emplace(parts[1], parts[3]);
        } else {
            return std::nullopt;
        }
    }
    return sections;
}

/// These sections, and what they cannot be read without.
core::Document part_of(const core::Document& document, const Sections& sections) {
    core::Document part;
    const auto take = [&](const std::vector<std::string>& root) {
        auto below = subset(document, join_key(root));
        part.merge(below);
    };
    for (const auto& [tunnel, mapping] : sections.mappings) {
        take({"tunnel", tunnel, "plugin"});
        take({"tunnel", tunnel, "options"});
        take({"tunnel", tunnel, "mapping", mapping});
    }
    for (const auto& probe : sections.probes) take({"probe", probe});
    if (!sections.mappings.empty()) take({"probe"});  // Mappings name them.
    if (sections.takeover) take({"takeover"});
    // It names a tunnel, which is not here.
    part.erase("takeover.register");
    return part;
}

/// The one in `list` with this name, which is sorted, becomes the one in `fresh`, or goes.
template <class T>
void replace(std::vector<T>& list, const std::vector<T>& fresh, const std::string& name) {
    const auto by_name = [](const T& one, const std::string& wanted) { return one.name < wanted; };
    const auto place = std::lower_bound(list.begin(), list.end(), name, by_name);
    const auto found = std::lower_bound(fresh.begin(), fresh.end(), name, by_name);
    const bool was = place != list.end() && place->name == name;
    const bool is = found != fresh.end() && found->name == name;
    if (was && is) {
        *place = *found;
    } else if (was) {
        list.erase(place);
    } else if (is) {
        list.insert(place, *found);
    }
}

template <class T>
T* find(std::vector<T>& list, const std::string& name) {
    const auto found =
        std::find_if(list.begin(), list.end(), [&](const T& one) { return one.name == name; });
    return found == list.end() ? nullptr : &*found;
}

}  // namespace

std::optional<SharedUpdate> update_shared(SharedConfig& config, const core::Document& document,
                                          const std::vector<std::string_view>& keys,
                                          const PluginCatalog& catalog) {
    const auto sections = sections_of(keys);
    if (!sections) return std::nullopt;
    auto load = read_shared(part_of(document, *sections), catalog);
    if (!load.config) return std::nullopt;
    auto& fresh = *load.config;
    for (const auto& [tunnel, mapping] : sections->mappings) {
        // A tunnel that comes or goes does so with its `plugin`.
        if (find(config.tunnels, tunnel) == nullptr || find(fresh.tunnels, tunnel) == nullptr)
            return std::nullopt;
    }
    for (const auto& [tunnel, mapping] : sections->mappings)
        replace(find(config.tunnels, tunnel)->mappings, find(fresh.tunnels, tunnel)->mappings,
                mapping);
    for (const auto& probe : sections->probes) replace(config.probes, fresh.probes, probe);
    if (sections->takeover) {
        fresh.takeover.register_of_record = std::move(config.takeover.register_of_record);
        config.takeover = std::move(fresh.takeover);
    }
    return SharedUpdate{!sections->mappings.empty(), !sections->probes.empty(), sections->takeover};
}

}  // namespace umbra::config
