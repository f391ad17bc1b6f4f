#include <umbra/sdk/export.hpp>
#include <umbra/sdk/tunnel.hpp>

namespace {

using umbra::Done;
using umbra::Reply;

struct Options {};

/// Leads nowhere, and grants every claim: it cannot fence.
class Nowhere final : public umbra::TunnelProvider {
public:
    static constexpr umbra::PluginInfo info{"smallest", "1.0.0", "Leads nowhere."};
    static constexpr auto schema = umbra::options<Options>();

    Nowhere(umbra::Context, Options) {}

    void open(umbra::TunnelSpec, Reply<Done> reply) override { reply.ok(); }
    void claim(std::uint64_t, umbra::ClaimReason, Reply<umbra::ClaimResult> reply) override {
        reply.ok({true, {}, {}});
    }
    void activate(std::uint64_t, Reply<Done> reply) override { reply.ok(); }
    void configure(umbra::TunnelSpec, Reply<Done> reply) override { reply.ok(); }
    void drain(umbra::Duration, Reply<Done> reply) override { reply.ok(); }
    void next_event(Reply<umbra::TunnelEvent> reply) override { event_ = std::move(reply); }
    void stop(Reply<Done> reply) override {
        event_.fail(umbra::Errc::closed, "stopping");
        reply.ok();
    }

private:
    Reply<umbra::TunnelEvent> event_;
};

}  // namespace

UMBRA_PLUGIN(Nowhere)
