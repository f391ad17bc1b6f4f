#include "engine.hpp"

#include "endpoint.hpp"

#include <algorithm>
#include <pthread.h>
#include <utility>

namespace umbra::zeromq {

namespace {

/// Two own endpoints are the same when the text is, or when it is the bound form of an open port.
bool same_endpoint(const std::string& now, const std::string& at_open, const std::string& bound) {
    return now == at_open || now == bound;
}

}  // namespace

Engine::Engine(Context context, Options options)
    : host_(context), options_(std::move(options)), thread_([this] { run(); }) {}

Engine::~Engine() {
    submit_always(Reply<Done>{}, [](Engine& e, auto reply) { e.stop(std::move(reply)); });
    thread_.join();
}

// --- the thread
// -----------------------------------------------------------------------------------

void Engine::run() {
    ::pthread_setname_np(::pthread_self(), "zeromq");
    try {
        set_up();
    } catch (const std::exception& failure) {
        break_off({Errc::internal, std::string{"ZeroMQ cannot start: "} + failure.what()});
    }
    while (!stopping_) {
        try {
            turn();
        } catch (const std::exception& failure) {
            break_off({Errc::internal, std::string{"the transport closed itself after a fault: "} +
                                           failure.what()});
        }
    }
    tear_down();
}

void Engine::set_up() {
    zmq_.set(zmq::ctxopt::blocky, 0);
    zap_ = std::make_unique<Zap>(
        zmq_, permits_, [this] { mailbox_.wake(); }, [this] { mailbox_.wake(); });
    service_.emplace(
        zmq_, permits_, options_, [this](TransportEvent event) { return emit(std::move(event)); },
        [this](const std::string& text) { host_.warn(text); });
}

void Engine::turn() {
    PollSet set;
    set.add(mailbox_.fd());
    if (!broken_) {
        service_->prepare(set);
        if (link_) link_->prepare(set);
        introductions_.prepare(set);
    }
    set.wait();

    for (auto& command : mailbox_.take()) {
        if (stopping_) {
            command->refuse();
        } else {
            command->run(*this);
        }
    }
    if (stopping_ || broken_) return;
    if (!zap_->alive()) {
        break_off({Errc::denied,
                   "the thread that authenticates connections ended; everything was "
                   "closed, restart this instance"});
        return;
    }
    const TimePoint now = Clock::now();
    service_->step(now, set);
    if (link_) link_->step(now, set);
    introductions_.step(now);
    report(now);
    events_.drop_canceled();
}

void Engine::break_off(const Error& why) {
    if (broken_) return;
    host_.error(why.message);
    close_all(why);
    broken_ = why;
    events_.close(why);
}

void Engine::close_all(const Error& why) {
    introductions_.fail_all(why);
    if (link_) link_->close(why);
    link_.reset();
    if (service_) service_->close();
    permits_.set("", {});
    is_open_ = false;
}

void Engine::tear_down() {
    const Error closed{Errc::closed, "the transport is stopping"};
    close_all(closed);
    events_.end(closed);
    mailbox_.close();
    // Ends the ZAP thread; its socket is the last one, so that the context can close.
    zmq_.shutdown();
    zap_.reset();
    service_.reset();
    zmq_.close();
    // The last act of this thread: the destructor, which the host calls next, waits for its end.
    if (Reply<Done> reply = std::move(stopped_)) reply.ok();
}

// --- what the host asks
// ---------------------------------------------------------------------------

void Engine::stop(Reply<Done> reply) {
    stopped_ = std::move(reply);
    stopping_ = true;
}

Result<Done> Engine::check(const TransportSpec& spec) const {
    for (const auto* own : {&spec.own_publish, &spec.own_respond}) {
        if (own->empty()) continue;
        if (const auto parsed = parse_endpoint(*own, true); !parsed.ok()) return parsed.error();
    }
    for (const auto* peer : {&spec.peer_publish, &spec.peer_respond}) {
        if (peer->empty()) continue;
        if (const auto parsed = parse_endpoint(*peer, false); !parsed.ok()) return parsed.error();
    }
    if (!spec.peer_identity.empty() && !is_key(spec.peer_identity))
        return Error{Errc::invalid, "the peer's identity is not a CURVE key: 40 characters of Z85"};
    if (spec.peer_identity == own_.public_key && !spec.peer_identity.empty())
        return Error{Errc::invalid,
                     "the peer's identity is this instance's own; each needs its own data_dir"};
    if (!std::all_of(spec.guests.begin(), spec.guests.end(), is_key))
        return Error{Errc::invalid, "a guest's identity is not a CURVE key: 40 characters of Z85"};
    return Done{};
}

void Engine::open(TransportSpec spec, Reply<TransportOpened> reply) {
    if (is_open_) {
        reply.fail(Errc::conflict, "the transport is open already");
        return;
    }
    const auto pair = load_or_make_key_pair(std::string{host_.state_dir()});
    if (!pair.ok()) {
        reply.fail(pair.error());
        return;
    }
    own_ = pair.value();
    if (const auto checked = check(spec); !checked.ok()) {
        reply.fail(checked.error());
        return;
    }
    permits_.set(spec.peer_identity, spec.guests);
    const auto opened = service_->open(own_, spec.own_publish, spec.own_respond);
    if (!opened.ok()) {
        permits_.set("", {});
        reply.fail(opened.error());
        return;
    }
    spec_ = std::move(spec);
    is_open_ = true;
    if (!try_dial_peer(reply)) return;
    reply.ok({own_.public_key, service_->publish_endpoint(), service_->respond_endpoint()});
}

void Engine::reconfigure(TransportSpec spec, Reply<Done> reply) {
    if (!is_open_) {
        reply.fail(Errc::conflict, "the transport is not open");
        return;
    }
    if (const auto checked = check(spec); !checked.ok()) {
        reply.fail(checked.error());
        return;
    }
    if (!same_endpoint(spec.own_publish, spec_.own_publish, service_->publish_endpoint()) ||
        !same_endpoint(spec.own_respond, spec_.own_respond, service_->respond_endpoint())) {
        reply.fail(Errc::invalid, "own endpoints cannot change while the transport is open");
        return;
    }
    const TransportSpec before = std::exchange(spec_, std::move(spec));
    permits_.set(spec_.peer_identity, spec_.guests);
    const bool other_key = spec_.peer_identity != before.peer_identity;
    if (other_key && !before.peer_identity.empty()) service_->on_peer_revoked(before.peer_identity);
    if (other_key || spec_.peer_publish != before.peer_publish ||
        spec_.peer_respond != before.peer_respond) {
        if (!try_dial_peer(reply)) return;
    }
    reply.ok();
}

void Engine::dial_peer() {
    if (link_) link_->close({Errc::unavailable, "the peer was configured anew"});
    link_.emplace(
        zmq_, own_, options_,
        PeerAddress{spec_.peer_publish, spec_.peer_respond, spec_.peer_identity},
        [this](TransportEvent event) { emit(std::move(event)); }, [this] { mailbox_.wake(); });
}

template <class T>
bool Engine::try_dial_peer(Reply<T>& reply) {
    try {
        dial_peer();
        return true;
    } catch (const std::exception& failure) {
        const Error error{
            Errc::exhausted,
            std::string{"the transport closed itself, it cannot dial the peer: "} + failure.what()};
        reply.fail(error);
        break_off(error);
        return false;
    }
}

void Engine::publish(const Frames& frames, Reply<Done> reply) {
    service_->publish(frames, std::move(reply));
}

void Engine::request(Frames frames, Reply<Frames> reply) {
    if (link_) {
        link_->request(std::move(frames), std::move(reply));
    } else {
        reply.fail(Errc::conflict, "the transport is not open");
    }
}

void Engine::answer(std::uint64_t id, const Frames& frames, Reply<Done> reply) {
    service_->answer(id, frames, std::move(reply));
}

void Engine::set_pong(Pong pong, Reply<Done> reply) {
    service_->set_pong(std::move(pong));
    reply.ok();
}

void Engine::introduce(const std::string& respond, const std::string& server_identity,
                       const std::string& secret, Frames frames, Reply<Frames> reply) {
    introductions_.add(zmq_, options_, respond, server_identity, secret, std::move(frames),
                       std::move(reply));
}

// --- events
// ---------------------------------------------------------------------------------------

bool Engine::emit(TransportEvent event) { return events_.push(std::move(event)); }

void Engine::report(TimePoint now) {
    if (now - reported_at_ < repeat_interval) return;
    auto strangers = permits_.take_strangers();
    if (strangers.count > 0) {
        reported_at_ = now;
        TransportEvent event;
        event.type = TransportEvent::Type::stranger;
        event.count = strangers.count;
        event.detail = std::move(strangers.detail);
        emit(std::move(event));
    }
    if (events_.dropped() == dropped_told_) return;
    reported_at_ = now;
    host_.warn("the host is slow to take events: " +
               std::to_string(events_.dropped() - dropped_told_) + " updates were dropped");
    dropped_told_ = events_.dropped();
}

}  // namespace umbra::zeromq
