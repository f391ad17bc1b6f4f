#pragma once

#include "option_schema.hpp"
#include <umbra/config/catalog.hpp>
#include <umbra/config/options.hpp>
#include <umbra/config/schema.hpp>

#include <string>

namespace umbra::config {

/// What `plugin = "..."` of a section names, or null with a problem that says what could be meant.
[[nodiscard]] const umbra_plugin* find_plugin(const PluginCatalog& catalog, umbra_kind kind,
                                              const Section& section, const Origin& origin,
                                              Problems& problems);

/// `options = {...}` of a section against the plugin that it names.
[[nodiscard]] OptionValues section_options(const PluginCatalog& catalog, const umbra_plugin& plugin,
                                           const Section& section, const Origin& origin,
                                           Problems& problems);

/// The two keys of every section that uses a plugin.
[[nodiscard]] Key plugin_key(umbra_kind kind, std::string def = {});
[[nodiscard]] Key options_key();

}  // namespace umbra::config
