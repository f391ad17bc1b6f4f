#pragma once

#include <umbra/sdk/result.hpp>

#include <filesystem>
#include <string_view>

/// Small files of mode 0600 that survive a crash: either as they were or as they are meant to be.
/// Any thread; every call waits for the disk.
namespace umbra::gateway {

/// Writes beside the final name and renames. Durable when it returns.
[[nodiscard]] Result<Done> replace_file(const std::filesystem::path& path, std::string_view bytes);

/// Makes the names in it durable.
[[nodiscard]] Result<Done> sync_directory(const std::filesystem::path& dir);

/// From `errno`: "cannot `what` `path`: reason".
[[nodiscard]] Error file_error(const std::filesystem::path& path, const char* what);

}  // namespace umbra::gateway
