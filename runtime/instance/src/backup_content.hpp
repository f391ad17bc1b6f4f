#pragma once

#include "offline_storage.hpp"
#include <umbra/sdk/result.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::instance {

/// A file of the data directory.
struct BackupFile {
    std::string path;  ///< Below the data directory.
    std::string bytes;

    bool operator==(const BackupFile&) const = default;
};

/// What a backup holds, before it is sealed and after it was opened.
struct BackupContent {
    std::string version;  ///< Of the program that made it.
    std::string instance;
    std::int64_t time_ms = 0;
    std::string instance_file;  ///< Absolute path.
    std::string instance_text;
    StoredLog log;
    std::vector<BackupFile> files;

    bool operator==(const BackupContent&) const = default;
};

inline constexpr std::size_t backup_files_max = 10'000;
inline constexpr std::size_t backup_file_bytes_max = std::size_t{64} << 20;
inline constexpr std::size_t backup_path_bytes_max = 1024;

[[nodiscard]] std::string encode(const BackupContent& content);
/// Refuses another version (`unsupported`), and what does not lead to a data directory
/// (`data_loss`): paths out of it, files twice, a log whose chain is broken.
[[nodiscard]] Result<BackupContent> decode_backup(std::string_view bytes);

/// Everything below a data directory that belongs into a backup: not its locks, not the storage,
/// which is read through its plugin, and nothing unfinished. `invalid` for a symbolic link,
/// `exhausted` beyond the limits.
[[nodiscard]] Result<std::vector<BackupFile>> collect_files(const std::filesystem::path& data_dir);
/// Writes them below an existing directory: files 0600, directories 0700, all durable.
[[nodiscard]] Result<Done> write_files(const std::filesystem::path& directory,
                                       const std::vector<BackupFile>& files);

}  // namespace umbra::instance
