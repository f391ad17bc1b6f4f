#pragma once

#include <umbra/sdk/result.hpp>

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace umbra::base {

/// Files that are there completely or not at all, also after a loss of power.
///
/// Errors carry `sys_errno`; the code says what a caller can do:
///   `unavailable`  does not exist (`sys_errno == ENOENT`) or another I/O failure
///   `denied`       permissions, or a directory that others own
///   `exhausted`    disk full, too large, out of descriptors
///   `data_loss`    an fsync failed: what is on disk is unknown and the process must stop
///   `invalid`      not a regular file, or not a directory
///
/// Threads: any; two writers of the same file must agree among themselves.

/// Mode of state and secrets.
inline constexpr unsigned private_file_mode = 0600;

/// Makes `path` hold `content`, atomically and durably: a temporary file beside it is written and
/// fsynced, renamed over it, and the directory fsynced. On an error the old content is still there
/// (after `data_loss`: the old or the new one).
Result<Done> replace_file(const std::filesystem::path& path, std::string_view content,
                          unsigned mode = private_file_mode);

/// Reads a whole regular file. One that is larger than `size_max` bytes is `exhausted`.
Result<std::string> read_file(const std::filesystem::path& path, std::size_t size_max);

/// Makes the entries of a directory durable: creations, renames and removals in it.
Result<Done> sync_directory(const std::filesystem::path& path);

/// Makes `path` a directory of this user with mode 0700, with parents where missing (0755). A
/// directory that is there gets the mode; one that belongs to somebody else is `denied`.
Result<Done> make_private_directory(const std::filesystem::path& path);

}  // namespace umbra::base
