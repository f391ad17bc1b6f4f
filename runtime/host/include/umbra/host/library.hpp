#pragma once

#include <umbra/host/file.hpp>
#include <umbra/sdk/abi.h>
#include <umbra/sdk/result.hpp>

#include <filesystem>
#include <optional>

namespace umbra::host {

/// A plugin whose library is in this process. Libraries stay until exit, so the pointer never
/// dangles.
struct LoadedPlugin {
    std::filesystem::path path;
    Identity identity;
    const umbra_plugin* plugin = nullptr;
};

/// Takes a file through the three gates and loads it.
///
/// Gate 0 and 1 are those of <umbra/host/file.hpp>. Gate 2 binds every symbol at once, keeps the
/// plugin's symbols to itself, and compares the entry with the note. Only the static constructors
/// of the library run here; one that crashes takes the process with it (see describe()).
///
/// @param wanted  Refuse a plugin of another kind, before it is loaded.
/// @return One sentence on refusal: file, cause, remedy.
/// Threads: any. Not for real-time paths: some 100 us, more for large libraries.
[[nodiscard]] Result<LoadedPlugin> load_plugin(const std::filesystem::path& path,
                                               std::optional<umbra_kind> wanted = {});

}  // namespace umbra::host
