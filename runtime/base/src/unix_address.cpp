#include "unix_address.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>

namespace umbra::base {
namespace {

constexpr mode_t socket_mode = 0660;
constexpr mode_t directory_mode = 0750;

Error failed(std::string_view doing, const std::string& path, int code) {
    return {code == EACCES || code == EPERM ? Errc::denied : Errc::unavailable,
            fmt::format("cannot {} {}: {}", doing, path, std::generic_category().message(code)),
            code};
}

sockaddr_un to_sockaddr(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size());
    return address;
}

/// Makes way for a new socket at `path`.
Result<Done> clear(const std::string& path) {
    struct stat about {};
    if (::lstat(path.c_str(), &about) != 0) {
        if (errno == ENOENT) return Done{};
        return failed("examine", path, errno);
    }
    if (!S_ISSOCK(about.st_mode)) {
        return Error{
            Errc::conflict,
            fmt::format("{} exists and is not a socket: remove it or listen elsewhere", path)};
    }
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return failed("create a socket for", path, errno);
    const sockaddr_un address = to_sockaddr(path);
    const int outcome = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    const int code = errno;
    ::close(fd);
    if (outcome != 0 && code == ECONNREFUSED) {
        // Nobody holds the other end: left behind by a process that was killed.
        if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
            return failed("remove the abandoned socket", path, errno);
        }
        return Done{};
    }
    if (outcome != 0 && code == ENOENT) return Done{};
    if (outcome != 0 && code != EAGAIN) return failed("examine the socket", path, code);
    return Error{
        Errc::conflict,
        fmt::format("another process is listening at {}: stop it or listen elsewhere", path)};
}

}  // namespace

Result<std::string> unix_path(const std::string& address) {
    if (address.starts_with("https://")) {
        return Error{Errc::unsupported,
                     fmt::format("the address {} is not supported by this version: use "
                                 "unix:/path",
                                 address)};
    }
    if (!address.starts_with("unix:/")) {
        return Error{Errc::invalid,
                     fmt::format("\"{}\" is not an address: write unix:/path", address)};
    }
    std::string path = address.substr(std::strlen("unix:"));
    constexpr std::size_t path_max = sizeof(sockaddr_un::sun_path) - 1;
    if (path.size() > path_max) {
        return Error{Errc::invalid,
                     fmt::format("the socket path {} is longer than {} bytes: use a shorter one",
                                 path, path_max)};
    }
    if (path.find('\0') != std::string::npos) {
        return Error{Errc::invalid, "the socket path holds a zero byte"};
    }
    return path;
}

Result<int> listen_unix(const std::string& path, int backlog) {
    const std::string parent = std::filesystem::path{path}.parent_path().string();
    if (::mkdir(parent.c_str(), directory_mode) != 0 && errno != EEXIST) {
        return failed("create the directory", parent, errno);
    }
    if (const Result<Done> free = clear(path); !free) return free.error();

    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return failed("create a socket for", path, errno);
    const sockaddr_un address = to_sockaddr(path);
    // The file gets the descriptor's mode (less the umask): never open to others, not even between
    // bind and chmod.
    int outcome = ::fchmod(fd, socket_mode);
    if (outcome == 0) {
        outcome = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
    if (outcome == 0) outcome = ::chmod(path.c_str(), socket_mode);
    if (outcome == 0) outcome = ::listen(fd, backlog);
    if (outcome != 0) {
        const int code = errno;
        ::close(fd);
        return failed("listen at", path, code);
    }
    return fd;
}

}  // namespace umbra::base
