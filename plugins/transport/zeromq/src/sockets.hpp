#pragma once

#include "keys.hpp"
#include "settings.hpp"
#include <umbra/sdk/result.hpp>

#include <zmq.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <vector>

namespace umbra::zeromq {

/// The event channel of a socket. Always read: an unread one blocks the whole context. libzmq is
/// told to stop writing before the reading end closes, or one more connection would block it.
class Monitor {
public:
    struct Event {
        std::uint16_t type = 0;
        std::uint32_t value = 0;
    };

    /// @param socket  Outlives the monitor.
    Monitor(zmq::context_t& context, zmq::socket_t& socket, int events);
    ~Monitor();
    Monitor(const Monitor&) = delete;
    Monitor& operator=(const Monitor&) = delete;

    [[nodiscard]] std::optional<Event> next();
    /// What to poll for: a bare descriptor, as `zmq_poll` asks each socket twice a turn. It tells
    /// of news only to a reader that was drained: call `next()` until it has nothing, after each
    /// wait that it woke.
    [[nodiscard]] int fd() const { return fd_; }

private:
    zmq::socket_t& socket_;
    zmq::socket_t reader_;
    int fd_ = -1;
};

/// A bound socket that asks the ZAP handler about every connection.
class Listener {
public:
    Listener(zmq::context_t& context, zmq::socket_type type, const char* domain, const KeyPair& own,
             const Options& options, std::string endpoint);

    /// Binds; waits a moment for a port that a closing socket still holds.
    [[nodiscard]] Result<Done> open();
    /// Cuts every connection: a new socket takes the place of the old one, on the same port.
    [[nodiscard]] Result<Done> reopen();
    void close();

    [[nodiscard]] bool is_open() const { return socket_ != nullptr; }
    /// @pre is_open()
    [[nodiscard]] zmq::socket_t& socket() { return *socket_; }
    [[nodiscard]] Monitor& monitor() { return *monitor_; }
    /// As bound: with a number for port 0.
    [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
    [[nodiscard]] const char* domain() const { return domain_; }

private:
    zmq::context_t& context_;
    zmq::socket_type type_;
    const char* domain_;
    KeyPair own_;
    Options options_;
    std::string endpoint_;
    std::unique_ptr<zmq::socket_t> socket_;
    std::unique_ptr<Monitor> monitor_;
};

/// What happened to a dialled connection.
struct LinkChange {
    enum class Type : std::uint8_t { up, lost, denied, failed };
    Type type = Type::failed;
    std::string detail;
};

/// A connected socket with a pinned server key. libzmq redials a broken connection by itself; one
/// that was not let in is given new sockets on a bounded back-off, as libzmq would never try again
/// or hang until its handshake timer.
class Dialer {
public:
    Dialer(zmq::context_t& context, zmq::socket_type type, KeyPair own, std::string server_key,
           const Options& options, std::string endpoint);

    /// Reads what the monitor has. New sockets, if they are due, are made here too.
    /// @param changed  The monitor's descriptor woke; else it has nothing.
    [[nodiscard]] std::vector<LinkChange> step(TimePoint now, bool changed = true);
    [[nodiscard]] TimePoint next_step() const { return redial_at_; }

    [[nodiscard]] zmq::socket_t& socket() { return *socket_; }
    [[nodiscard]] Monitor& monitor() { return *monitor_; }
    [[nodiscard]] bool up() const { return up_; }
    [[nodiscard]] const std::string& endpoint() const { return endpoint_; }
    /// Address of the last TCP connection: what to probe when a name was dialled.
    [[nodiscard]] const std::optional<sockaddr_storage>& address() const { return address_; }

private:
    void dial();
    [[nodiscard]] std::optional<LinkChange> on_event(const Monitor::Event& event, TimePoint now);

    zmq::context_t& context_;
    zmq::socket_type type_;
    KeyPair own_;
    std::string server_key_;
    Options options_;
    std::string endpoint_;
    std::unique_ptr<zmq::socket_t> socket_;
    std::unique_ptr<Monitor> monitor_;
    std::optional<sockaddr_storage> address_;
    bool up_ = false;
    Millis back_off_ = redial_min;
    TimePoint redial_at_;
};

}  // namespace umbra::zeromq
