#pragma once

#include <arpa/inet.h>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

/// Loopback sockets of the helper programs; what goes wrong ends the program with a sentence.
namespace bench {

[[noreturn]] inline void give_up(const std::string& what) {
    std::perror(what.c_str());
    std::exit(1);
}

/// @param host  The last byte of an address 127.0.0.x, to have more than one range of ports.
inline sockaddr_in loopback(std::uint16_t port, std::uint8_t host = 1) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl((127u << 24) | host);
    return address;
}

inline std::uint16_t port_of(const char* text) {
    const unsigned long port = std::strtoul(text, nullptr, 10);
    if (port == 0 || port > 65535) {
        std::fprintf(stderr, "%s is no port\n", text);
        std::exit(2);
    }
    return static_cast<std::uint16_t>(port);
}

inline void no_delay(int fd) {
    const int on = 1;
    if (::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) give_up("TCP_NODELAY");
}

/// A socket that listens and does not block.
inline int listen_on(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const sockaddr_in address = loopback(port);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(fd, 4096) != 0)
        give_up("listen on port " + std::to_string(port));
    return fd;
}

/// @return -1, with errno, when nobody waits; accepted sockets do not block.
inline int accept_from(int listener) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) no_delay(fd);
    return fd;
}

/// A connected socket that blocks.
inline int connect_to(std::uint16_t port, std::uint8_t from = 1) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) give_up("socket");
    const sockaddr_in source = loopback(0, from);
    const sockaddr_in target = loopback(port);
    const int on = 1;
    ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&source), sizeof source) != 0 ||
        ::connect(fd, reinterpret_cast<const sockaddr*>(&target), sizeof target) != 0)
        give_up("connect to port " + std::to_string(port));
    no_delay(fd);
    return fd;
}

}  // namespace bench
