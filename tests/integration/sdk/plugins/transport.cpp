#include <umbra/sdk/export.hpp>
#include <umbra/sdk/transport.hpp>

namespace {

using umbra::Done;
using umbra::Errc;
using umbra::Frames;
using umbra::Reply;

struct Options {};

/// Nobody is at the other end.
class Nowhere final : public umbra::Transport {
public:
    static constexpr umbra::PluginInfo info{"smallest", "1.0.0", "Nobody is at the other end."};
    static constexpr auto schema = umbra::options<Options>();

    Nowhere(umbra::Context, Options) {}

    void open(umbra::TransportSpec spec, Reply<umbra::TransportOpened> reply) override {
        reply.ok({"me", spec.own_publish, spec.own_respond});
    }
    void reconfigure(umbra::TransportSpec, Reply<Done> reply) override { reply.ok(); }
    void publish(Frames, Reply<Done> reply) override { reply.ok(); }
    void request(Frames, Reply<Frames> reply) override {
        reply.fail(Errc::unavailable, "nobody is there");
    }
    void next_event(Reply<umbra::TransportEvent> reply) override { event_ = std::move(reply); }
    void answer(std::uint64_t, Frames, Reply<Done> reply) override {
        reply.fail(Errc::conflict, "nobody asked");
    }
    void set_pong(std::string, Frames, Reply<Done> reply) override { reply.ok(); }
    void mint(Reply<umbra::Minted> reply) override { reply.ok({"public", "secret"}); }
    void introduce(std::string, std::string, std::string, Frames, Reply<Frames> reply) override {
        reply.fail(Errc::unavailable, "nobody is there");
    }
    void stop(Reply<Done> reply) override {
        event_.fail(Errc::closed, "stopping");
        reply.ok();
    }

private:
    Reply<umbra::TransportEvent> event_;
};

}  // namespace

UMBRA_PLUGIN(Nowhere)
