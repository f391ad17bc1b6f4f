#pragma once

#include <umbra/config/catalog.hpp>
#include <umbra/host/library.hpp>

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace umbra::host {

/// One file of the searched directories, judged without running anything in it.
struct FileVerdict {
    std::filesystem::path path;
    std::optional<Identity> identity;  ///< Absent when the file has no readable note.
    std::string refusal;               ///< One sentence; empty = may be loaded.

    [[nodiscard]] bool usable() const noexcept { return refusal.empty(); }
};

/// The plugins in the directories of an instance file.
///
/// Construction looks at every `umbra-*.so` there through gates 0 and 1; nothing is loaded before
/// find() asks for it. Two files that claim one identity make that plugin unusable, and the
/// message names both: "first wins" would let a forgotten copy run.
///
/// Threads: any, after construction. Pointers given out stay valid until exit.
class Registry final : public config::PluginCatalog {
public:
    /// @param directories  In the order of the file; one that is named twice counts once. One that
    ///                     does not exist is no error until a plugin is missed.
    explicit Registry(std::vector<std::filesystem::path> directories);

    [[nodiscard]] const umbra_plugin* find(umbra_kind kind, std::string_view name) const override;
    /// Usable ones only, sorted.
    [[nodiscard]] std::vector<std::string> names(umbra_kind kind) const override;
    [[nodiscard]] std::string why_missing(umbra_kind kind, std::string_view name) const override;

    /// As find(), with the refusal as the error.
    [[nodiscard]] Result<LoadedPlugin> load(umbra_kind kind, std::string_view name) const;

    /// Everything that was found, in order of directory and name, for `umbra plugin list`.
    [[nodiscard]] const std::vector<FileVerdict>& files() const noexcept { return files_; }

private:
    void scan(const std::filesystem::path& directory);
    void refuse_duplicates();

    std::vector<std::filesystem::path> directories_;
    std::vector<std::string> searched_;  ///< For people: the directory, and what was wrong with it.
    std::vector<FileVerdict> files_;

    mutable std::mutex mutex_;
    mutable std::map<std::pair<umbra_kind, std::string>, Result<LoadedPlugin>> loaded_;
};

}  // namespace umbra::host
