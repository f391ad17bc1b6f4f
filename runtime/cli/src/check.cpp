#include "commands.hpp"
#include <umbra/config/check_file.hpp>
#include <umbra/host/registry.hpp>

#include <fmt/format.h>

#include <cstdio>
#include <optional>

namespace umbra::cli {
namespace {

const char* describe(config::FileKind kind) {
    switch (kind) {
        case config::FileKind::instance:
            return "an instance file";
        case config::FileKind::shared:
            return "a shared configuration";
        case config::FileKind::gateway:
            return "a gateway file";
        case config::FileKind::unknown:
            break;
    }
    return "a file of unknown kind";
}

}  // namespace

int check(const std::string& file, const std::vector<std::string>& directories) {
    std::optional<host::Registry> registry;
    const config::OpenCatalog open = [&registry](const std::vector<std::filesystem::path>& path)
        -> const config::PluginCatalog& { return registry.emplace(path); };
    const config::FileCheck result =
        config::check_file(file, open, plugin_directories(directories));
    if (result.problems.empty()) {
        print_line(fmt::format("{} is valid: {}", file, describe(result.kind)));
        return exit_done;
    }
    const std::size_t count = result.problems.count();
    const int status =
        fail(exit_usage, fmt::format("{} mistake{} in {}", count, count == 1 ? "" : "s", file));
    std::fputs(result.problems.render().c_str(), stderr);
    return status;
}

}  // namespace umbra::cli
