// A transport that hands everything back, so that a test sees what crossed the border, both ways.
#include <umbra/sdk/export.hpp>
#include <umbra/sdk/transport.hpp>

#include <algorithm>
#include <deque>
#include <optional>

namespace {

using umbra::Done;
using umbra::Frames;
using umbra::Reply;
using umbra::TransportEvent;

struct Options {};

class Echo final : public umbra::Transport {
public:
    static constexpr umbra::PluginInfo info{"echo", "1.0.0", "Hands everything back."};
    static constexpr auto schema = umbra::options<Options>();

    Echo(umbra::Context, Options) {}

    void open(umbra::TransportSpec spec, Reply<umbra::TransportOpened> reply) override {
        std::string guests;
        for (const auto& guest : spec.guests) guests += guest + ";";
        reply.ok({spec.peer_identity + "|" + guests, spec.own_publish + "|" + spec.peer_publish,
                  spec.own_respond + "|" + spec.peer_respond});
    }
    void reconfigure(umbra::TransportSpec spec, Reply<Done> reply) override {
        if (spec.guests.empty()) return reply.fail(umbra::Errc::conflict, "no guests");
        reply.ok();
    }
    void publish(Frames frames, Reply<Done> reply) override {
        tell({TransportEvent::Type::update, 0, "peer", std::move(frames), 0, "published"});
        reply.ok();
    }
    void request(Frames frames, Reply<Frames> reply) override {
        std::reverse(frames.begin(), frames.end());
        reply.ok(frames);
    }
    void next_event(Reply<TransportEvent> reply) override {
        waiting_ = std::move(reply);
        serve();
    }
    void answer(std::uint64_t id, Frames frames, Reply<Done> reply) override {
        tell({TransportEvent::Type::asked, id, "guest", std::move(frames), 3, "answered"});
        reply.ok();
    }
    void set_pong(std::string ping, Frames pong, Reply<Done> reply) override {
        pong.insert(pong.begin(), std::move(ping));
        publish(std::move(pong), std::move(reply));
    }
    void mint(Reply<umbra::Minted> reply) override { reply.ok({"public", "secret"}); }
    void introduce(std::string respond, std::string server, std::string secret, Frames frames,
                   Reply<Frames> reply) override {
        frames.insert(frames.begin(), {respond, server, secret});
        reply.ok(frames);
    }
    void stop(Reply<Done> reply) override {
        if (waiting_) waiting_.fail(umbra::Errc::closed, "stopping");
        reply.ok();
    }

private:
    void tell(TransportEvent event) {
        events_.push_back(std::move(event));
        serve();
    }
    void serve() {
        if (!waiting_ || events_.empty()) return;
        const auto event = std::move(events_.front());
        events_.pop_front();
        waiting_.ok(event);
    }
    std::deque<TransportEvent> events_;
    Reply<TransportEvent> waiting_;
};

}  // namespace

UMBRA_PLUGIN(Echo)
