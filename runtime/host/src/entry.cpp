#include "entry.hpp"

#include <cstring>
#include <dlfcn.h>
#include <set>
#include <string_view>

namespace umbra::host {

namespace {

constexpr std::size_t options_max = 1000;  // beyond this the count is garbage

bool same(const char* text, const std::string& wanted) { return text != nullptr && wanted == text; }

std::string option_fault(const umbra_plugin& plugin) {
    if (plugin.option_count == 0) return {};
    if (plugin.options == nullptr || plugin.option_count > options_max)
        return "has a damaged option table; rebuild it";
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i < plugin.option_count; ++i) {
        const umbra_option& option = plugin.options[i];
        const std::string place = "has a damaged option table at entry " + std::to_string(i);
        if (option.struct_size < sizeof(umbra_option))
            return place + " (wrong size); rebuild the plugin";
        if (option.key == nullptr || *option.key == '\0')
            return place + " (no key); give it one and rebuild the plugin";
        if (!seen.insert(option.key).second)
            return "declares the option " + std::string{option.key} +
                   " twice; remove one and rebuild the plugin";
    }
    return {};
}

/// What was added later may be missing.
constexpr std::size_t lifecycle_size_min = offsetof(umbra_lifecycle, change_options);

std::string missing_part(const umbra_plugin& plugin) {
    const umbra_lifecycle* life = plugin.life;
    if (life == nullptr || life->struct_size < lifecycle_size_min || life->create == nullptr)
        return "create";
    if (life->stop == nullptr) return "stop";
    if (life->destroy == nullptr) return "destroy";
    if (plugin.api == nullptr) return "operations";
    return {};
}

}  // namespace

std::string entry_refusal(const umbra_entry_pod* entry, const Identity& note) {
    const std::string damaged = "the file is damaged or was not made by UMBRA_PLUGIN(), rebuild it";
    // A symbol of this name that is no alias at all gives a wild pointer here.
    Dl_info where{};
    if (dladdr(entry, &where) == 0 || entry->magic != UMBRA_ABI_MAGIC ||
        entry->struct_size < sizeof(umbra_entry_pod))
        return "its " UMBRA_ENTRY_SYMBOL " leads to no entry; " + damaged;
    const umbra_plugin* plugin = entry->plugin;
    if (plugin == nullptr || plugin->struct_size < sizeof(umbra_plugin))
        return "its entry names no plugin; " + damaged;
    const char* differs = nullptr;
    if (entry->abi_major != note.abi_major || entry->abi_minor != note.abi_minor) differs = "ABI";
    if (plugin->kind != note.kind) differs = "kind";
    if (!same(plugin->name, note.name)) differs = "name";
    if (!same(plugin->version, note.version)) differs = "version";
    if (differs != nullptr)
        return "its entry and its note disagree about the " + std::string{differs} + "; " + damaged;
    if (const auto part = missing_part(*plugin); !part.empty())
        return "has no " + part + " function; fill in the table and rebuild the plugin";
    return option_fault(*plugin);
}

}  // namespace umbra::host
