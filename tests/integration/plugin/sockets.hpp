#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

/// Plain TCP on loopback, for tests that look at a tunnel from both of its ends.
namespace umbra::plugin_test {

/// A listener on a port that the system chooses. Connections that nobody takes wait in its queue.
class Listener {
public:
    /// @param port  0: any; else that one, and `usable()` tells whether it was free.
    explicit Listener(std::uint16_t port = 0);
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    [[nodiscard]] bool usable() const { return usable_; }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] int fd() const { return fd_; }

private:
    int fd_ = -1;
    bool usable_ = false;
    std::uint16_t port_ = 0;
};

/// A port that was free a moment ago, below those that the system gives to outgoing connections.
std::uint16_t free_port();

/// Gives every connection its own bytes back, with a name in front of the first.
class Echo {
public:
    explicit Echo(std::string name);
    ~Echo();

    [[nodiscard]] std::uint16_t port() const { return listener_.port(); }

private:
    void serve();

    const std::string name_;
    Listener listener_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

/// A client's connection.
class Client {
public:
    explicit Client(std::uint16_t port);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    [[nodiscard]] bool connected() const { return connected_; }
    /// Sends a word and returns what comes back, or nothing when the connection ended.
    [[nodiscard]] std::optional<std::string> ask(const std::string& word);
    /// Waits until the other side ends it. False: it did not.
    [[nodiscard]] bool wait_for_end();

private:
    int fd_ = -1;
    bool connected_ = false;
};

/// The answer of one fresh connection: "name:word" of an Echo; empty when there is none.
std::string ask_once(std::uint16_t port, const std::string& word);

}  // namespace umbra::plugin_test
