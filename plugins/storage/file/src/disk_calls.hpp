#pragma once

#include <umbra/file_storage/disk.hpp>
#include <umbra/sdk/result.hpp>

#include <cstdint>
#include <string_view>

namespace umbra::file_storage {

/// What a failed call on the disk means for the caller, in one sentence.
/// @param error  A positive errno.
Error disk_error(const Disk& disk, std::string_view action, std::string_view name, int error);

/// Writes all of `bytes`, in as many calls as it takes.
Result<Done> write_all(Disk& disk, int fd, std::string_view bytes, std::uint64_t offset,
                       std::string_view name);

}  // namespace umbra::file_storage
