#pragma once

#include <umbra/gateway/wire.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <cstddef>
#include <span>
#include <sys/types.h>
#include <utility>

namespace umbra::gateway {

inline constexpr std::size_t pieces_max = 16;  ///< That one system call sends.

/// The connection of a stream's user: a bare descriptor, non-blocking, closed with its owner.
class UserSocket {
public:
    UserSocket() = default;
    /// Takes the connection out of its loop.
    explicit UserSocket(boost::asio::ip::tcp::socket socket);
    UserSocket(UserSocket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    UserSocket& operator=(UserSocket&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~UserSocket() { close(); }

    explicit operator bool() const noexcept { return fd_ >= 0; }
    [[nodiscard]] int fd() const noexcept { return fd_; }

    /// Like recv(2) and send(2): -1 with errno; never interrupted.
    ssize_t receive(std::span<std::uint8_t> room) const noexcept;
    /// One after the other. @pre At most `pieces_max`.
    ssize_t send(std::span<const ByteView> pieces) const noexcept;
    void finish_sending() const noexcept;
    void close() noexcept;
    /// With a reset: whoever waits for the rest must not take a broken stream for a finished one.
    void abort() noexcept;

private:
    int fd_ = -1;
};

/// The kernel has nothing to give, or takes nothing, for now.
[[nodiscard]] bool is_not_now(int error) noexcept;

}  // namespace umbra::gateway
