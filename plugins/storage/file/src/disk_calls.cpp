#include "disk_calls.hpp"

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace umbra::file_storage {

Error disk_error(const Disk& disk, std::string_view action, std::string_view name, int error) {
    auto message = "cannot " + std::string{action} + " " + disk.path(name) + ": " +
                   std::generic_category().message(error);
    switch (error) {
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
            return {Errc::exhausted, message + "; nothing was changed, free some space", error};
        case EMFILE:
        case ENFILE:
        case ENOMEM:
            return {Errc::exhausted, std::move(message), error};
        case EACCES:
        case EPERM:
        case EROFS:
        case ELOOP:
            return {Errc::denied, std::move(message), error};
        default:
            return {Errc::unavailable, std::move(message), error};
    }
}

Result<Done> write_all(Disk& disk, int fd, std::string_view bytes, std::uint64_t offset,
                       std::string_view name) {
    while (!bytes.empty()) {
        const auto put = disk.write(fd, bytes, offset);
        if (put < 0) return disk_error(disk, "write", name, static_cast<int>(-put));
        bytes.remove_prefix(static_cast<std::size_t>(put));
        offset += static_cast<std::uint64_t>(put);
    }
    return Done{};
}

}  // namespace umbra::file_storage
