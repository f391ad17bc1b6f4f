// The instance's side of the link to the gateway, after the production agent.

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
    for (const auto& member : view.in_sync) {
        host.in_sync.push_back({member.node, member.incarnation});
    }
    return host;
}

bool same_facts(gateway::RegisterView a, const gateway::RegisterView& b) {
    a.holder_heard_ns = b.holder_heard_ns;
    return a == b;
}

constexpr Duration ask_limit = 1s;

}  // namespace

// --- link ----------------------------------------------------------------------------------------

void Instance::dial() {
    if (!node_ || agent_.link || agent_.connecting) return;
    agent_.connecting = true;
    const bool reachable =
        gateway_.up() && !world_.cut[place_][gateway_place] && !world_.cut[gateway_place][place_];
    const auto wait = reachable ? world_.random.between(500us, 20ms) : Duration{500ms};
    world_.after(wait, [this, life = life_] {
        when_running(life, [this, life] {
            agent_.connecting = false;
            const bool answers = gateway_.up() && !world_.cut[place_][gateway_place] &&
                                 !world_.cut[gateway_place][place_];
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
    world_.after(gateway_.lease() / 4, [this, life = life_, link = agent_.link] {
        when_running(life, [this, link] {
            if (agent_.link != link || !link) return;
            if (world_.now() - link->heard_at_node > 3 * gateway_.lease()) {
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

void Instance::reset_uplink() {
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
        on_view(view);
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
        if (from_current(link)) on_view(view);
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
        if (!from_current(link)) return;
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
        if (found.empty()) return;
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
        on_view(view);
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

// --- what the core wants -------------------------------------------------------------------------

void Instance::fail(const Ask& ask, const std::string& why) {
    switch (ask.kind) {
        case Kind::claim:
            return tell(fact::ClaimFailed{ask.core_ask, why});
        case Kind::consent:
            return tell(fact::ConsentAnswered{ask.core_ask, false, why});
        case Kind::in_sync:
            return tell(fact::InSyncAnswered{ask.core_ask, false});
        case Kind::activate:
            return;
    }
}

void Instance::ask_gateway(Kind kind, core::AskId core_ask, core::Epoch epoch,
                           std::function<void(const Link&, std::uint64_t)> deliver) {
    const Ask ask{kind, core_ask, epoch};
    if (!agent_.up || !agent_.link) {
        // Never before the present step is over: an answer is a fact of its own.
        world_.after(1us, [this, ask, life = life_] {
            when_running(life, [this, ask] { fail(ask, "no link to the gateway"); });
        });
        return;
    }
    const auto number = ++next_ask_;
    agent_.asks[number] = ask;
    agent_.link->to_gateway([this, link = agent_.link, number, run = std::move(deliver)] {
        gateway_.when_running([link, number, run] {
            if (link->open_at_gateway) run(link, number);
        });
    });
    world_.after(ask_limit, [this, number, life = life_] {
        when_running(life, [this, number] {
            const auto found = agent_.asks.extract(number);
            if (!found.empty()) fail(found.mapped(), "no answer in time");
        });
    });
}

void Instance::carry_out(const effect::Claim& e) {
    ask_gateway(Kind::claim, e.ask, e.epoch, [this, e](const Link& over, std::uint64_t number) {
        gateway_.claim(over, {.ask = number,
                              .epoch = e.epoch,
                              .reason = static_cast<gateway::ClaimReason>(e.reason)});
    });
}

void Instance::carry_out(const effect::Activate& e) {
    const bool over = e.epoch < agent_.active || (agent_.view_known && e.epoch < agent_.view.epoch);
    if (over && !world_.is(Mutant::gateway_routes_any_epoch)) return;
    if (!agent_.up) return;
    agent_.draining = false;
    agent_.known = std::max(agent_.known, e.epoch);
    agent_.active = e.epoch;
    agent_.confirmed = false;
    ask_gateway(Kind::activate, 0, e.epoch, [this, e](const Link& via, std::uint64_t number) {
        gateway_.activate(via, {.ask = number, .epoch = e.epoch});
    });
    changed();
}

void Instance::carry_out(const effect::SetInSync& e) {
    if (world_.is(Mutant::drop_without_confirmation) && e.members.size() == 1) {
        world_.after(1us, [this, e, life = life_] {
            when_running(life, [this, e] { tell(fact::InSyncAnswered{e.ask, true}); });
        });
        return;
    }
    msg::InSync ask{.ask = 0, .epoch = e.epoch, .seq = e.seq, .members = {}};
    for (const auto& m : e.members) ask.members.push_back({m.node, m.incarnation});
    ask_gateway(Kind::in_sync, e.ask, e.epoch, [this, ask](const Link& over, std::uint64_t number) {
        auto numbered = ask;
        numbered.ask = number;
        gateway_.in_sync(over, numbered);
    });
}

void Instance::carry_out(const effect::Consent& e) {
    ask_gateway(Kind::consent, e.ask, e.epoch, [this, e](const Link& over, std::uint64_t number) {
        gateway_.consent(over, {.ask = number, .epoch = e.epoch, .successor = e.successor});
    });
}

void Instance::carry_out(const effect::Drain& e) {
    if (agent_.active != 0 && agent_.link && agent_.view.epoch <= agent_.active) {
        agent_.link->to_gateway([this, link = agent_.link, epoch = agent_.active] {
            gateway_.when_running([this, link, epoch] { gateway_.drain(link, epoch); });
        });
    }
    stop_serving();
    agent_.draining = true;
    changed();
    const auto wait = e.grace == Duration{} ? Duration{1us} : world_.random.between(1ms, 200ms);
    world_.after(wait, [this, life = life_] {
        when_running(life, [this] {
            agent_.draining = false;
            changed();
            tell(fact::Drained{});
        });
    });
}

}  // namespace umbra::simulation
