// After the chaos: everything works again, and the pair has to.

#include "simulation.hpp"

namespace umbra::simulation {

namespace {

constexpr Duration active_limit = 5s;      ///< L1: one is active.
constexpr Duration in_sync_limit = 10s;    ///< L2: both are in sync and equal.
constexpr Duration edit_limit = 1s;        ///< L3: an edit of a healthy pair.
constexpr Duration solo_edit_limit = 2s;   ///< L4: the same alone.
constexpr Duration alert_limit = 5s;       ///< L6: somebody says that nobody may.
constexpr std::uint64_t grants_limit = 3;  ///< L5.
/// lease + takeover delay + 1 s
constexpr Duration takeover_limit = 600ms + 500ms + 1s;
/// Where answers were slow lately, the takeover delay is up to four times as long.
constexpr Duration slow_takeover_limit = takeover_limit + 3 * 500ms;
/// L7: the same, after a start; a gateway that started too waits for the holder.
constexpr Duration cold_start_limit = 3s;
constexpr Duration gateway_start_limit = 2s;
constexpr Duration compaction_limit = 11s;  ///< L8: longer than an offered merge is kept.
constexpr Duration help_after = 7s;         ///< An operator looks after that time.
constexpr Duration help_interval = 3s;
constexpr Duration help_limit = 20s;
constexpr Duration step = 50ms;
constexpr int quiet_steps = 20;

}  // namespace

void Simulation::heal() {
    world_.trace("world", "heals");
    chaos_ = false;
    world_.heal();
    if (!gateway_.up()) gateway_.boot();
    gateway_.go_on();
    for (auto* instance : instances_) {
        instance->disk.full = false;
        if (!instance->up()) instance->boot();
        instance->go_on();
        // Ends the damping too, so that the bounds below are those of a pair that was calm.
        instance->tell(core::fact::PauseRequested{request(), false});
    }
}

// --- at rest -------------------------------------------------------------------------------------

/// Who is active, is routed to, and alone.
Instance* Simulation::active_master() const {
    Instance* found = nullptr;
    for (auto* instance : instances_) {
        if (!instance->up() || instance->paused()) continue;
        if (instance->node().role() != core::Role::master || !instance->serves()) continue;
        if (found != nullptr) return nullptr;
        found = instance;
    }
    if (found == nullptr || !fenced_) return found;
    const auto& active = gateway_.active();
    const bool routed = active && active->node == found->place() && active->life == found->life() &&
                        active->epoch == found->node().serving();
    return routed ? found : nullptr;
}

std::string Simulation::unrest_of_gateway(const Instance& master, const Instance& shadow) const {
    if (!fenced_) return {};
    if (!gateway_.record().in_sync.contains({shadow.name(), shadow.incarnation()})) {
        return "the register does not count " + shadow.name() + " as in sync";
    }
    if (gateway_.record().holder.node != master.name()) {
        return "the register does not name " + master.name();
    }
    return {};
}

/// What keeps the pair from being at rest; empty when it is.
std::string Simulation::unrest() const {
    const Instance* master = active_master();
    if (master == nullptr) return "nobody is active, or more than one";
    const auto& shadow = *instances_[1 - master->place()];
    if (!shadow.up() || shadow.paused()) return shadow.name() + " is down";
    if (shadow.node().role() != core::Role::shadow) return "both are masters";
    if (master->node().state() != core::State::active) {
        return master->name() + " is " + to_string(master->node().state());
    }
    if (auto why = unrest_of_gateway(*master, shadow); !why.empty()) return why;
    if (shadow.node().state() != core::State::ready) {
        return shadow.name() + " is " + to_string(shadow.node().state());
    }
    if (master->node().durable() != shadow.node().durable()) return "the logs differ";
    if (master->node().log().document() != shadow.node().log().document()) {
        return "the documents differ";
    }
    return {};
}

/// L8: no log stays longer than it has to be, but for a merge that was asked for just now.
void Simulation::expect_compacted() {
    const auto start = world_.now();
    const auto& policy = Instance::compaction;
    const auto is_long = [&](const Instance* instance) {
        return instance->node().log().entries().size() >= policy.keep + policy.batch;
    };
    while (is_long(&alpha_) || is_long(&beta_)) {
        if (world_.now() - start > compaction_limit) {
            throw Violation("L8: a log is not compacted though the pair is at rest");
        }
        run_for(step);
    }
}

/// L1, L2, L5: at rest within bounds, by itself unless something happened that no rule can undo.
void Simulation::settle() {
    const auto start = world_.now();
    const auto grants = checker_.grants();
    const auto extra = help_is_due_ ? help_limit : Duration{};
    auto next_help = start + help_after;
    bool active_seen = false;
    for (int quiet = 0; quiet < quiet_steps;) {
        take_back_orders();
        run_for(step);
        const auto spent = world_.now() - start;
        const auto why = unrest();
        quiet = why.empty() ? quiet + 1 : 0;
        const bool active = active_master() != nullptr;
        if (active && !active_seen) {
            active_seen = true;
            world_.count(spent <= 1s   ? "healed: active within 1 s"
                         : spent <= 3s ? "healed: active within 3 s"
                                       : "healed: active later");
        }
        if (!active && !active_seen && spent > active_limit + extra) {
            throw Violation("L1: after healing " + why);
        }
        if (!why.empty() && spent > in_sync_limit + extra) {
            throw Violation("L2: after healing " + why);
        }
        if (why.empty() || !help_is_due_ || world_.now() < next_help) continue;
        next_help = world_.now() + help_interval;
        expect_alert();
        help();
    }
    const auto most = grants_limit + (help_is_due_ ? 6 : 0);
    if (checker_.grants() - grants > most) {
        throw Violation("L5: " + std::to_string(checker_.grants() - grants) +
                        " changes of master after healing");
    }
    const auto settled = checker_.grants();
    expect_edit(*active_master(), edit_limit);
    if (const auto again = unrest(); !again.empty()) throw Violation("L2: at the end " + again);
    expect_compacted();
    if (checker_.grants() != settled) throw Violation("L5: the role moved in a healthy pair");
    for (const auto* instance : instances_) checker_.holds_everything(*instance);
    if (!fenced_) checker_.nothing_vanished();
}

/// L6: while nobody is active and nobody may be, somebody says so.
void Simulation::expect_alert() const {
    if (active_master() != nullptr) return;
    if (!fenced_) {
        for (const auto* instance : instances_) {
            if (!instance->up() || instance->node().role() == core::Role::master) return;
            if (!instance->alerts().empty()) return;
        }
        throw Violation("L6: both are shadows and no alert says so");
    }
    const auto& record = gateway_.record();
    for (const auto* instance : instances_) {
        const bool counts = record.in_sync.contains({instance->name(), instance->incarnation()});
        if (!instance->alerts().empty() || (counts && !record.holder.node.empty())) return;
    }
    throw Violation("L6: nobody is active and no alert says why");
}

/// L3: an edit is acknowledged in time.
void Simulation::expect_edit(Instance& master, Duration limit) {
    const auto op = "last" + std::to_string(++last_op_);
    ops_.push_back(op);
    submit(master, op, std::nullopt);
    run_for(limit);
    if (std::find(ops_.begin(), ops_.end(), op) != ops_.end()) {
        throw Violation("L3: an edit on " + master.name() + " was not acknowledged in time");
    }
}

// --- epilogues -----------------------------------------------------------------------------------

void Simulation::play_epilogue() {
    switch (epilogue_) {
        case Epilogue::none:
            return;
        case Epilogue::one_survives:
            return one_survives();
        case Epilogue::nobody_may:
            return nobody_may();
        case Epilogue::starts_alone:
            return starts_alone();
    }
}

void Simulation::await_active(Instance& instance, Duration limit, const std::string& rule) {
    const auto until = world_.now() + limit;
    while (active_master() != &instance) {
        if (world_.now() >= until) {
            throw Violation(rule + ": " + instance.name() + " is not active, it is " +
                            (instance.up() ? to_string(instance.node().state()) : "down"));
        }
        run_for(step);
    }
}

/// L4: one of them and the gateway are left, for good.
void Simulation::one_survives() {
    world_.count("epilogue: one survives");
    auto& dead = any(world_.random);
    auto& survivor = other(dead);
    checker_.disturbed();
    dead.crash(world_.random.chance(500));
    const bool was_slow = world_.faults.test(index_of(Fault::slow_link));
    await_active(survivor, was_slow ? slow_takeover_limit : takeover_limit, "L4");
    expect_edit(survivor, solo_edit_limit);
}

/// L6: the only one that has every edit loses its disk.
void Simulation::nobody_may() {
    world_.count("epilogue: nobody may");
    auto& master = *active_master();
    auto& shadow = other(master);
    checker_.disturbed();
    shadow.crash(true);
    expect_edit(master, solo_edit_limit);
    checker_.disturbed();
    master.crash(false);
    master.wipe();
    master.boot();
    shadow.boot();
    const auto until = world_.now() + alert_limit;
    while (world_.now() < until) {
        run_for(step);
        if (active_master() != nullptr) {
            throw Violation("L6: " + active_master()->name() + " is active without every edit");
        }
    }
    if (!shadow.alerts().contains("not-eligible")) {
        throw Violation("L6: nobody is active and " + shadow.name() + " does not say why");
    }
    help();
    const auto limit = world_.now() + takeover_limit;
    while (active_master() == nullptr) {
        if (world_.now() > limit) throw Violation("L6: the operator's force did not help");
        run_for(step);
    }
}

/// L7: both were down; one of them comes back.
void Simulation::starts_alone() {
    world_.count("epilogue: starts alone");
    auto& dead = any(world_.random);
    auto& first = other(dead);
    const bool gateway_too = world_.random.chance(300);
    checker_.disturbed();
    dead.crash(world_.random.chance(500));
    first.crash(true);
    if (gateway_too) gateway_.crash();
    run_for(world_.random.between(50ms, 3s));
    if (gateway_too) gateway_.boot();
    checker_.disturbed();
    first.boot();
    await_active(first, cold_start_limit + (gateway_too ? gateway_start_limit : Duration{}), "L7");
    expect_edit(first, solo_edit_limit);
}

}  // namespace umbra::simulation
