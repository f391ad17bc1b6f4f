#include "probe.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

namespace umbra::zeromq {

namespace {

std::optional<sockaddr_storage> numeric_address(const Endpoint& endpoint) {
    sockaddr_storage storage{};
    auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
    if (::inet_pton(AF_INET, endpoint.host.c_str(), &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(endpoint.port);
        return storage;
    }
    if (::inet_pton(AF_INET6, endpoint.host.c_str(), &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(endpoint.port);
        return storage;
    }
    return std::nullopt;
}

std::optional<sockaddr_storage> resolve(const Endpoint& endpoint) {
    addrinfo hints{};
    hints.ai_family = endpoint.ipv6 ? AF_INET6 : AF_INET;  // as libzmq dials
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints,
                      &found) != 0)
        return std::nullopt;
    sockaddr_storage storage{};
    std::memcpy(&storage, found->ai_addr, found->ai_addrlen);
    ::freeaddrinfo(found);
    return storage;
}

}  // namespace

RefusalProbe::~RefusalProbe() {
    stop();
    if (resolver_.joinable()) resolver_.join();
}

void RefusalProbe::start(const Endpoint& endpoint, const std::optional<sockaddr_storage>& known,
                         TimePoint now) {
    stop();
    running_ = true;
    endpoint_ = endpoint;
    address_ = numeric_address(endpoint);
    if (!address_) address_ = known;
    back_off_ = probe_min;
    next_at_ = now;
}

void RefusalProbe::stop() {
    running_ = false;
    hang_up();
}

void RefusalProbe::hang_up() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
}

TimePoint RefusalProbe::next_step() const {
    if (!running_) return TimePoint::max();
    return fd_ >= 0 ? give_up_at_ : next_at_;
}

RefusalProbe::Outcome RefusalProbe::step(TimePoint now) {
    if (!running_) return Outcome::none;
    if (fd_ >= 0) {
        pollfd item{fd_, POLLOUT, 0};
        if (::poll(&item, 1, 0) > 0) {
            int code = 0;
            socklen_t size = sizeof code;
            ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &code, &size);
            return finish(code, now);
        }
        return now >= give_up_at_ ? finish(ETIMEDOUT, now) : Outcome::none;
    }
    if (!address_) look_up(now);
    if (!address_ || now < next_at_) return Outcome::none;
    return dial(now);
}

RefusalProbe::Outcome RefusalProbe::dial(TimePoint now) {
    fd_ = ::socket(address_->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) return finish(errno, now);
    const socklen_t size =
        address_->ss_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&*address_), size) == 0)
        return finish(0, now);
    if (errno != EINPROGRESS) return finish(errno, now);
    give_up_at_ = now + connect_timeout;
    return step(now);
}

RefusalProbe::Outcome RefusalProbe::finish(int code, TimePoint now) {
    hang_up();
    next_at_ = now + back_off_;
    back_off_ = std::min(back_off_ * 2, probe_max);
    return code == ECONNREFUSED ? Outcome::refused : Outcome::not_refused;
}

void RefusalProbe::look_up(TimePoint now) {
    if (resolver_.joinable()) {
        if (!resolved_.load(std::memory_order_acquire)) return;
        resolver_.join();
        if (resolving_host_ == endpoint_.host) address_ = resolved_address_;
        if (!address_) next_at_ = now + probe_max;
        return;
    }
    if (now < next_at_) return;
    resolved_ = false;
    resolving_host_ = endpoint_.host;
    resolver_ = std::thread{[this, endpoint = endpoint_] {
        resolved_address_ = resolve(endpoint);
        resolved_.store(true, std::memory_order_release);
        wake_();
    }};
}

}  // namespace umbra::zeromq
