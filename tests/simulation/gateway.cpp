#include "gateway.hpp"

#include "checker.hpp"
#include "instance.hpp"

#include <algorithm>
#include <cstring>

namespace umbra::simulation {

namespace effect = gateway::effect;
namespace fact = gateway::fact;
namespace msg = gateway::msg;

gateway::BootId boot_id(std::uint64_t life) {
    gateway::BootId id{};
    std::memcpy(id.data(), &life, sizeof life);
    return id;
}

std::size_t place_of(const std::string& node) { return node == "alpha" ? alpha : beta; }

// --- life ----------------------------------------------------------------------------------------

void Gateway::boot() {
    ++life_;
    world_.trace("gateway", lost_ ? "boots without its record" : "boots");
    if (lost_) disk_ = {};
    if (world_.is(Mutant::gateway_forgets_epoch)) {
        disk_ = {};
        lost_ = false;
    }
    auto settings = settings_;
    if (world_.is(Mutant::lease_ignored)) settings.lease = 20ms;
    if (world_.is(Mutant::consent_never_ends)) settings.consent_ttl = 1h;
    register_.emplace(settings, disk_, std::exchange(lost_, false),
                      std::set<std::string>{"alpha", "beta"}, clock());
    arm_timer();
    watch_links();
}

void Gateway::crash() {
    world_.trace("gateway", "crashes");
    ++life_;
    ++world_.gateway_life;
    if (storing_ && world_.random.chance(500)) disk_ = *storing_;
    storing_.reset();
    register_.reset();
    active_.reset();
    inbox_.clear();
    paused_until_ = {};
    for (const auto& link : std::exchange(links_, {})) close(link);
}

void Gateway::pause(Duration gap) {
    world_.trace("gateway", "stands still");
    paused_until_ = world_.now() + gap;
    world_.after(gap, [this, gap, life = life_, until = paused_until_] {
        if (life == life_ && until == paused_until_) wake(gap);
    });
}

void Gateway::go_on() {
    if (!paused()) return;
    paused_until_ = world_.now();
    wake(1s);
}

void Gateway::wake(Duration gap) {
    const auto life = life_;
    tell(fact::Stalled{gap});
    for (auto& action : std::exchange(inbox_, {})) {
        if (life == life_) action();
    }
}

/// The register's clock never goes back; only a mutant takes it from the wall.
Instant Gateway::clock() {
    if (!world_.is(Mutant::lease_on_wall_clock)) return monotonic(world_.now());
    last_wall_ = std::max(last_wall_, monotonic(world_.now()) + world_.wall_jumps[gateway_place]);
    return last_wall_;
}

void Gateway::when_running(Action action) {
    if (!up()) return;
    if (paused()) {
        inbox_.push_back(std::move(action));
    } else {
        action();
    }
}

void Gateway::arm_timer() {
    const auto deadline = register_->next_deadline();
    if (!deadline) return;
    const auto wait =
        world_.clocks[gateway_place].real(std::max<Duration>(*deadline - clock(), 0ns)) + 1us;
    world_.after(wait, [this, arm = ++arm_, life = life_] {
        if (life != life_ || arm != arm_) return;
        when_running([this] {
            refresh_heard();
            tell(fact::Ticked{});
        });
    });
}

/// A link that is silent for long is closed, as the production gateway does it.
void Gateway::watch_links() {
    world_.after(300ms, [this, life = life_] {
        if (life != life_) return;
        if (!paused()) {
            const auto dead_after = std::max<Duration>(4 * settings_.lease, 2s);
            for (const auto& link : std::vector(links_)) {
                if (world_.now() - link->heard_at_gateway < dead_after) continue;
                close(link);
                closed(link);
            }
        }
        watch_links();
    });
}

// --- links ---------------------------------------------------------------------------------------

void Gateway::close(const std::shared_ptr<Connection>& link) {
    link->open_at_gateway = false;
    link->to_node([this, link] { instances_[link->node]->uplink_closed(link); });
}

void Gateway::closed(const std::shared_ptr<Connection>& link) {
    link->open_at_gateway = false;
    if (std::erase(links_, link) == 0) return;
    const auto same = [&](const auto& other) {
        return other->node == link->node && other->life == link->life;
    };
    if (std::any_of(links_.begin(), links_.end(), same)) return;
    tell(fact::Disconnected{instances_[link->node]->name(), boot_id(link->life)});
}

void Gateway::hello(const std::shared_ptr<Connection>& link, const msg::Hello& hello) {
    world_.trace("gateway",
                 hello.node + " connects, it knows epoch " + std::to_string(hello.epoch_known));
    link->heard_at_gateway = world_.now();
    link->stamp_of_gateway = clock();
    greeting_ = link;
    tell(fact::Connected{hello.node, hello.incarnation, hello.boot, hello.epoch_known});
    greeting_.reset();
}

void Gateway::heard(const std::shared_ptr<Connection>& link) {
    // A connection that this process never accepted: the host answers with a reset.
    if (std::find(links_.begin(), links_.end(), link) == links_.end()) return close(link);
    link->heard_at_gateway = world_.now();
    link->stamp_of_gateway = clock();
    link->to_node([this, link] { instances_[link->node]->uplink_heard(link); });
}

/// The holder first, as the production gateway does it: every fact makes the register look whether
/// the holder is gone.
void Gateway::refresh_heard() {
    auto order = instances_;
    std::ranges::stable_partition(order, [&](const auto* instance) {
        return instance->name() == register_->record().holder.node;
    });
    for (const auto* instance : order) {
        Instant heard{}, stamp{};
        for (const auto& link : links_) {
            if (instances_[link->node] != instance) continue;
            heard = std::max(heard, link->heard_at_gateway);
            stamp = std::max(stamp, link->stamp_of_gateway);
        }
        if (heard == Instant{}) continue;
        // The wall clock only for a mutant: its stamp is older than a jump since then.
        const bool wall = world_.is(Mutant::lease_on_wall_clock);
        tell(fact::Heard{instance->name(), wall ? stamp : monotonic(heard)});
    }
}

template <class F>
void Gateway::send(const std::string& node, F deliver) {
    for (const auto& link : links_) {
        if (link->node != place_of(node) || !link->open_at_gateway) continue;
        link->to_node([this, link, deliver] { deliver(*instances_[link->node], link); });
        return;
    }
}

// --- questions -----------------------------------------------------------------------------------

void Gateway::claim(const std::shared_ptr<Connection>& link, msg::Claim ask) {
    refresh_heard();
    reasons_[instances_[link->node]->name()] = ask.reason;
    if (world_.is(Mutant::takeover_without_gateway) &&
        ask.reason == gateway::ClaimReason::peer_silent) {
        ask.reason = gateway::ClaimReason::forced;
    }
    tell(fact::Claimed{instances_[link->node]->name(), ask.ask, ask.epoch, ask.reason});
}

void Gateway::activate(const std::shared_ptr<Connection>& link, msg::Activate ask) {
    const auto& name = instances_[link->node]->name();
    const bool may = register_->may_activate(name, boot_id(link->life), ask.epoch) ||
                     world_.is(Mutant::gateway_routes_any_epoch);
    if (!may) {
        world_.count("transition: activation refused");
        const auto view = register_->view(clock());
        return send(name, [ask, view](Instance& node, const auto& over) {
            node.activation_refused(over, ask.ask, view);
        });
    }
    active_ = Active{link->node, link->life, ask.epoch, link->incarnation};
    world_.trace("gateway", "routes to " + name + ", epoch " + std::to_string(ask.epoch));
    send(name, [ask](Instance& node, const auto& over) { node.activated(over, ask.ask); });
}

void Gateway::consent(const std::shared_ptr<Connection>& link, const msg::Consent& ask) {
    tell(fact::Consented{instances_[link->node]->name(), ask.ask, ask.epoch, ask.successor});
}

void Gateway::in_sync(const std::shared_ptr<Connection>& link, const msg::InSync& ask) {
    const auto seq =
        world_.is(Mutant::in_sync_without_sequence) ? register_->record().in_sync_seq + 1 : ask.seq;
    tell(fact::InSyncAsked{instances_[link->node]->name(),
                           ask.ask,
                           ask.epoch,
                           seq,
                           {ask.members.begin(), ask.members.end()}});
}

void Gateway::drain(const std::shared_ptr<Connection>& link, gateway::Epoch epoch) {
    if (active_ && active_->node == link->node && active_->epoch == epoch) active_.reset();
}

void Gateway::admit(std::size_t node) {
    if (up()) tell(fact::Admitted{instances_[node]->name(), 0});
}

void Gateway::serve_client() {
    if (!up() || paused()) return;
    const auto carries = [&](const auto& link) {
        return active_ && link->node == active_->node && link->life == active_->life;
    };
    if (std::none_of(links_.begin(), links_.end(), carries)) return world_.count("clients parked");
    world_.count("clients served");
    checker_.accepted(active_->node, active_->incarnation, active_->epoch);
}

// --- effects -------------------------------------------------------------------------------------

void Gateway::tell(const gateway::Fact& fact) {
    if (!register_) return;
    for (const auto& one : register_->step(clock(), fact)) {
        if (!register_) return;
        carry_out(one);
    }
    if (register_) arm_timer();
}

void Gateway::carry_out_store(const effect::Store& e) {
    storing_ = e.record;
    const auto delay = world_.random.chance(20) ? world_.random.between(50ms, 300ms)
                                                : world_.random.between(100us, 5ms);
    if (e.record.epoch != disk_.epoch) {
        before_ = disk_;
        const auto holder = place_of(disk_.holder.node);
        Instant heard{};
        bool linked = false;
        for (const auto& link : links_) {
            if (disk_.holder.node.empty() || link->node != holder) continue;
            if (link->incarnation != disk_.holder.incarnation) continue;
            linked = true;
            heard = std::max(heard, link->heard_at_gateway);
        }
        const bool silent =
            !linked || monotonic(world_.now()) - monotonic(heard) >= settings_.lease;
        if (!e.record.holder.node.empty() && !rebuilding()) {
            checker_.granting({disk_, e.record, reasons_[e.record.holder.node], silent,
                               monotonic(world_.now()) < consent_until_});
        }
    }
    const bool hasty = world_.is(Mutant::gateway_answers_before_disk);
    if (hasty) {
        world_.after(0ns, [this, life = life_] {
            if (life == life_) when_running([this] { tell(fact::Stored{}); });
        });
    }
    world_.after(delay, [this, hasty, life = life_] {
        if (life != life_) return;
        when_running([this, hasty] {
            if (!storing_) return;
            disk_ = *std::exchange(storing_, std::nullopt);
            if (!hasty) tell(fact::Stored{});
        });
    });
}

void Gateway::carry_out_claim(const effect::AnswerClaim& e) {
    if (e.granted) {
        world_.trace("gateway", "grants epoch " + std::to_string(e.view.epoch) + " to " + e.node);
        consent_until_ = {};
        checker_.granted(before_, register_->record());
    } else {
        world_.count("transition: claim refused");
        world_.trace("gateway", "refuses " + e.node + ": " + e.text);
    }
    send(e.node, [e](Instance& node, const auto& over) { node.claim_answered(over, e); });
}

void Gateway::carry_out(const gateway::Effect& one) {
    if (const auto* e = std::get_if<effect::Store>(&one)) {
        carry_out_store(*e);
    } else if (const auto* welcome = std::get_if<effect::Welcome>(&one)) {
        links_.push_back(greeting_);
        if (active_ && active_->node == greeting_->node && active_->life != greeting_->life) {
            active_.reset();
        }
        greeting_->to_node([this, link = greeting_, view = welcome->view] {
            instances_[link->node]->welcomed(link, view);
        });
        if (world_.is(Mutant::last_connection_wins) && active_) {
            active_ =
                Active{greeting_->node, greeting_->life, active_->epoch, greeting_->incarnation};
        }
        if (world_.is(Mutant::takeover_without_in_sync)) {
            world_.after(1ms, [this, node = greeting_->node] { admit(node); });
        }
    } else if (const auto* refuse = std::get_if<effect::Refuse>(&one)) {
        world_.trace("gateway", "turns away a link: " + refuse->text);
        close(greeting_);
    } else if (const auto* cut_links = std::get_if<effect::CutLinks>(&one)) {
        for (const auto& link : std::vector(links_)) {
            if (link->node != place_of(cut_links->node) || boot_id(link->life) != cut_links->boot)
                continue;
            std::erase(links_, link);
            close(link);
        }
    } else if (const auto* claim_answer = std::get_if<effect::AnswerClaim>(&one)) {
        carry_out_claim(*claim_answer);
    } else if (const auto* consented = std::get_if<effect::AnswerConsent>(&one)) {
        if (consented->ok) consent_until_ = monotonic(world_.now()) + settings_.consent_ttl;
        send(consented->node, [e = *consented](Instance& node, const auto& over) {
            node.plain_answer(over, e.ask, e.ok, e.text);
        });
    } else if (const auto* set = std::get_if<effect::AnswerInSync>(&one)) {
        if (!set->ok) world_.count("transition: in-sync change refused");
        send(set->node, [e = *set](Instance& node, const auto& over) {
            node.plain_answer(over, e.ask, e.ok, e.text);
        });
    } else if (const auto* push = std::get_if<effect::PushRegister>(&one)) {
        send(push->node, [view = push->view](Instance& node, const auto& over) {
            node.register_pushed(over, view);
        });
    } else if (const auto* lost = std::get_if<effect::PushHolderLost>(&one)) {
        send(lost->node, [view = lost->view](Instance& node, const auto& over) {
            node.holder_lost(over, view);
        });
    } else if (const auto* fenced = std::get_if<effect::PushFenced>(&one)) {
        world_.count("transition: holder fenced");
        send(fenced->node, [e = *fenced](Instance& node, const auto& over) {
            node.fenced(over, e.view, e.drain);
        });
    } else if (const auto* below = std::get_if<effect::CutBelow>(&one)) {
        if (world_.is(Mutant::gateway_routes_any_epoch)) return;
        if (active_ && active_->epoch < below->epoch) active_.reset();
    } else if (const auto* alert = std::get_if<effect::Alert>(&one)) {
        world_.trace("gateway", alert->text);
    }
}

}  // namespace umbra::simulation
