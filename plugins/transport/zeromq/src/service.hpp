#pragma once

#include "permits.hpp"
#include "poll_set.hpp"
#include "requests.hpp"
#include "sockets.hpp"
#include <umbra/sdk/transport.hpp>

#include <functional>
#include <optional>
#include <string>

namespace umbra::zeromq {

/// What a ping is answered with, without the host.
struct Pong {
    std::string ping;
    Frames frames;
    TimePoint set_at{};
};

/// The listening half: publishes to the peer, takes questions of the peer and of guests, answers
/// pings. Belongs to the socket thread.
class Service {
public:
    /// False when the event was dropped.
    using Emit = std::function<bool(TransportEvent)>;
    using Warn = std::function<void(const std::string&)>;

    Service(zmq::context_t& context, Permits& permits, const Options& options, Emit emit,
            Warn warn);

    /// Binds and proves that strangers are refused. An empty endpoint is not bound.
    [[nodiscard]] Result<Done> open(const KeyPair& own, const std::string& publish_endpoint,
                                    const std::string& respond_endpoint);
    void close();
    /// Cuts every connection of a key that is no longer permitted. The permits are changed already.
    void on_peer_revoked(const std::string& identity);

    void publish(const Frames& frames, Reply<Done> reply);
    void answer(std::uint64_t id, const Frames& frames, Reply<Done> reply);
    void set_pong(Pong pong) { pong_ = std::move(pong); }

    void prepare(PollSet& set);
    /// @param set  What was waited for.
    void step(TimePoint now, const PollSet& set);

    [[nodiscard]] std::string publish_endpoint() const;
    [[nodiscard]] std::string respond_endpoint() const;

private:
    [[nodiscard]] Result<Done> open_one(std::optional<Listener>& listener, zmq::socket_type type,
                                        zmq::socket_type dial_as, const char* domain,
                                        const KeyPair& own, const std::string& endpoint);
    void reopen(std::optional<Listener>& listener);
    void receive_subscriptions();
    void receive_questions();
    void on_question(Message message);
    void watch(std::optional<Listener>& listener, const PollSet& set);

    zmq::context_t& context_;
    Permits& permits_;
    Options options_;
    Emit emit_;
    Warn warn_;
    std::optional<Listener> publish_, respond_;
    Questions questions_;
    std::optional<Pong> pong_;
    TimePoint kick_at_ = TimePoint::max();
    TimePoint reopen_at_ = TimePoint::max();
};

}  // namespace umbra::zeromq
