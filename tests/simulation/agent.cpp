// The instance's side of the link to the gateway, after the production agent: the link and what
// the gateway says.

#include "checker.hpp"
#include "gateway.hpp"
#include "instance.hpp"

namespace umbra::simulation {

namespace fact = core::fact;
namespace effect = core::effect;
namespace msg = gateway::msg;

namespace {

umbra::RegisterView to_host(const gateway::RegisterView& view) {
    umbra::RegisterView host;
    host.known = true;
    host.epoch = view.epoch;
    host.holder = view.holder;
    host.holder_alive = view.holder_alive;
    host.in_sync_seq = view.in_sync_seq;
    host.holder_heard = Duration(view.holder_heard_ns);
    for (const auto& member : view.in_sync) {
        host.in_sync.push_back({member.node, member.incarnation});
    }
    return host;
}

bool same_facts(gateway::RegisterView a, const gateway::RegisterView& b) {
    a.holder_heard_ns = b.holder_heard_ns;
    return a == b;
}

}  // namespace

// --- link ----------------------------------------------------------------------------------------

void Instance::dial() {
    if (!node_ || agent_.link || agent_.connecting) return;
    if (!fenced_) return watch_far_end();
    agent_.connecting = true;
    const bool reachable = gateway_.up() && !world_.cut_between(place_, gateway_place);
    const auto wait = reachable ? world_.random.between(500us, 20ms) : Duration{500ms};
    world_.after(wait, [this, life = life_, turn = ++agent_.dials] {
        when_running(life, [this, life, turn] {
            // Given up by a reset, and begun anew: two links would be open, and one of them deaf.
            if (turn != agent_.dials) return;
            agent_.connecting = false;
            const bool idle =
                world_.is(Mutant::shadow_keeps_no_link) && node_->role() == core::Role::shadow;
            const bool answers =
                gateway_.up() && !world_.cut_between(place_, gateway_place) && !idle;
            if (!answers) {
                world_.after(world_.random.between(50ms, 250ms),
                             [this, life] { when_running(life, [this] { dial(); }); });
                return;
            }
            agent_.link = std::make_shared<Connection>(world_, place_, life, link_delay_);
            agent_.link->heard_at_node = world_.now();
            agent_.link->incarnation = disk.incarnation;
            world_.on_heal.push_back([weak = std::weak_ptr(agent_.link)] {
                if (const auto link = weak.lock()) link->flush();
            });
            const msg::Hello hello{.node = name_,
                                   .incarnation = disk.incarnation,
                                   .boot = boot_id(life_),
                                   .epoch_known = agent_.known};
            agent_.link->to_gateway([this, link = agent_.link, hello] {
                gateway_.when_running([this, link, hello] { gateway_.hello(link, hello); });
            });
            heartbeat();
        });
    });
}

void Instance::heartbeat() {
    world_.after(real(gateway_.lease() / 4), [this, life = life_, link = agent_.link] {
        when_running(life, [this, link] {
            if (agent_.link != link || !link) return;
            const auto silent = world_.now() - link->heard_at_node;
            const bool dead = silent > real(leases_until_dead * gateway_.lease());
            if (dead && !world_.is(Mutant::dead_link_stays_active)) {
                drop_link();
                changed();
                dial();
                return;
            }
            link->to_gateway([this, link] {
                gateway_.when_running([this, link] {
                    if (link->open_at_gateway) gateway_.heard(link);
                });
            });
            heartbeat();
        });
    });
}

/// Closes our end; the gateway hears of it when it can.
void Instance::drop_link() {
    const auto link = std::exchange(agent_.link, nullptr);
    agent_.connecting = false;
    if (!link) return;
    link->open_at_node = false;
    agent_.up = agent_.confirmed = false;
    // A host without power closes nothing.
    if (!host_down_) {
        link->to_gateway([this, link] {
            gateway_.when_running([this, link] {
                if (link->open_at_gateway) gateway_.closed(link);
            });
        });
    }
    for (const auto& [number, ask] : std::exchange(agent_.asks, {})) fail(ask, "the link broke");
}

std::optional<Instant> Instance::gateway_heard() const {
    if (!agent_.link) return std::nullopt;
    return agent_.link->heard_at_node;
}

void Instance::reset_uplink() {
    if (!fenced_) {
        agent_.up = false;
        stop_serving();
        return changed();
    }
    drop_link();
    if (!node_) return;
    changed();
    dial();
}

void Instance::uplink_closed(const Link& link) {
    when_running(link->life, [this, link] {
        if (!from_current(link)) return;
        reset_uplink();
    });
}

void Instance::uplink_heard(const Link& link) {
    when_running(link->life, [link, now = world_.now()] { link->heard_at_node = now; });
}

// --- what the gateway says -----------------------------------------------------------------------

void Instance::welcomed(const Link& link, const gateway::RegisterView& view) {
    when_running(link->life, [this, link, view] {
        if (!from_current(link)) return;
        agent_.up = true;
        hear_view(view);
        resume_serving();
        changed();
    });
}

void Instance::resume_serving() {
    if (agent_.active == 0 || agent_.view.epoch != agent_.active || agent_.view.holder != name_) {
        return;
    }
    agent_.confirmed = false;
    ask_gateway(Kind::activate, 0, agent_.active,
                [this, epoch = agent_.active](const Link& over, std::uint64_t number) {
                    gateway_.activate(over, {.ask = number, .epoch = epoch});
                });
}

void Instance::tell_view(bool holder_lost) {
    if (agent_.view_known) tell(fact::RegisterSeen{"main", to_host(agent_.view), holder_lost});
}

/// Only a mutant is ever deaf.
bool Instance::deaf_to(const gateway::RegisterView& view) const {
    return world_.is(Mutant::fenced_is_ignored) && agent_.active != 0 && view.epoch > agent_.active;
}

void Instance::hear_view(const gateway::RegisterView& view) {
    if (!deaf_to(view)) on_view(view);
}

void Instance::on_view(const gateway::RegisterView& view) {
    if (agent_.active != 0 && view.epoch > agent_.active) {
        agent_.view = view;
        agent_.view_known = true;
        stop_serving();
        tell_view(false);
        return changed();
    }
    const bool news = !agent_.view_known || !same_facts(agent_.view, view);
    agent_.view = view;
    agent_.view_known = true;
    if (news) tell_view(false);
}

void Instance::register_pushed(const Link& link, const gateway::RegisterView& view) {
    when_running(link->life, [this, link, view] {
        if (from_current(link)) hear_view(view);
    });
}

void Instance::holder_lost(const Link& link, const gateway::RegisterView& view) {
    when_running(link->life, [this, link, view] {
        if (!from_current(link)) return;
        agent_.view = view;
        agent_.view_known = true;
        tell_view(true);
    });
}

void Instance::fenced(const Link& link, const gateway::RegisterView& view, bool drain) {
    when_running(link->life, [this, link, view, drain] {
        if (!from_current(link) || deaf_to(view)) return;
        agent_.view = view;
        agent_.view_known = true;
        if (view.epoch <= agent_.active) return;
        stop_serving();
        agent_.draining = agent_.draining || drain;
        tell_view(false);
        changed();
        if (!drain) return;
        world_.after(world_.random.between(1ms, 200ms), [this, life = link->life] {
            when_running(life, [this] {
                agent_.draining = false;
                changed();
            });
        });
    });
}

void Instance::claim_answered(const Link& link, const gateway::effect::AnswerClaim& answer) {
    when_running(link->life, [this, link, answer] {
        if (!from_current(link)) return;
        const auto found = agent_.asks.extract(answer.ask);
        // Nobody waits for it any more, and yet it may say that this node was granted an epoch.
        if (found.empty()) {
            hear_view(answer.view);
            return changed();
        }
        agent_.view = answer.view;
        agent_.view_known = true;
        tell(fact::ClaimAnswered{found.mapped().core_ask, answer.granted, to_host(answer.view),
                                 answer.text});
    });
}

void Instance::plain_answer(const Link& link, std::uint64_t ask, bool ok, const std::string& text) {
    when_running(link->life, [this, link, ask, ok, text] {
        if (!from_current(link)) return;
        const auto found = agent_.asks.extract(ask);
        if (found.empty()) return;
        if (found.mapped().kind == Kind::in_sync) {
            tell(fact::InSyncAnswered{found.mapped().core_ask, ok});
        } else {
            tell(fact::ConsentAnswered{found.mapped().core_ask, ok, text});
        }
    });
}

void Instance::activated(const Link& link, std::uint64_t ask) {
    when_running(link->life, [this, link, ask] {
        if (!from_current(link)) return;
        const auto found = agent_.asks.extract(ask);
        if (found.empty() || found.mapped().epoch != agent_.active) return;
        agent_.confirmed = true;
        changed();
    });
}

void Instance::activation_refused(const Link& link, std::uint64_t ask,
                                  const gateway::RegisterView& view) {
    when_running(link->life, [this, link, ask, view] {
        if (!from_current(link)) return;
        const auto found = agent_.asks.extract(ask);
        if (found.empty()) return;
        if (found.mapped().epoch == agent_.active && view.epoch <= agent_.active) stop_serving();
        hear_view(view);
        changed();
    });
}

// --- state ---------------------------------------------------------------------------------------

void Instance::stop_serving() {
    agent_.active = 0;
    agent_.confirmed = false;
}

TunnelState Instance::tunnel_state() const {
    if (!agent_.up) return TunnelState::connecting;
    if (agent_.draining) return TunnelState::draining;
    return agent_.active != 0 && agent_.confirmed ? TunnelState::active : TunnelState::standby;
}

void Instance::changed() {
    if (!node_) return;
    const auto state = tunnel_state();
    if (state == agent_.reported) return;
    agent_.reported = state;
    tell_view(false);
    tell(fact::TunnelChanged{"main", state});
}

}  // namespace umbra::simulation
