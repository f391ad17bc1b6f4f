#pragma once

#include "endpoint.hpp"
#include "settings.hpp"

#include <atomic>
#include <functional>
#include <optional>
#include <sys/socket.h>
#include <thread>

namespace umbra::zeromq {

/// Tells a dead process from a silent one: dials the peer by plain TCP while the link is down. A
/// refused connection is proof that nobody listens there; anything else proves nothing.
///
/// Works in the socket thread without ever waiting. Names are looked up on a thread of its own.
class RefusalProbe {
public:
    enum class Outcome : std::uint8_t { none, refused, not_refused };

    /// @param wake  Called from the look-up thread when an address is there.
    explicit RefusalProbe(std::function<void()> wake) : wake_(std::move(wake)) {}
    ~RefusalProbe();
    RefusalProbe(const RefusalProbe&) = delete;
    RefusalProbe& operator=(const RefusalProbe&) = delete;

    /// Probes `endpoint` from now on, at once and then on a back-off.
    /// @param known  Address of an earlier connection; saves looking the name up.
    void start(const Endpoint& endpoint, const std::optional<sockaddr_storage>& known,
               TimePoint now);
    void stop();

    /// Advances; at most one outcome per call.
    [[nodiscard]] Outcome step(TimePoint now);
    [[nodiscard]] TimePoint next_step() const;
    /// To be polled for writing while a connection is being tried; -1 otherwise.
    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] bool running() const { return running_; }

private:
    [[nodiscard]] Outcome dial(TimePoint now);
    [[nodiscard]] Outcome finish(int code, TimePoint now);
    void look_up(TimePoint now);
    void hang_up();

    std::function<void()> wake_;
    bool running_ = false;
    Endpoint endpoint_;
    std::optional<sockaddr_storage> address_;
    int fd_ = -1;
    TimePoint give_up_at_, next_at_;
    Millis back_off_ = probe_min;

    std::thread resolver_;
    std::string resolving_host_;
    std::atomic<bool> resolved_{false};
    std::optional<sockaddr_storage> resolved_address_;
};

}  // namespace umbra::zeromq
