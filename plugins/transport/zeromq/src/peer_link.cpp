#include "peer_link.hpp"

#include <utility>

namespace umbra::zeromq {

using Type = TransportEvent::Type;

namespace {

TransportEvent event_of(Type type, std::string detail) {
    TransportEvent event;
    event.type = type;
    event.detail = std::move(detail);
    return event;
}

}  // namespace

PeerLink::PeerLink(zmq::context_t& context, const KeyPair& own, const Options& options,
                   const PeerAddress& peer, Emit emit, std::function<void()> wake)
    : peer_(peer),
      message_max_(options.max_message),
      emit_(std::move(emit)),
      probe_(std::move(wake)),
      last_trouble_("no connection to " + peer.respond) {
    if (peer_.can_follow())
        follow_.emplace(context, zmq::socket_type::sub, own, peer_.identity, options,
                        peer_.publish);
    if (!peer_.can_ask()) return;
    ask_.emplace(context, zmq::socket_type::dealer, own, peer_.identity, options, peer_.respond);
    if (const auto endpoint = parse_endpoint(peer_.respond, false); endpoint.ok()) {
        probed_ = endpoint.value();
        probe_.start(*probed_, std::nullopt, Clock::now());
    }
}

void PeerLink::request(Frames frames, Reply<Frames> reply) {
    if (const auto why = why_not_sendable(frames, message_max_); !why.empty()) {
        reply.fail(Errc::invalid, why);
    } else if (!ask_) {
        reply.fail(Errc::unavailable, "no peer is known yet; pair the instances first");
    } else if (refused_) {
        reply.fail(Errc::unavailable, "nobody listens at " + peer_.respond + ": " + last_trouble_);
    } else {
        requests_.add(std::move(frames), std::move(reply));
        if (up()) requests_.flush(ask_->socket());
    }
}

void PeerLink::close(const Error& why) {
    probe_.stop();
    const bool was_up = std::exchange(was_up_, false);
    ask_.reset();
    follow_.reset();
    requests_.fail_all(why);
    if (was_up) emit_(event_of(Type::link_lost, why.message));
}

void PeerLink::prepare(PollSet& set) {
    for (auto* dialer : {&ask_, &follow_}) {
        if (!*dialer) continue;
        set.add((*dialer)->monitor().fd());
        const bool writes = dialer == &ask_ && up() && requests_.has_unsent();
        set.add((*dialer)->socket(),
                writes ? static_cast<short>(ZMQ_POLLIN | ZMQ_POLLOUT) : short{ZMQ_POLLIN});
        set.until((*dialer)->next_step());
    }
    if (probe_.fd() >= 0) set.add(probe_.fd(), POLLOUT);
    set.until(probe_.next_step());
    set.until(requests_.next_deadline());
}

void PeerLink::step(TimePoint now, const PollSet& set) {
    if (ask_) {
        // Answers first: what arrived before the connection broke still counts.
        const bool changed = set.has(ask_->monitor().fd());
        if (changed || set.has(ask_->socket())) receive_answers();
        for (const auto& change : ask_->step(now, changed)) on_change(change, now);
        if (up()) requests_.flush(ask_->socket());
    }
    if (follow_) {
        const bool news = set.has(follow_->socket());
        static_cast<void>(follow_->step(now, set.has(follow_->monitor().fd())));
        if (news) receive_updates();
    }
    on_probe(probe_.step(now), now);
    requests_.expire(now, last_trouble_);
}

void PeerLink::on_change(const LinkChange& change, TimePoint now) {
    switch (change.type) {
        case LinkChange::Type::up:
            was_up_ = true;
            refused_ = false;
            probe_.stop();
            emit_(event_of(Type::link_up, change.detail));
            break;
        case LinkChange::Type::lost:
            was_up_ = false;
            last_trouble_ = change.detail;
            emit_(event_of(Type::link_lost, change.detail));
            // The answers would have come on the connection that is gone.
            requests_.fail_sent({Errc::unavailable, change.detail + " before the answer came"});
            if (probed_) {
                probe_.start(*probed_, ask_->address(), now);
                on_probe(probe_.step(now), now);
            }
            break;
        case LinkChange::Type::denied:
        case LinkChange::Type::failed:
            last_trouble_ = change.detail;
            break;
    }
}

void PeerLink::on_probe(RefusalProbe::Outcome outcome, TimePoint now) {
    if (outcome == RefusalProbe::Outcome::none) return;
    const bool before = std::exchange(refused_, outcome == RefusalProbe::Outcome::refused);
    if (!refused_) return;
    last_trouble_ = "connection refused";
    if (before && now - refused_told_ < repeat_interval) return;
    refused_told_ = now;
    emit_(event_of(Type::refused, peer_.respond + " refuses connections: its process is gone"));
    requests_.fail_all(
        {Errc::unavailable, "nobody listens at " + peer_.respond + ": " + last_trouble_});
}

void PeerLink::receive_answers() {
    Message message;
    for (int i = 0; i < batch_max && receive(ask_->socket(), message); ++i)
        requests_.on_answer(std::move(message));
}

void PeerLink::receive_updates() {
    Message message;
    for (int i = 0; i < batch_max && receive(follow_->socket(), message); ++i) {
        if (message.too_many_frames || message.frames.size() > frames_max) continue;
        TransportEvent event;
        event.type = Type::update;
        event.frames = std::move(message.frames);
        emit_(std::move(event));
    }
}

}  // namespace umbra::zeromq
