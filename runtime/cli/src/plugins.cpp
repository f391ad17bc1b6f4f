#include "commands.hpp"
#include "table.hpp"
#include <umbra/host/describe.hpp>
#include <umbra/host/registry.hpp>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <cstdio>

namespace umbra::cli {
namespace fs = std::filesystem;
namespace json = boost::json;

std::vector<fs::path> plugin_directories(const std::vector<std::string>& given) {
    if (!given.empty()) return {given.begin(), given.end()};
    // Beside the program, so that a moved installation and a build tree find their own.
    std::error_code code;
    const fs::path program = fs::read_symlink("/proc/self/exe", code);
    const fs::path prefix = program.parent_path().parent_path();
    for (const char* const place : {UMBRA_PLUGIN_DIR, "plugins.d"}) {
        if (!code && fs::is_directory(prefix / place, code)) return {prefix / place};
        code.clear();
    }
    return {fs::path{UMBRA_PREFIX} / UMBRA_PLUGIN_DIR};
}

int plugin_list(const std::vector<std::string>& given, bool as_json) {
    const std::vector<fs::path> directories = plugin_directories(given);
    const host::Registry registry{directories};
    json::array list;
    Table table({"KIND", "NAME", "VERSION", "FILE", "REFUSED"});
    for (const host::FileVerdict& file : registry.files()) {
        const auto identity = file.identity.value_or(host::Identity{});
        const std::string kind = file.identity ? host::kind_word(identity.kind) : std::string{};
        list.push_back(json::object{{"kind", kind},
                                    {"name", identity.name},
                                    {"version", identity.version},
                                    {"file", file.path.string()},
                                    {"usable", file.usable()},
                                    {"refusal", file.refusal}});
        table.add({kind, identity.name, identity.version, file.path.string(), file.refusal});
    }
    if (as_json) {
        print_line(json::serialize(json::object{{"plugins", std::move(list)}}));
    } else if (table.empty()) {
        std::string searched;
        for (const fs::path& directory : directories) {
            searched += (searched.empty() ? "" : ", ") + directory.string();
        }
        print_line(fmt::format("no plugins in {}", searched));
    } else {
        print_line(table.render());
    }
    return exit_done;
}

int plugin_inspect(const std::string& file, bool as_json) {
    const host::Description description = host::describe(file);
    if (as_json) {
        print_line(host::to_json(description));
    } else if (description.exists) {
        print_line(host::to_text(description));
    }
    if (!description.loadable()) return fail(exit_failed, description.refusal);
    return exit_done;
}

}  // namespace umbra::cli
