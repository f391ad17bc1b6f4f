#include <umbra/tcp_probe/attempt.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <sys/socket.h>
#include <system_error>
#include <unistd.h>

namespace umbra::tcp_probe {

namespace {

std::string text_of(Duration duration) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
    return ms % 1000 == 0 ? std::to_string(ms / 1000) + "s" : std::to_string(ms) + "ms";
}

std::string text_of(int error, const std::string& address) {
    switch (error) {
        case ECONNREFUSED:
            return "connection refused by " + address;
        case ECONNRESET:
            return "connection reset by " + address;
        default:
            return "cannot connect to " + address + ": " + std::generic_category().message(error);
    }
}

/// On loopback a connect to a port in the ephemeral range may be given that very port as its own,
/// and so meet itself although nobody listens.
bool is_connected_to_itself(int fd) {
    sockaddr_storage own{}, peer{};
    socklen_t own_size = sizeof own, peer_size = sizeof peer;
    return ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &own_size) == 0 &&
           ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_size) == 0 &&
           own_size == peer_size && std::memcmp(&own, &peer, own_size) == 0;
}

}  // namespace

std::string one_line(std::string text) {
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 127; }, ' ');
    if (text.size() > detail_max) text.replace(detail_max - 3, std::string::npos, "...");
    return text;
}

Attempt::Attempt(std::vector<Address> addresses, Instant deadline, Duration patience)
    : addresses_(std::move(addresses)), deadline_(deadline), patience_(patience) {}

Attempt::~Attempt() { hang_up(); }

void Attempt::hang_up() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

std::optional<Attempt::Verdict> Attempt::advance(Instant now) {
    if (next_ == 0) {
        began_ = now;
        why_ = "no time was left to connect";
    }
    auto step = fd_ >= 0 ? look(now) : Step::failed;
    while (step == Step::failed) {
        if (next_ >= addresses_.size() || now >= deadline_)
            return ProbeResult{Health::down, now - began_, one_line(why_)};
        const auto dialled = dial(now);
        if (!dialled.ok()) return dialled.error();
        step = dialled.value();
    }
    if (step == Step::waits) return std::nullopt;
    hang_up();
    return ProbeResult{Health::healthy, now - began_, "connected to " + addresses_[next_ - 1].text};
}

Result<Attempt::Step> Attempt::dial(Instant now) {
    const auto left = static_cast<std::int64_t>(addresses_.size() - next_);
    const auto& address = addresses_[next_++];
    began_ = now;
    due_ = now + (deadline_ - now) / left;
    fd_ = ::socket(address.raw.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) {
        if (errno == EAFNOSUPPORT) return give_up(errno);
        return Error{Errc::exhausted,
                     "cannot make a socket: " + std::generic_category().message(errno), errno};
    }
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address.raw), address.size) == 0)
        return is_connected_to_itself(fd_) ? give_up(ECONNREFUSED) : Step::connected;
    // Interrupted: it goes on by itself.
    if (errno == EINPROGRESS || errno == EINTR) return Step::waits;
    return give_up(errno);
}

Attempt::Step Attempt::look(Instant now) {
    pollfd ready{fd_, POLLOUT, 0};
    if (::poll(&ready, 1, 0) > 0) {
        int error = 0;
        socklen_t size = sizeof error;
        if (::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
        if (error == 0 && is_connected_to_itself(fd_)) error = ECONNREFUSED;
        return error == 0 ? Step::connected : give_up(error);
    }
    if (now < due_) return Step::waits;
    why_ = "no answer from " + addresses_[next_ - 1].text + " within " + text_of(patience_);
    hang_up();
    return Step::failed;
}

Attempt::Step Attempt::give_up(int error) {
    why_ = text_of(error, addresses_[next_ - 1].text);
    hang_up();
    return Step::failed;
}

}  // namespace umbra::tcp_probe
