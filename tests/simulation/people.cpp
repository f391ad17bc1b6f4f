// Operators, editors and clients.

#include "simulation.hpp"

namespace umbra::simulation {

namespace fact = core::fact;

namespace {

constexpr std::size_t bases_max = 8;

}  // namespace

// --- operators -----------------------------------------------------------------------------------

void Simulation::order(Fault fault) {
    auto& luck = world_.luck(fault);
    auto& where = any(luck);
    const bool on = luck.chance(500);
    if (!where.up()) return;
    switch (fault) {
        case Fault::switch_roles:
            world_.count("operator: switch");
            checker_.disturbed();
            return where.tell(fact::SwitchRequested{request(), false});
        case Fault::force:
            world_.count("operator: force");
            checker_.disturbed();
            help_is_due_ = true;
            where.note_force();
            return where.tell(fact::SwitchRequested{request(), true});
        case Fault::maintenance:
            world_.count(on ? "operator: pause" : "operator: resume");
            return where.tell(fact::PauseRequested{request(), on});
        case Fault::disconnect:
            world_.count(on ? "operator: connect" : "operator: disconnect");
            return where.tell(fact::ConnectRequested{request(), on});
        case Fault::enable:
            world_.count(on ? "operator: enable" : "operator: disable");
            return where.tell(fact::EnableRequested{request(), on});
        case Fault::stop:
            world_.count("operator: stop");
            checker_.disturbed();
            return where.stop();
        default:
            return;
    }
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
    if (fenced_ && (!in_sync || record.holder.node.empty())) {
        checker_.operator_gave_up_edits();
        gateway_.admit(chosen->place());
    }
    checker_.disturbed();
    world_.trace("operator", "helps " + chosen->name());
    world_.after(50ms, [this, chosen] {
        if (chosen->up() && chosen->node().role() == core::Role::shadow) {
            chosen->note_force();
            chosen->tell(fact::SwitchRequested{request(), true});
        }
    });
}

/// An operator takes back what operators ordered before.
void Simulation::take_back_orders() {
    for (auto* instance : instances_) {
        if (!instance->up() || instance->paused()) continue;
        const auto& node = instance->node();
        if (node.paused()) instance->tell(fact::PauseRequested{request(), false});
        if (!node.persistent().connect) instance->tell(fact::ConnectRequested{request(), true});
        if (!node.persistent().ha_enabled) instance->tell(fact::EnableRequested{request(), true});
    }
}

// --- clients -------------------------------------------------------------------------------------

void Simulation::serve_clients() {
    gateway_.serve_client();
    world_.after(world_.random.between(5ms, 25ms), [this] { serve_clients(); });
}

// --- editors -------------------------------------------------------------------------------------

void Simulation::edit() {
    world_.after(world_.random.between(20ms, 250ms), [this] {
        if (!chaos_) return;
        auto& instance = any(world_.random);
        if (instance.up()) {
            if (!ops_.empty() && world_.random.chance(300)) {
                submit(instance, ops_[world_.random.below(ops_.size())], std::nullopt);
            } else if (!done_.empty() && world_.random.chance(50)) {
                submit(instance, done_[world_.random.below(done_.size())], std::nullopt);
            } else {
                ops_.push_back("op" + std::to_string(++last_op_));
                const bool careful = world_.random.chance(400);
                submit(instance, ops_.back(), careful ? some_base(instance) : std::nullopt);
            }
        }
        edit();
    });
}

/// What the editor looked at: the newest revision, or one that others looked at too.
std::optional<core::Revision> Simulation::some_base(const Instance& instance) {
    const auto last = instance.node().log().last().revision;
    const bool stale = !bases_.empty() && world_.random.chance(350);
    if (stale) return bases_[world_.random.below(bases_.size())];
    if (bases_.size() == bases_max) bases_.erase(bases_.begin());
    bases_.push_back(last);
    return last;
}

void Simulation::submit(Instance& instance, const std::string& op,
                        std::optional<core::Revision> base) {
    ++attempts_;
    const bool first = ++attempts_of_[op] == 1;
    core::Entry entry;
    entry.op_id = op;
    if (world_.is(Mutant::retry_is_new_edit)) entry.op_id += "." + std::to_string(attempts_);
    entry.author = "operator";
    entry.time_ms = world_.wall_ms(instance.place());
    entry.changes = {{op, std::to_string(attempts_)}};
    const auto id = request();
    requests_[id] = {op, base, checker_.highest_acknowledged(), first};
    instance.request_edit({id, entry, base});
}

void Simulation::on_reply(Instance& instance, core::RequestId id,
                          const core::effect::Reply& reply) {
    if (reply.verdict == core::Verdict::provisional) world_.count("edit: provisional");
    if (reply.verdict == core::Verdict::refused) world_.count("request: refused");
    if (reply.verdict == core::Verdict::failed) world_.count("request: failed");
    const auto found = requests_.extract(id);
    if (found.empty()) return;
    const auto& wanted = found.mapped();
    if (reply.verdict == core::Verdict::refused && wanted.base && instance.up() &&
        instance.node().serving() != 0 && instance.node().log().last().revision != *wanted.base) {
        world_.count("edit: conflict");
    }
    if (reply.verdict != core::Verdict::done) return;
    world_.count("edit: acknowledged");
    checker_.acknowledged(instance, wanted, reply.revision, gateway_.record());
    if (std::erase(ops_, wanted.op) != 0) done_.push_back(wanted.op);
}

}  // namespace umbra::simulation
