#include "offline_instance.hpp"

#include <umbra/config/shared_document.hpp>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace umbra::instance {

namespace {

Error mistakes(const std::string& name, const config::Problems& problems) {
    return {Errc::invalid, name + ": " + std::to_string(problems.count()) +
                               (problems.count() == 1 ? " mistake" : " mistakes") + "\n" +
                               problems.render()};
}

}  // namespace

const config::Node* OfflineInstance::storage_options() const {
    const auto* storage = root.find("storage");
    const auto* options = storage == nullptr ? nullptr : storage->value.find("options");
    return options == nullptr ? nullptr : &options->value;
}

Result<OfflineInstance> read_instance(const config::Source& source) {
    config::Problems problems;
    auto root = config::parse(source, problems);
    if (!root) return mistakes(source.name(), problems);
    std::unique_ptr<host::Registry> registry;
    auto load = config::load_instance(
        source, config::OpenCatalog{[&](const auto& directories) -> const config::PluginCatalog& {
            registry = std::make_unique<host::Registry>(directories);
            return *registry;
        }});
    if (!load.config) return mistakes(source.name(), load.problems);
    return OfflineInstance{source, std::move(*root), std::move(*load.config), std::move(registry)};
}

Result<OfflineInstance> read_instance(const std::filesystem::path& file) {
    config::Problems problems;
    const auto source = config::Source::read(file, problems);
    if (!source) return mistakes(file.string(), problems);
    return read_instance(*source);
}

Result<config::OptionValues> storage_options(const OfflineInstance& instance,
                                             const std::string& plugin, const config::Node* given,
                                             const std::vector<std::string>& set) {
    const auto loaded = instance.registry->load(UMBRA_KIND_STORAGE, plugin);
    if (!loaded) return loaded.error();
    config::Node table = given == nullptr ? config::Node{} : *given;
    config::Problems problems;
    for (const std::string& word : set) {
        const auto split = word.find('=');
        if (split == std::string::npos) {
            return Error{Errc::invalid, "--set takes KEY=VALUE, not " + config::in_quotes(word)};
        }
        const auto changes = config::set_changes({}, word.substr(0, split), word.substr(split + 1));
        if (!changes) return changes.error();
        core::Document document;
        core::apply(document, *changes);
        for (auto& entry : config::to_tree(document, problems).entries) {
            table.get(entry.key).value = std::move(entry.value);
        }
    }
    const config::Origin origin{.source = &instance.source};
    auto values = config::read_options(*instance.registry->find(UMBRA_KIND_STORAGE, plugin),
                                       {.table = &table, .path = "storage.options", .at = {}},
                                       origin, problems);
    if (!problems.empty()) return mistakes("options of the storage " + plugin, problems);
    return values;
}

Result<ActAsOwner> ActAsOwner::of(const std::filesystem::path& directory) {
    struct stat about {};
    if (::stat(directory.c_str(), &about) != 0) {
        return Error{Errc::unavailable, directory.string() + ": " + std::strerror(errno), errno};
    }
    if (about.st_uid == ::geteuid()) return ActAsOwner{false};
    if (::geteuid() == 0) {
        // The group first: afterwards it is not allowed any more.
        if (::setegid(about.st_gid) == 0 && ::seteuid(about.st_uid) == 0) return ActAsOwner{true};
        if (::setegid(::getgid()) != 0) std::abort();
    }
    return Error{Errc::denied, directory.string() + " belongs to user id " +
                                   std::to_string(about.st_uid) + ", not to this one (" +
                                   std::to_string(::geteuid()) +
                                   "); run the command as its owner, or as root"};
}

ActAsOwner::~ActAsOwner() {
    // Root in name still, so this cannot fail; going on as somebody else would be worse than
    // ending.
    if (acting_ && (::seteuid(::getuid()) != 0 || ::setegid(::getgid()) != 0)) std::abort();
}

Result<HeldDirectory> hold_directory(const config::InstanceConfig& config) {
    const auto& directory = config.data_dir;
    std::error_code error;
    if (!std::filesystem::is_directory(directory, error)) {
        return Error{Errc::invalid,
                     directory.string() + ": no instance has used this data directory"};
    }
    auto owner = ActAsOwner::of(directory);
    if (!owner) return owner.error();
    auto lock = DataDirLock::take(directory);
    if (!lock) return lock.error();
    auto state = load_state(directory);
    if (!state) return state.error();
    if (!*state) {
        return Error{Errc::invalid,
                     directory.string() + ": no instance has used this data directory"};
    }
    if ((*state)->name != config.name) {
        return Error{Errc::conflict, directory.string() + " belongs to the instance " +
                                         (*state)->name + ", not " + config.name};
    }
    return HeldDirectory{std::move(owner).value(), std::move(lock).value(), std::move(**state)};
}

}  // namespace umbra::instance
