#include <umbra/sdk/export.hpp>
#include <umbra/sdk/tunnel.hpp>

namespace {

using umbra::Done;
using umbra::Reply;
using umbra::TunnelEvent;
using umbra::TunnelState;

struct Options {};

/// Leads nowhere, and grants every claim: it cannot fence.
class Nowhere final : public umbra::TunnelProvider {
public:
    static constexpr umbra::PluginInfo info{"smallest", "1.0.0", "Leads nowhere."};
    static constexpr auto schema = umbra::options<Options>();

    Nowhere(umbra::Context, Options) {}

    void open(umbra::TunnelSpec, Reply<Done> reply) override {
        reply.ok();
        tell(TunnelState::standby);
    }
    void claim(std::uint64_t, umbra::ClaimReason, Reply<umbra::ClaimResult> reply) override {
        reply.ok({true, {}, {}});
    }
    void activate(std::uint64_t, Reply<Done> reply) override {
        reply.ok();
        tell(TunnelState::active);
    }
    void configure(umbra::TunnelSpec, Reply<Done> reply) override { reply.ok(); }
    void drain(umbra::Duration, Reply<Done> reply) override {
        reply.ok();
        tell(TunnelState::standby);
    }
    void next_event(Reply<TunnelEvent> reply) override {
        waiting_ = std::move(reply);
        tell(state_);
    }
    void stop(Reply<Done> reply) override {
        if (waiting_) waiting_.fail(umbra::Errc::closed, "stopping");
        reply.ok();
    }

private:
    /// Only the newest state matters, so nothing piles up while nobody asks.
    void tell(TunnelState state) {
        state_ = state;
        if (!waiting_ || state_ == told_) return;
        told_ = state_;
        waiting_.ok({TunnelEvent::Type::state, state_, 0, 0, 0, {}, {}});
    }

    TunnelState state_ = TunnelState::down, told_ = TunnelState::down;
    Reply<TunnelEvent> waiting_;
};

}  // namespace

UMBRA_PLUGIN(Nowhere)
