#include "integration/storage_etcd/cutting_proxy.hpp"

#include "integration/plugin/driver.hpp"

#include <arpa/inet.h>
#include <array>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace umbra::plugin_test {

namespace {

constexpr int poll_ms = 20;

sockaddr_in loopback(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    return address;
}

bool send_all(int to, const char* data, std::size_t size) {
    while (size > 0) {
        const auto sent = ::send(to, data, size, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        data += sent;
        size -= static_cast<std::size_t>(sent);
    }
    return true;
}

}  // namespace

CuttingProxy::CuttingProxy(const std::string& target_port) : target_port_(target_port) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto address = loopback(0);
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, raw, size) != 0 || ::listen(listener_, 8) != 0 ||
        ::getsockname(listener_, raw, &size) != 0)
        broken_interface("the proxy cannot listen");
    port_ = std::to_string(ntohs(address.sin_port));
    thread_ = std::thread{[this] { serve(); }};
}

CuttingProxy::~CuttingProxy() {
    ending_ = true;
    thread_.join();
    ::close(listener_);
}

void CuttingProxy::serve() {
    while (!ending_) {
        pollfd ready{listener_, POLLIN, 0};
        if (::poll(&ready, 1, poll_ms) <= 0) continue;
        const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const auto address = loopback(std::stoi(target_port_));
        if (::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
            carry(client, server);
        ::close(server);
        ::close(client);
    }
}

void CuttingProxy::hang_up(int at, Hang how, std::function<void()> act) {
    const std::lock_guard lock{mutex_};
    hang_at_ = at;
    hang_ = how;
    act_ = std::move(act);
    requests_ = 0;
}

bool CuttingProxy::hangs_up(Hang how) {
    const std::lock_guard lock{mutex_};
    if (hang_at_ == 0 || requests_ != hang_at_ || how != hang_) return false;
    hang_at_ = 0;
    if (act_) act_();
    return true;
}

void CuttingProxy::carry(int client, int server) {
    std::array<char, 65536> part{};
    while (!ending_) {
        pollfd ends[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
        if (::poll(ends, 2, poll_ms) <= 0) continue;
        const bool answer = ends[1].revents != 0;
        const int from = answer ? server : client;
        const auto got = ::recv(from, part.data(), part.size(), 0);
        if (got <= 0) return;
        // A request begins with its own piece: the storage waits for each answer.
        if (!answer &&
            std::string_view{part.data(), static_cast<std::size_t>(got)}.starts_with("POST ")) {
            ++requests_;
            if (hangs_up(Hang::before_request)) return;
        }
        if (answer && hangs_up(Hang::before_answer)) return;
        if (answer && losing_ > 0) {
            // etcd has answered, so it has done what it was asked for.
            --losing_;
            ++lost_;
            return;
        }
        if (!send_all(answer ? client : server, part.data(), static_cast<std::size_t>(got))) return;
    }
}

}  // namespace umbra::plugin_test
