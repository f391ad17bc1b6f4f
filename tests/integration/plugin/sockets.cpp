#include "integration/plugin/sockets.hpp"

#include <arpa/inet.h>
#include <array>
#include <cstring>
#include <map>
#include <netinet/in.h>
#include <poll.h>
#include <random>
#include <sys/socket.h>
#include <unistd.h>

namespace umbra::plugin_test {

namespace {

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

constexpr int patience_ms = 60'000;

bool readable(int fd, int timeout_ms) {
    pollfd ready{fd, POLLIN, 0};
    return ::poll(&ready, 1, timeout_ms) > 0;
}

}  // namespace

Listener::Listener(std::uint16_t port) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int on = 1;
    ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    auto address = loopback(port);
    socklen_t size = sizeof address;
    usable_ = ::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
              ::listen(fd_, 64) == 0 &&
              ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0;
    port_ = ntohs(address.sin_port);
}

Listener::~Listener() { ::close(fd_); }

std::uint16_t free_port() {
    static std::minstd_rand random{std::random_device{}()};
    for (int i = 0; i < 1000; ++i) {
        const Listener listener{static_cast<std::uint16_t>(12'000 + random() % 20'000)};
        if (listener.usable()) return listener.port();
    }
    return 0;
}

Echo::Echo(std::string name) : name_(std::move(name)), thread_([this] { serve(); }) {}

Echo::~Echo() {
    stopping_ = true;
    thread_.join();
}

void Echo::serve() {
    std::map<int, bool> connections;  // Whether the name was said.
    while (!stopping_) {
        std::vector<pollfd> ready{{listener_.fd(), POLLIN, 0}};
        for (const auto& [fd, said] : connections) ready.push_back({fd, POLLIN, 0});
        if (::poll(ready.data(), ready.size(), 20) <= 0) continue;
        if (ready.front().revents != 0)
            connections[::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC)] = false;
        for (std::size_t i = 1; i < ready.size(); ++i) {
            if (ready[i].revents == 0) continue;
            std::array<char, 1024> bytes{};
            const auto got = ::recv(ready[i].fd, bytes.data(), bytes.size(), 0);
            if (got <= 0) {
                ::close(ready[i].fd);
                connections.erase(ready[i].fd);
                continue;
            }
            auto answer = std::string{bytes.data(), static_cast<std::size_t>(got)};
            if (!std::exchange(connections[ready[i].fd], true)) answer = name_ + ":" + answer;
            (void)!::send(ready[i].fd, answer.data(), answer.size(), MSG_NOSIGNAL);
        }
    }
    for (const auto& [fd, said] : connections) ::close(fd);
}

Client::Client(std::uint16_t port) {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto address = loopback(port);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

Client::~Client() { ::close(fd_); }

std::optional<std::string> Client::ask(const std::string& word) {
    if (::send(fd_, word.data(), word.size(), MSG_NOSIGNAL) < 0) return std::nullopt;
    std::string answer;
    while (answer.size() < word.size() || !answer.ends_with(word)) {
        std::array<char, 1024> bytes{};
        const auto got =
            readable(fd_, patience_ms) ? ::recv(fd_, bytes.data(), bytes.size(), 0) : 0;
        if (got <= 0) return std::nullopt;
        answer.append(bytes.data(), static_cast<std::size_t>(got));
    }
    return answer;
}

bool Client::wait_for_end() {
    std::array<char, 1024> bytes{};
    return readable(fd_, patience_ms) && ::recv(fd_, bytes.data(), bytes.size(), 0) <= 0;
}

std::string ask_once(std::uint16_t port, const std::string& word) {
    Client client{port};
    return client.connected() ? client.ask(word).value_or("") : "";
}

}  // namespace umbra::plugin_test
