#include "service.hpp"

#include "self_test.hpp"

#include <utility>

namespace umbra::zeromq {

Service::Service(zmq::context_t& context, Permits& permits, const Options& options, Emit emit,
                 Warn warn)
    : context_(context),
      permits_(permits),
      options_(options),
      emit_(std::move(emit)),
      warn_(std::move(warn)) {}

Result<Done> Service::open(const KeyPair& own, const std::string& publish_endpoint,
                           const std::string& respond_endpoint) {
    auto opened = open_one(publish_, zmq::socket_type::xpub, zmq::socket_type::sub, publish_domain,
                           own, publish_endpoint);
    if (opened.ok())
        opened = open_one(respond_, zmq::socket_type::router, zmq::socket_type::dealer,
                          respond_domain, own, respond_endpoint);
    if (!opened.ok()) close();
    return opened;
}

Result<Done> Service::open_one(std::optional<Listener>& listener, zmq::socket_type type,
                               zmq::socket_type dial_as, const char* domain, const KeyPair& own,
                               const std::string& endpoint) {
    if (endpoint.empty()) return Done{};
    listener.emplace(context_, type, domain, own, options_, endpoint);
    const auto opened = listener->open();
    if (!opened.ok()) return opened;
    return self_test(context_, permits_, *listener, dial_as, own.public_key, options_);
}

void Service::close() {
    publish_.reset();
    respond_.reset();
    questions_.clear();
    kick_at_ = reopen_at_ = TimePoint::max();
}

void Service::on_peer_revoked(const std::string& identity) {
    questions_.forget(identity);
    reopen(publish_);
    // Until then each message of the revoked key is dropped when it arrives.
    kick_at_ = questions_.empty() ? Clock::now() : Clock::now() + kick_wait;
}

void Service::reopen(std::optional<Listener>& listener) {
    if (!listener) return;
    const auto opened = listener->reopen();
    if (opened.ok()) return;
    warn_(opened.error().message + "; it is tried again");
    reopen_at_ = Clock::now() + repeat_interval;
}

void Service::publish(const Frames& frames, Reply<Done> reply) {
    if (const auto why = why_not_sendable(frames, options_.max_message); !why.empty()) {
        reply.fail(Errc::invalid, why);
    } else if (!publish_ || !publish_->is_open()) {
        reply.fail(Errc::unavailable, "this transport has no open endpoint to publish on");
    } else {
        send_frames(publish_->socket(), frames);
        reply.ok();
    }
}

void Service::answer(std::uint64_t id, const Frames& frames, Reply<Done> reply) {
    if (const auto why = why_not_sendable(frames, options_.max_message); !why.empty()) {
        reply.fail(Errc::invalid, why);
        return;
    }
    const auto asked = questions_.take(id);
    if (!asked) {
        reply.fail(Errc::conflict, "question " + std::to_string(id) +
                                       " is not open: answered before, given up or revoked");
    } else if (!respond_ || !respond_->is_open() ||
               !send_frames(respond_->socket(), asked->envelope, frames)) {
        reply.fail(Errc::unavailable,
                   "who asked question " + std::to_string(id) + " is no longer connected");
    } else {
        reply.ok();
    }
}

void Service::prepare(PollSet& set) {
    for (auto* listener : {&publish_, &respond_}) {
        if (!*listener || !(*listener)->is_open()) continue;
        set.add((*listener)->socket());
        set.add((*listener)->monitor().fd());
    }
    set.until(kick_at_);
    set.until(reopen_at_);
}

void Service::step(TimePoint now, const PollSet& set) {
    if (now >= std::exchange(reopen_at_, now >= reopen_at_ ? TimePoint::max() : reopen_at_)) {
        for (auto* listener : {&publish_, &respond_})
            if (*listener && !(*listener)->is_open()) reopen(*listener);
    }
    if (now >= kick_at_) {
        kick_at_ = TimePoint::max();
        questions_.clear();  // their connections go with the socket
        reopen(respond_);
    }
    watch(publish_, set);
    watch(respond_, set);
    if (publish_ && publish_->is_open() && set.has(publish_->socket())) receive_subscriptions();
    if (respond_ && respond_->is_open() && set.has(respond_->socket())) receive_questions();
}

void Service::watch(std::optional<Listener>& listener, const PollSet& set) {
    if (!listener || !listener->is_open() || !set.has(listener->monitor().fd())) return;
    while (const auto event = listener->monitor().next()) {
        if (event->type == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL)
            permits_.count_stranger("a connection to " + listener->endpoint() +
                                    " did not speak CURVE with this instance's key");
    }
}

void Service::receive_subscriptions() {
    Message message;
    for (int i = 0; i < batch_max; ++i) {
        if (!publish_ || !publish_->is_open() || !receive(publish_->socket(), message)) return;
        // A subscription needs no answer, and what else a subscriber sends upstream is dropped. But
        // nobody except the peer may subscribe. (libzmq's own news of an end carry no key.)
        const bool subscribes = !message.frames.front().empty() && message.frames.front()[0] == 1;
        if (!subscribes || permits_.allows(publish_domain, message.user_id)) continue;
        warn_("a subscriber that is not the peer was cut off");
        reopen(publish_);
        return;
    }
}

void Service::receive_questions() {
    Message message;
    for (int i = 0; i < batch_max; ++i) {
        if (!respond_ || !respond_->is_open() || !receive(respond_->socket(), message)) return;
        on_question(std::move(message));
    }
}

void Service::on_question(Message message) {
    const std::string identity = std::move(message.user_id);
    if (!permits_.allows(respond_domain, identity)) {
        permits_.count_stranger("a message of revoked key \"" + identity + "\" was dropped");
        return;
    }
    if (message.too_many_frames) return;
    auto parts = split(std::move(message.frames));
    if (!parts) return;

    const bool is_peer = permits_.is_peer(identity);
    if (is_peer && pong_ && parts->body.front() == pong_->ping) {
        Frames answer = pong_->frames;
        const Duration age = Clock::now() - pong_->set_at;
        answer.push_back(to_little_endian(static_cast<std::uint64_t>(age.count())));
        send_frames(respond_->socket(), parts->envelope, answer);
        return;
    }
    const auto id = questions_.add(std::move(parts->envelope), identity, !is_peer);
    if (!id) return;
    TransportEvent event;
    event.type = TransportEvent::Type::asked;
    event.id = *id;
    event.identity = identity;
    event.frames = std::move(parts->body);
    if (!emit_(std::move(event))) static_cast<void>(questions_.take(*id));
}

std::string Service::publish_endpoint() const { return publish_ ? publish_->endpoint() : ""; }
std::string Service::respond_endpoint() const { return respond_ ? respond_->endpoint() : ""; }

}  // namespace umbra::zeromq
