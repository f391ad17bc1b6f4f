#include "simulation.hpp"

namespace umbra::simulation {

namespace fact = core::fact;

namespace {

constexpr Duration chaos_time = 20s;
constexpr Duration patience = 15s;      ///< From healing to a pair at rest.
constexpr Duration help_after = 7s;     ///< An operator looks after that time.
constexpr Duration edit_patience = 3s;  ///< An edit on a healthy pair.
constexpr Duration step = 100ms;

}  // namespace

Simulation::Simulation(const Options& options)
    : options_(options),
      world_(options_),
      checker_(world_, instances_),
      gateway_(world_, checker_, instances_),
      alpha_(world_, checker_, gateway_, alpha),
      beta_(world_, checker_, gateway_, beta) {
    instances_ = {&alpha_, &beta_};
    alpha_.set_other(beta_);
    beta_.set_other(alpha_);
    for (auto* instance : instances_) {
        instance->on_reply = [this, instance](core::RequestId id, const auto& reply) {
            on_reply(*instance, id, reply);
        };
    }
}

void Simulation::play() {
    choose_faults();
    gateway_.boot();
    alpha_.boot();
    beta_.boot();
    checker_.disturbed();
    serve_clients();
    note_disturbances();
    edit();
    inject();
    const auto start = world_.now();
    world_.run_until(start + chaos_time, [] {});
    heal();
    check_liveness();
    check_messages();
}

// --- bad luck ------------------------------------------------------------------------------------

void Simulation::choose_faults() {
    const auto all = static_cast<std::uint64_t>(Fault::count);
    const auto style = world_.random.below(100);
    for (std::uint64_t kind = 0; kind < all; ++kind) {
        const bool wanted = style < 50 ? world_.random.chance(400) : style < 75;
        if (wanted) faults_.push_back(static_cast<Fault>(kind));
    }
    if (style >= 75 && style < 92) faults_ = {static_cast<Fault>(world_.random.below(all))};
    // An instance that loses its disk and a gateway that loses its record are two losses at once of
    // what is kept twice: no rule can bring back an epoch that nobody remembers.
    std::erase(faults_, world_.random.chance(500) ? Fault::wipe : Fault::record_loss);
    if (style >= 92) faults_.clear();
    if (faults_.empty()) return;
    if (world_.random.chance(500)) world_.peer.drop = world_.random.below(300);
    if (world_.random.chance(500)) world_.peer.duplicate = world_.random.below(300);
    world_.peer.delay_most = world_.random.chance(500) ? world_.random.between(1ms, 60ms) : 2ms;
    for (auto* instance : instances_) {
        if (world_.random.chance(300)) instance->disk.slow_per_mille = world_.random.below(60);
    }
}

void Simulation::inject() {
    if (faults_.empty()) return;
    world_.after(world_.random.between(50ms, 1800ms), [this] {
        if (!chaos_) return;
        strike(faults_[static_cast<std::size_t>(world_.random.below(faults_.size()))]);
        inject();
    });
}

void Simulation::take_down(Instance& instance, bool host_down, bool wipe) {
    if (!instance.up()) return;
    checker_.disturbed(place_of(instance.name()));
    instance.crash(host_down);
    if (wipe) instance.wipe();
    world_.after(world_.random.between(50ms, 5s), [&instance, life = instance.life()] {
        if (!instance.up() && instance.life() == life) instance.boot();
    });
}

void Simulation::cut(std::size_t a, std::size_t b, bool both) {
    world_.cut[a][b] = true;
    if (both) world_.cut[b][a] = true;
    world_.after(world_.random.between(50ms, 5s), [this, a, b] { world_.heal(a, b); });
}

/// Losing the only copy of acknowledged edits is nothing a rule could prevent.
bool Simulation::may_lose_disk(const Instance& instance) const {
    const auto& other = instance.name() == alpha_.name() ? beta_ : alpha_;
    const auto& in_sync = gateway_.record().in_sync;
    return in_sync.contains({other.name(), other.incarnation()});
}

void Simulation::strike(Fault fault) {
    auto& victim = any();
    const auto place = place_of(victim.name());
    switch (fault) {
        case Fault::kill:
            world_.count("fault: process killed");
            return take_down(victim, false, false);
        case Fault::power_loss:
            world_.count("fault: power lost");
            return take_down(victim, true, false);
        case Fault::freeze:
            if (!victim.up() || victim.paused()) return;
            world_.count("fault: process frozen");
            return victim.pause(world_.random.between(20ms, 5s));
        case Fault::record_loss:
        case Fault::gateway_crash:
            if (!gateway_.up()) return;
            world_.count(fault == Fault::record_loss ? "fault: record lost"
                                                     : "fault: gateway killed");
            gateway_.crash();
            if (fault == Fault::record_loss) {
                gateway_.lose_record();
                checker_.record_was_lost();
                help_is_due_ = true;
            }
            world_.after(world_.random.between(50ms, 3s), [this] {
                if (!gateway_.up()) gateway_.boot();
            });
            return;
        case Fault::gateway_freeze:
            if (!gateway_.up() || gateway_.paused()) return;
            world_.count("fault: gateway frozen");
            return gateway_.pause(world_.random.between(20ms, 3s));
        case Fault::peer_cut:
            world_.count("fault: peer link cut");
            return cut(alpha, beta, true);
        case Fault::peer_cut_one_way:
            world_.count("fault: peer link cut one way");
            return cut(place, 1 - place, false);
        case Fault::uplink_cut:
            world_.count("fault: uplink cut");
            return cut(place, gateway_place, true);
        case Fault::uplink_cut_one_way:
            world_.count("fault: uplink cut one way");
            return world_.random.chance(500) ? cut(place, gateway_place, false)
                                             : cut(gateway_place, place, false);
        case Fault::uplink_reset:
            world_.count("fault: uplink reset");
            checker_.disturbed(place);
            if (victim.up() && !victim.paused()) victim.reset_uplink();
            return;
        case Fault::wipe:
            if (!victim.up() || !may_lose_disk(victim)) return;
            world_.count("fault: disk lost");
            help_is_due_ = true;
            return take_down(victim, false, true);
        case Fault::switch_roles:
            world_.count("operator: switch");
            checker_.disturbed();
            if (victim.up()) victim.tell(fact::SwitchRequested{request(), false});
            return;
        case Fault::force:
            if (!world_.random.chance(400)) return;
            world_.count("operator: force");
            checker_.disturbed();
            help_is_due_ = true;
            if (victim.up()) victim.tell(fact::SwitchRequested{request(), true});
            return;
        case Fault::maintenance:
            world_.count("operator: maintenance");
            if (victim.up()) {
                victim.tell(fact::PauseRequested{request(), world_.random.chance(500)});
            }
            return;
        case Fault::disconnect:
            world_.count("operator: disconnect");
            if (victim.up()) {
                victim.tell(fact::ConnectRequested{request(), world_.random.chance(500)});
            }
            return;
        case Fault::stop:
            world_.count("operator: stop");
            checker_.disturbed();
            if (victim.up()) victim.stop();
            return;
        case Fault::count:
            return;
    }
}

/// A node that does not serve, for whatever reason, may lose the role (S8).
void Simulation::note_disturbances() {
    for (const std::size_t place : {alpha, beta}) {
        const auto& instance = *instances_[place];
        const bool cut_off = world_.cut[place][gateway_place] || world_.cut[gateway_place][place];
        if (!instance.up() || instance.paused() || cut_off || !instance.serves()) {
            checker_.disturbed(place);
        }
    }
    if (!gateway_.up() || gateway_.paused()) checker_.disturbed();
    world_.after(20ms, [this] { note_disturbances(); });
}

// --- clients and editors -------------------------------------------------------------------------

void Simulation::serve_clients() {
    gateway_.serve_client();
    world_.after(world_.random.between(5ms, 25ms), [this] { serve_clients(); });
}

void Simulation::edit() {
    world_.after(world_.random.between(20ms, 250ms), [this] {
        if (!chaos_) return;
        auto& instance = any();
        if (instance.up()) {
            if (!ops_.empty() && world_.random.chance(300)) {
                submit(instance, ops_[world_.random.below(ops_.size())], false);
            } else if (!done_.empty() && world_.random.chance(50)) {
                submit(instance, done_[world_.random.below(done_.size())], false);
            } else {
                ops_.push_back("op" + std::to_string(++last_op_));
                submit(instance, ops_.back(), world_.random.chance(300));
            }
        }
        edit();
    });
}

void Simulation::submit(Instance& instance, const std::string& op, bool on_revision) {
    ++attempts_;
    core::Entry entry;
    entry.op_id = op;
    if (world_.is(Mutant::retry_is_new_edit)) entry.op_id += "." + std::to_string(attempts_);
    entry.author = "operator";
    entry.changes = {{op, std::to_string(attempts_)}};
    std::optional<core::Revision> base;
    if (on_revision) base = instance.node().log().last().revision;
    const auto id = request();
    requests_[id] = {op, base};
    instance.tell(fact::EditRequested{id, entry, base});
}

void Simulation::on_reply(Instance& instance, core::RequestId id,
                          const core::effect::Reply& reply) {
    if (reply.verdict == core::Verdict::provisional) world_.count("edit: provisional");
    if (reply.verdict == core::Verdict::refused) world_.count("request: refused");
    if (reply.verdict == core::Verdict::failed) world_.count("request: failed");
    const auto found = requests_.extract(id);
    if (found.empty()) return;
    const auto& [op, base] = found.mapped();
    if (reply.verdict != core::Verdict::done) return;
    world_.count("edit: acknowledged");
    checker_.acknowledged(instance, op, reply.revision, base, gateway_.record());
    if (std::erase(ops_, op) != 0) done_.push_back(op);
}

// --- healing -------------------------------------------------------------------------------------

void Simulation::heal() {
    world_.trace("world", "heals");
    chaos_ = false;
    world_.peer = {};
    for (auto& row : world_.cut) row = {};
    world_.heal(alpha, beta);
    if (!gateway_.up()) gateway_.boot();
    for (auto* instance : instances_) {
        instance->disk.slow_per_mille = 0;
        if (!instance->up()) instance->boot();
    }
}

/// An operator takes back what operators ordered before.
void Simulation::take_back_orders() {
    for (auto* instance : instances_) {
        if (!instance->up() || instance->paused()) continue;
        if (instance->node().paused()) instance->tell(fact::PauseRequested{request(), false});
        const bool apart = !instance->node().persistent().connect;
        if (apart) instance->tell(fact::ConnectRequested{request(), true});
    }
}

/// What keeps the pair from being at rest; empty when it is.
std::string Simulation::unrest() const {
    const Instance* master = nullptr;
    const Instance* shadow = nullptr;
    for (const auto* instance : instances_) {
        if (!instance->up() || instance->paused()) return instance->name() + " is down";
        (instance->node().role() == core::Role::master ? master : shadow) = instance;
    }
    if (master == nullptr) return "nobody is master";
    if (shadow == nullptr) return "both are masters";
    if (master->node().serving() == 0) return master->name() + " does not serve";
    if (master->node().state() != core::State::active) {
        return master->name() + " is " + to_string(master->node().state());
    }
    if (!gateway_.record().in_sync.contains({shadow->name(), shadow->incarnation()})) {
        return "the register does not count " + shadow->name() + " as in sync";
    }
    const auto& active = gateway_.active();
    if (!master->serves() || !active || instances_[active->node] != master ||
        active->epoch != master->node().serving()) {
        return "the gateway does not route to " + master->name();
    }
    if (shadow->node().state() != core::State::ready) {
        return shadow->name() + " is " + to_string(shadow->node().state());
    }
    if (master->node().durable() != shadow->node().durable()) return "the logs differ";
    if (master->node().log().document() != shadow->node().log().document()) {
        return "the documents differ";
    }
    return {};
}

/// What an operator does with a pair that cannot help itself.
void Simulation::help() {
    world_.count("operator: help");
    const auto& record = gateway_.record();
    Instance* chosen = nullptr;
    for (auto* instance : instances_) {
        if (!instance->up()) continue;
        const bool in_sync = record.in_sync.contains({instance->name(), instance->incarnation()});
        const bool better = chosen == nullptr || instance->node().log().last().revision >
                                                     chosen->node().log().last().revision;
        if (in_sync && !record.holder.node.empty()) {
            chosen = instance;
            break;
        }
        if (better) chosen = instance;
    }
    if (chosen == nullptr) return;
    const bool in_sync = record.in_sync.contains({chosen->name(), chosen->incarnation()});
    if (!in_sync || record.holder.node.empty()) {
        checker_.operator_gave_up_edits();
        gateway_.admit(place_of(chosen->name()));
    }
    checker_.disturbed();
    world_.trace("operator", "helps " + chosen->name());
    world_.after(50ms, [this, chosen] {
        if (chosen->up() && chosen->node().role() == core::Role::shadow) {
            chosen->tell(fact::SwitchRequested{request(), true});
        }
    });
}

void Simulation::check_liveness() {
    const auto start = world_.now();
    auto next_help = start + help_after;
    const auto deadline = start + (help_is_due_ ? 2 * patience : patience);
    std::string why = unrest();
    // At rest means: for a while.
    int quiet = 0;
    while (quiet < 10) {
        if (world_.now() >= deadline) throw Violation("L1: after healing " + why);
        take_back_orders();
        world_.run_until(world_.now() + step, [] {});
        why = unrest();
        quiet = why.empty() ? quiet + 1 : 0;
        if (!why.empty() && help_is_due_ && world_.now() >= next_help) {
            next_help = world_.now() + 3s;
            help();
        }
    }
    auto& master = alpha_.node().role() == core::Role::master ? alpha_ : beta_;
    ops_.push_back("last");
    submit(master, "last", false);
    world_.run_until(world_.now() + edit_patience, [] {});
    if (!ops_.empty() && ops_.back() == "last") {
        throw Violation("L3: an edit on a healthy pair was not acknowledged");
    }
    if (const auto again = unrest(); !again.empty()) throw Violation("L2: at the end " + again);
    for (auto* instance : instances_) checker_.holds_everything(*instance);
}

/// S13: what is sent is bounded by the time and by what editors asked for.
void Simulation::check_messages() const {
    const auto seconds = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(world_.now().time_since_epoch() - 1h)
            .count());
    for (const auto* instance : instances_) {
        const auto limit = 60 * seconds + 8 * attempts_ + 200;
        if (instance->messages() > limit) {
            throw Violation("S13: " + instance->name() + " sent " +
                            std::to_string(instance->messages()) + " messages in " +
                            std::to_string(seconds) + " s");
        }
    }
}

Outcome run(const Options& options) {
    Outcome outcome;
    Simulation simulation(options);
    try {
        simulation.play();
    } catch (const Violation& violation) {
        outcome.violation = violation.what();
    }
    outcome.counters = simulation.world().counters;
    outcome.events = simulation.world().events;
    outcome.fingerprint = simulation.world().fingerprint;
    return outcome;
}

}  // namespace umbra::simulation
