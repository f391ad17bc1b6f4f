// What the core asks of the gateway, after the production agent.

#include "checker.hpp"
#include "gateway.hpp"
#include "instance.hpp"

namespace umbra::simulation {

namespace fact = core::fact;
namespace effect = core::effect;
namespace msg = gateway::msg;

namespace {

constexpr Duration ask_limit = 1s;

}  // namespace

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
    const auto send = [this, number, run = std::move(deliver)](const Link& over) {
        over->to_gateway([this, over, number, run] {
            gateway_.when_running([over, number, run] {
                if (over->open_at_gateway) run(over, number);
            });
        });
    };
    send(agent_.link);
    // An agent has several links. What was sent over one that stands still can arrive behind what
    // was sent later over another.
    if (world_.has(Fault::late_request) && world_.luck(Fault::late_request).chance(150)) {
        world_.after(world_.luck(Fault::late_request).between(5ms, 3s), [this, send, life = life_] {
            const bool gone = life != life_ || !agent_.up || !agent_.link;
            if (gone || !world_.has(Fault::late_request)) return;
            world_.count("fault: request arrived late once more");
            send(agent_.link);
        });
    }
    world_.after(real(ask_limit), [this, number, life = life_] {
        when_running(life, [this, number] {
            const auto found = agent_.asks.extract(number);
            if (!found.empty()) fail(found.mapped(), "no answer in time");
        });
    });
}

void Instance::carry_out(const effect::Claim& e) {
    if (world_.is(Mutant::lone_survivor_rules) && !agent_.up) {
        world_.after(1us, [this, e, life = life_] {
            umbra::RegisterView alone;
            alone.known = true;
            alone.epoch = e.epoch;
            alone.holder = name_;
            alone.in_sync = {{name_, disk.incarnation}};
            when_running(life, [&] { tell(fact::ClaimAnswered{e.ask, true, alone, {}}); });
        });
        return;
    }
    ask_gateway(Kind::claim, e.ask, e.epoch, [this, e](const Link& over, std::uint64_t number) {
        gateway_.claim(over, {.ask = number,
                              .epoch = e.epoch,
                              .reason = static_cast<gateway::ClaimReason>(e.reason)});
    });
}

void Instance::carry_out(const effect::Activate& e) {
    if (!fenced_) return activate_plain(e.epoch);
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
    const bool drops = e.members.size() == 1;
    if ((drops && world_.is(Mutant::drop_without_confirmation)) ||
        (!drops && world_.is(Mutant::add_without_confirmation))) {
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
