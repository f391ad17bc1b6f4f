#include <umbra/config/check_file.hpp>
#include <umbra/config/instance_file.hpp>
#include <umbra/config/shared_config.hpp>

#include <algorithm>
#include <array>
#include <string_view>

namespace umbra::config {

namespace {

struct Landmark {
    std::string_view table;
    FileKind kind;
};

/// Tables that stand in one kind of file only. ([admin] is in two.)
constexpr std::array<Landmark, 12> landmarks{{{"instance", FileKind::instance},
                                              {"plugins", FileKind::instance},
                                              {"peer", FileKind::instance},
                                              {"transport", FileKind::instance},
                                              {"storage", FileKind::instance},
                                              {"log", FileKind::instance},
                                              {"shared", FileKind::instance},
                                              {"tunnel", FileKind::shared},
                                              {"probe", FileKind::shared},
                                              {"takeover", FileKind::shared},
                                              {"gateway", FileKind::gateway},
                                              {"listener", FileKind::gateway}}};

void check_initial(const std::filesystem::path& file, const PluginCatalog& catalog,
                   Problems& problems) {
    problems.add(load_shared_file(file, catalog).problems);
}

}  // namespace

FileKind file_kind(const Node& root) {
    std::array<int, 4> votes{};
    for (const Landmark& landmark : landmarks) {
        if (root.find(landmark.table) != nullptr) ++votes[static_cast<std::size_t>(landmark.kind)];
    }
    const auto most = std::max_element(votes.begin(), votes.end());
    if (*most == 0) return root.find("admin") == nullptr ? FileKind::unknown : FileKind::instance;
    return static_cast<FileKind>(most - votes.begin());
}

FileCheck check_file(const std::filesystem::path& file, const OpenCatalog& open_catalog,
                     const std::vector<std::filesystem::path>& directories) {
    FileCheck check;
    const auto source = Source::read(file, check.problems);
    if (!source) return check;
    const auto root = parse(*source, check.problems);
    if (!root) return check;
    check.kind = file_kind(*root);
    switch (check.kind) {
        case FileKind::instance: {
            const PluginCatalog* catalog = nullptr;
            auto load = load_instance(*source, [&](const auto& named) -> const PluginCatalog& {
                catalog = &open_catalog(named);
                return *catalog;
            });
            check.problems.add(load.problems);
            if (load.config && load.config->shared_initial) {
                check_initial(*load.config->shared_initial, *catalog, check.problems);
            }
            break;
        }
        case FileKind::shared:
            check.problems.add(load_shared(*source, open_catalog(directories)).problems);
            break;
        case FileKind::gateway:
            check.problems.add(source->problem({1, 1}, "this is a file of the gateway",
                                               "check it with: umbra-gateway check FILE"));
            break;
        case FileKind::unknown:
            check.problems.add(source->problem(
                {1, 1}, "this is neither an instance file nor a shared configuration",
                "an instance file has the table [instance]; a shared configuration has "
                "[tunnel.NAME], [probe.NAME] or [takeover]"));
            break;
    }
    return check;
}

}  // namespace umbra::config
