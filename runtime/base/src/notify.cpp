#include <umbra/base/notify.hpp>

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>

namespace umbra::base {
namespace {

Error failed(std::string_view what, int code) {
    return {Errc::unavailable,
            fmt::format("the service manager at $NOTIFY_SOCKET was not told: {}: {}", what,
                        std::generic_category().message(code)),
            code};
}

}  // namespace

Result<Done> notify(std::string_view state) {
    const char* const path = std::getenv("NOTIFY_SOCKET");
    if (path == nullptr || *path == '\0') return Done{};
    const std::size_t length = std::strlen(path);

    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if ((*path != '/' && *path != '@') || length >= sizeof address.sun_path) {
        return Error{Errc::invalid,
                     fmt::format("$NOTIFY_SOCKET is \"{}\", which is neither a path nor an "
                                 "abstract name of at most {} bytes",
                                 path, sizeof address.sun_path - 1)};
    }
    std::memcpy(address.sun_path, path, length);
    if (*path == '@') address.sun_path[0] = '\0';
    // An abstract name is as long as the address says; a path ends with a zero.
    const auto size =
        static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length + (*path == '/' ? 1 : 0));

    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return failed("socket", errno);
    const ssize_t sent = ::sendto(fd, state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                                  reinterpret_cast<const sockaddr*>(&address), size);
    const int code = errno;
    ::close(fd);
    if (sent < 0) return failed("sendto", code);
    return Done{};
}

std::optional<Duration> watchdog_interval() {
    const char* const text = std::getenv("WATCHDOG_USEC");
    if (text == nullptr) return std::nullopt;
    if (const char* const pid = std::getenv("WATCHDOG_PID");
        pid != nullptr && std::to_string(::getpid()) != pid) {
        return std::nullopt;  // meant for our parent
    }
    std::int64_t micros = 0;
    const char* const end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, micros);
    if (error != std::errc{} || stop != end || micros <= 0) return std::nullopt;
    return std::chrono::microseconds{micros} / 2;
}

}  // namespace umbra::base
