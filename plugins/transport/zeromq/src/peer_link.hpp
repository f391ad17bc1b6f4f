#pragma once

#include "poll_set.hpp"
#include "probe.hpp"
#include "requests.hpp"
#include "sockets.hpp"
#include <umbra/sdk/transport.hpp>

#include <functional>
#include <optional>
#include <string>

namespace umbra::zeromq {

/// Where the peer is and which key it must have.
struct PeerAddress {
    std::string publish, respond, identity;

    bool operator==(const PeerAddress&) const = default;
    [[nodiscard]] bool can_ask() const { return !respond.empty() && !identity.empty(); }
    [[nodiscard]] bool can_follow() const { return !publish.empty() && !identity.empty(); }
};

/// The dialling half: asks the peer, follows its updates, and tells what becomes of the link. The
/// link is the connection for questions; the one for updates comes and goes silently, its gaps are
/// found by the host. Belongs to the socket thread.
class PeerLink {
public:
    using Emit = std::function<void(TransportEvent)>;

    /// @throws zmq::error_t, Failure when a socket cannot be made.
    PeerLink(zmq::context_t& context, const KeyPair& own, const Options& options,
             const PeerAddress& peer, Emit emit, std::function<void()> wake);

    void request(Frames frames, Reply<Frames> reply);
    /// Fails open questions; an open link is reported as lost.
    void close(const Error& why);

    void prepare(PollSet& set);
    /// @param set  What was waited for.
    void step(TimePoint now, const PollSet& set);
    [[nodiscard]] bool up() const { return ask_ && ask_->up(); }

private:
    void on_change(const LinkChange& change, TimePoint now);
    void on_probe(RefusalProbe::Outcome outcome, TimePoint now);
    void receive_answers();
    void receive_updates();

    PeerAddress peer_;
    std::int64_t message_max_;
    Emit emit_;
    std::optional<Dialer> ask_, follow_;
    Requests requests_;
    RefusalProbe probe_;
    std::optional<Endpoint> probed_;
    bool was_up_ = false;
    bool refused_ = false;
    TimePoint refused_told_{};
    std::string last_trouble_;
};

}  // namespace umbra::zeromq
