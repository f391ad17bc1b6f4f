#pragma once

#include "options.hpp"
#include "plan.hpp"
#include "session.hpp"
#include <umbra/process/backoff.hpp>
#include <umbra/sdk/tunnel.hpp>
#include <umbra/supervised/activations.hpp>
#include <umbra/supervised/state_queue.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace umbra::ssh_tunnel {

/// Sessions that live on after a drain, besides the one that stands by; the oldest is cut for one
/// more.
inline constexpr std::size_t leaving_max = 4;

/// The provider behind the plugin's border. Standing by is a session without forwards: connected,
/// authenticated, the host key believed, so that taking over is one request for each port.
/// activate() opens them. A port that is still taken (the old master's session may hold it) is
/// tried again quickly.
///
/// Threads: the loop's.
class Tunnel {
public:
    /// Throws Failure when the options cannot work.
    Tunnel(boost::asio::io_context& io, Context context, SshOptions options);

    void open(TunnelSpec spec, Reply<Done> reply);
    void configure(TunnelSpec spec, Reply<Done> reply);
    void activate(std::uint64_t epoch, Reply<Done> reply);
    void drain(Duration grace, Reply<Done> reply);
    void next_event(Reply<TunnelEvent> reply) { states_.ask(std::move(reply)); }
    void stop(std::function<void()> done);

private:
    using SessionPointer = std::shared_ptr<Session>;

    void dial();
    void on_up();
    void on_end(const Reason& reason);
    void dial_later(Reason reason);
    void take_plan();

    void try_forwards();
    void try_later();
    void on_settled();
    void fail_activation(const std::string& why);

    void leave(SessionPointer session, Duration grace);
    void on_left(const Session* session);
    void finish_if_over();

    void report();
    [[nodiscard]] TunnelState state() const;
    [[nodiscard]] std::string detail() const;
    [[nodiscard]] std::string failures() const;

    boost::asio::io_context& io_;
    const Context context_;
    const SshOptions options_;
    std::string known_hosts_;
    process::Descriptor state_dir_;
    std::uint64_t sessions_ = 0;  ///< Ever started: the name of a control socket.

    std::optional<TunnelSpec> spec_;
    Plan plan_;
    SessionPointer session_;
    Reason trouble_;
    process::Backoff dial_backoff_, forward_backoff_;
    boost::asio::steady_timer dial_timer_, forward_timer_;
    Duration next_attempt_{};
    bool forward_paused_ = false;  ///< The next attempt waits for the timer.

    std::uint64_t epoch_ = 0;  ///< Asked to serve under it; 0: not.
    bool serving_ = false;     ///< At least one forward is open, or there is none to open.
    supervised::Activations activations_;

    std::vector<SessionPointer> leaving_;
    std::vector<Reply<Done>> drains_;
    bool stopping_ = false;
    std::function<void()> stopped_;
    supervised::StateQueue states_;
};

}  // namespace umbra::ssh_tunnel
