#include "text.hpp"
#include <umbra/host/registry.hpp>

#include <algorithm>
#include <system_error>

namespace umbra::host {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view prefix = "umbra-", suffix = ".so";

bool is_candidate(const std::string& name) {
    return name.size() > prefix.size() + suffix.size() && name.starts_with(prefix) &&
           name.ends_with(suffix);
}

FileVerdict judge(const fs::path& path) {
    FileVerdict verdict{path, std::nullopt, {}};
    const auto file = PluginFile::open(path);
    if (!file) {
        verdict.refusal = file.error().message;
        return verdict;
    }
    const auto identity = file->read_identity();
    if (!identity) {
        verdict.refusal = identity.error().message;
        return verdict;
    }
    verdict.identity = *identity;
    if (const auto fit = check_abi(path, *identity); !fit) {
        verdict.refusal = fit.error().message;
    } else if (const auto named = check_file_name(path, *identity); !named) {
        verdict.refusal = named.error().message;
    }
    return verdict;
}

/// True when the file is, or by its name ought to be, the plugin that is looked for.
bool claims(const FileVerdict& verdict, umbra_kind kind, std::string_view name) {
    if (verdict.identity)
        return verdict.identity->kind == static_cast<std::uint32_t>(kind) &&
               verdict.identity->name == name;
    return verdict.path.filename() == file_name_of(kind, name);
}

}  // namespace

Registry::Registry(std::vector<fs::path> directories) {
    for (const auto& directory : directories) {
        std::error_code ignored;
        const bool again =
            std::any_of(directories_.begin(), directories_.end(), [&](const fs::path& known) {
                return known == directory || fs::equivalent(known, directory, ignored);
            });
        if (again) continue;
        directories_.push_back(directory);
        scan(directory);
    }
    refuse_duplicates();
}

void Registry::scan(const fs::path& directory) {
    std::error_code failed;
    std::vector<fs::path> candidates;
    fs::directory_iterator entries(directory, failed);
    for (; !failed && entries != fs::directory_iterator{}; entries.increment(failed))
        if (is_candidate(entries->path().filename().string()))
            candidates.push_back(entries->path());
    searched_.push_back(directory.string() +
                        (failed ? " (" + system_text(failed.value()) + ")" : std::string{}));
    std::sort(candidates.begin(), candidates.end());
    for (const auto& path : candidates) files_.push_back(judge(path));
}

void Registry::refuse_duplicates() {
    for (auto first = files_.begin(); first != files_.end(); ++first) {
        if (!first->usable()) continue;
        bool twice = false;
        for (auto second = std::next(first); second != files_.end(); ++second) {
            if (!second->usable() || second->identity->kind != first->identity->kind ||
                second->identity->name != first->identity->name)
                continue;
            const auto who = [](const FileVerdict& v) {
                return v.path.string() + " (" + v.identity->version + ")";
            };
            second->refusal = who(*first) + " and " + who(*second) + " both are the " +
                              kind_word(first->identity->kind) + " plugin \"" +
                              first->identity->name + "\"; remove one of them";
            if (!twice) first->refusal = second->refusal;
            twice = true;
        }
    }
}

Result<LoadedPlugin> Registry::load(umbra_kind kind, std::string_view name) const {
    const std::lock_guard lock(mutex_);
    const auto key = std::pair{kind, std::string{name}};
    if (const auto known = loaded_.find(key); known != loaded_.end()) return known->second;
    const FileVerdict* unusable = nullptr;
    for (const auto& verdict : files_) {
        if (!claims(verdict, kind, name)) continue;
        if (verdict.usable())
            return loaded_.emplace(key, load_plugin(verdict.path, kind)).first->second;
        if (unusable == nullptr) unusable = &verdict;
    }
    if (unusable != nullptr) return Error{Errc::invalid, unusable->refusal};
    std::string places;
    for (const auto& place : searched_) places += (places.empty() ? "" : ", ") + place;
    return Error{Errc::unavailable, "no file " + file_name_of(kind, name) + " in " +
                                        (places.empty() ? "any directory, none is named" : places) +
                                        "; install the plugin or correct [plugins] path"};
}

const umbra_plugin* Registry::find(umbra_kind kind, std::string_view name) const {
    const auto plugin = load(kind, name);
    return plugin ? plugin->plugin : nullptr;
}

std::vector<std::string> Registry::names(umbra_kind kind) const {
    std::vector<std::string> names;
    for (const auto& verdict : files_)
        if (verdict.usable() && verdict.identity->kind == static_cast<std::uint32_t>(kind))
            names.push_back(verdict.identity->name);
    std::sort(names.begin(), names.end());
    return names;
}

std::string Registry::why_missing(umbra_kind kind, std::string_view name) const {
    const auto plugin = load(kind, name);
    return plugin ? std::string{} : plugin.error().message;
}

}  // namespace umbra::host
