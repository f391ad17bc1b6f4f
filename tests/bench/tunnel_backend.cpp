// The internal system of tests/bench/tunnel.py:
//   tunnel_backend SOURCE_PORT ECHO_PORT...
// Gives back what it gets on each of the echo ports, and sends for ever on the source port.

#include "sockets.hpp"

#include <array>
#include <cerrno>
#include <string>
#include <sys/epoll.h>
#include <unordered_map>

namespace {

using bench::give_up;
constexpr std::size_t chunk = 64u << 10;

enum class Kind : std::uint32_t { source_listener, echo_listener, source, echo };

class Backend {
public:
    void listen(std::uint16_t port, Kind kind) { add(bench::listen_on(port), kind, EPOLLIN); }

    [[noreturn]] void run() {
        std::array<epoll_event, 256> events;
        for (;;) {
            const int ready = ::epoll_wait(poll_, events.data(), events.size(), -1);
            for (int i = 0; i < ready; ++i) {
                const epoll_event& event = events[static_cast<std::size_t>(i)];
                const int fd = static_cast<int>(event.data.u64 & 0xffffffff);
                turn(fd, static_cast<Kind>(event.data.u64 >> 32));
            }
        }
    }

private:
    void add(int fd, Kind kind, std::uint32_t wants) { watch(EPOLL_CTL_ADD, fd, kind, wants); }
    void watch(int what, int fd, Kind kind, std::uint32_t wants) {
        epoll_event event{wants, {}};
        event.data.u64 = (std::uint64_t{static_cast<std::uint32_t>(kind)} << 32) |
                         static_cast<std::uint32_t>(fd);
        if (::epoll_ctl(poll_, what, fd, &event) != 0) give_up("epoll");
    }

    void turn(int fd, Kind kind) {
        switch (kind) {
            case Kind::source_listener:
                return accept(fd, Kind::source, EPOLLOUT);
            case Kind::echo_listener:
                return accept(fd, Kind::echo, EPOLLIN);
            case Kind::source:
                if (::send(fd, buffer_.data(), chunk, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
                    ::close(fd);
                return;
            case Kind::echo:
                return echo(fd);
        }
    }

    void accept(int listener, Kind kind, std::uint32_t wants) {
        for (;;) {
            const int fd = bench::accept_from(listener);
            if (fd < 0 && errno == EAGAIN) return;
            if (fd < 0) give_up("tunnel_backend: accept");
            add(fd, kind, wants);
        }
    }

    void echo(int fd) {
        std::string& held = held_[fd];
        if (held.empty()) {
            const ssize_t got = ::recv(fd, buffer_.data(), chunk, 0);
            if (got < 0 && errno == EAGAIN) return;
            if (got <= 0) return end(fd);
            held.assign(buffer_.data(), static_cast<std::size_t>(got));
        }
        const ssize_t sent = ::send(fd, held.data(), held.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN) return end(fd);
        if (sent > 0) held.erase(0, static_cast<std::size_t>(sent));
        watch(EPOLL_CTL_MOD, fd, Kind::echo, held.empty() ? EPOLLIN : EPOLLOUT);
        if (held.empty()) held_.erase(fd);
    }
    void end(int fd) {
        held_.erase(fd);
        ::close(fd);
    }

    int poll_ = ::epoll_create1(EPOLL_CLOEXEC);
    std::array<char, chunk> buffer_{};
    std::unordered_map<int, std::string> held_;  ///< Got, and not taken back yet.
};

}  // namespace

int main(int count, char** arguments) {
    if (count < 3) {
        std::fputs("tunnel_backend SOURCE_PORT ECHO_PORT...\n", stderr);
        return 2;
    }
    static Backend backend;
    backend.listen(bench::port_of(arguments[1]), Kind::source_listener);
    for (int i = 2; i < count; ++i)
        backend.listen(bench::port_of(arguments[i]), Kind::echo_listener);
    backend.run();
}
