#include "plugin_use.hpp"

#include "literal.hpp"

namespace umbra::config {

const umbra_plugin* find_plugin(const PluginCatalog& catalog, umbra_kind kind,
                                const Section& section, const Origin& origin, Problems& problems) {
    if (!section.has("plugin")) return nullptr;
    const std::string& name = section.text("plugin");
    if (const umbra_plugin* plugin = catalog.find(kind, name)) return plugin;
    const std::string why = catalog.why_missing(kind, name);
    std::string help = suggest(name, catalog.names(kind));
    if (help.empty()) {
        help = "no " + std::string(kind_name(kind)) +
               " plugin was found at all: check the path "
               "of [plugins]";
    }
    problems.add(origin.problem(section.at("plugin"), section.path() + ".plugin",
                                "there is no " + std::string(kind_name(kind)) + " plugin " +
                                    in_quotes(name) + (why.empty() ? "" : ": " + why),
                                std::move(help)));
    return nullptr;
}

OptionValues section_options(const PluginCatalog& catalog, const umbra_plugin& plugin,
                             const Section& section, const Origin& origin, Problems& problems) {
    OptionsPlace place;
    place.path = section.path() + ".options";
    place.at = section.at();
    if (const Value* options = section.find("options")) {
        place.table = &options->node;
        place.at = options->given ? options->node.at : section.at();
    }
    return read_options(plugin, catalog.schemas().of(plugin), place, origin, problems);
}

Key plugin_key(umbra_kind kind, std::string def) {
    return {.name = "plugin",
            .required = def.empty(),
            .def = std::move(def),
            .help = std::string("the name of a ") + kind_name(kind) +
                    " plugin; `umbra plugin list` shows what is there"};
}

Key options_key() {
    return {.name = "options", .type = Type::table, .help = "write options = { KEY = VALUE }"};
}

}  // namespace umbra::config
