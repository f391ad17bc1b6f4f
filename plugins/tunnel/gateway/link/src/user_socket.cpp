#include "user_socket.hpp"

#include <array>
#include <cerrno>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace umbra::gateway {

using boost::asio::ip::tcp;

UserSocket::UserSocket(tcp::socket socket) {
    boost::system::error_code ignored;
    socket.native_non_blocking(true, ignored);
    socket.set_option(tcp::no_delay(true), ignored);
    const int fd = socket.release(ignored);
    if (!ignored) fd_ = fd;
}

ssize_t UserSocket::receive(std::span<std::uint8_t> room) const noexcept {
    ssize_t got = 0;
    do got = ::recv(fd_, room.data(), room.size(), MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    return got;
}

ssize_t UserSocket::send(std::span<const ByteView> pieces) const noexcept {
    constexpr int how = MSG_NOSIGNAL | MSG_DONTWAIT;
    std::array<iovec, pieces_max> parts;
    msghdr message{};
    message.msg_iov = parts.data();
    for (const ByteView piece : pieces)
        // The kernel's structure serves reading too, and so has no const.
        parts[message.msg_iovlen++] = {const_cast<std::uint8_t*>(piece.data()), piece.size()};
    ssize_t sent = 0;
    // Most often it is one piece, and a message costs the kernel more to read than its bytes do.
    do
        sent = pieces.size() == 1 ? ::send(fd_, pieces[0].data(), pieces[0].size(), how)
                                  : ::sendmsg(fd_, &message, how);
    while (sent < 0 && errno == EINTR);
    return sent;
}

void UserSocket::finish_sending() const noexcept { ::shutdown(fd_, SHUT_WR); }

void UserSocket::close() noexcept {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void UserSocket::abort() noexcept {
    if (fd_ < 0) return;
    const linger at_once{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
}

bool is_not_now(int error) noexcept { return error == EAGAIN || error == EWOULDBLOCK; }

}  // namespace umbra::gateway
