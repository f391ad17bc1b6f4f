#include "instance.hpp"

#include "checker.hpp"
#include "gateway.hpp"
#include "hash.hpp"

namespace umbra::simulation {

namespace fact = core::fact;
namespace effect = core::effect;

namespace {

/// So that a snapshot takes several messages.
constexpr std::size_t snapshot_chunk = 700;
/// As in the production shell: a tick that is less late than this is not told.
constexpr Duration late_loop = 200ms;

core::Settings settings_of(const std::string& node, const std::string& incarnation) {
    core::Settings settings;
    settings.node = node;
    settings.incarnation = incarnation;
    settings.version = "1";
    settings.takeover_delay_unfenced = Instance::takeover_delay_unfenced;
    settings.compaction = Instance::compaction;
    settings.snapshot_chunk = snapshot_chunk;
    return settings;
}

/// Edits, reports and the like carry the epoch under which they are said.
core::Epoch epoch_of(const core::wire::Message& message) {
    if (const auto* update = std::get_if<core::wire::Update>(&message)) return update->epoch;
    if (const auto* beacon = std::get_if<core::wire::Beacon>(&message)) return beacon->epoch;
    if (const auto* report = std::get_if<core::wire::Report>(&message)) return report->epoch;
    if (const auto* invite = std::get_if<core::wire::TakeOver>(&message)) return invite->epoch;
    return 0;
}

}  // namespace

Instance::Instance(World& world, Checker& checker, Gateway& gateway, std::size_t place, bool fenced)
    : disk(world, {.persisted = [this](auto version) { tell(fact::Persisted{version}); },
                   .stored = [this](auto op) { tell(fact::Stored{op}); },
                   .written = [&checker](const auto& logged) { checker.written(logged); },
                   .landed = [&checker](const auto& logged) { checker.landed(logged); },
                   .failed = [this] { disk_failed(); }}),
      world_(world),
      checker_(checker),
      gateway_(gateway),
      place_(place),
      name_(place == alpha ? "alpha" : "beta"),
      fenced_(fenced),
      life_(place),
      link_delay_(world.random.between(200us, 10ms)) {
    wipe();
}

// --- life ----------------------------------------------------------------------------------------

void Instance::wipe() {
    core::Persistent first;
    first.role = place_ == alpha ? core::Role::master : core::Role::shadow;
    first.ha_enabled = true;
    if (!world_.is(Mutant::wiped_disk_keeps_identity)) ++wipes_;
    disk.format(first, name_ + "-disk" + std::to_string(wipes_));
}

void Instance::boot() {
    life_ += 2;
    world_.trace(name_, "boots");
    host_down_ = false;
    agent_ = {};
    agent_.known = disk.state.epoch;
    link_up_ = knows_peer_ = broken_ = false;
    alerts_.clear();
    auto settings = settings_of(name_, disk.incarnation);
    if (world_.is(Mutant::impatient_shadow)) settings.takeover_delay_unfenced = 1ms;
    node_.emplace(settings, disk.state, disk.load(), clock());
    state_ = node_->state();
    tell(fact::TunnelsConfigured{{{"main", fenced_}}});
    tell(fact::Paired{true});
    if (world_.is(Mutant::restart_without_asking)) tell(fact::PeerRefused{"it is not there"});
    if (world_.is(Mutant::acknowledge_alone)) {
        core::TakeoverPolicy careless;
        careless.acknowledge_both = false;
        tell(fact::PolicyChanged{careless});
    }
    tick_armed_ = false;
    arm_tick();
    dial();
}

void Instance::crash(bool host_down) {
    world_.trace(name_, host_down ? "loses power" : "is killed");
    node_.reset();
    life_ += 2;
    host_down_ = host_down;
    paused_until_ = {};
    inbox_.clear();
    facts_.clear();
    asked_.clear();
    to_answer_.clear();
    disk.crash();
    drop_link();
    // A host that lives closes the connections of its dead process.
    if (host_down || world_.cut(place_, 1 - place_) || !other_->up()) return;
    world_.after(world_.random.between(100us, 2ms), [this, life = other_->life_] {
        other_->when_running(life, [this] {
            other_->link_up_ = false;
            other_->knows_peer_ = true;
            other_->tell(fact::LinkWasLost{"closed"});
        });
    });
}

void Instance::pause(Duration gap) {
    world_.trace(name_, "is frozen");
    paused_until_ = world_.now() + gap;
    // The shell sees how late its next tick is, not how long it was frozen.
    const Duration late = paused_until_ - std::max(world_.now(), next_tick_);
    world_.after(gap, [this, late, life = life_, until = paused_until_] {
        if (life == life_ && until == paused_until_) wake(late);
    });
}

void Instance::go_on() {
    if (!paused()) return;
    paused_until_ = world_.now();
    // How long it was matters little: the core distrusts what it saw in that time.
    wake(1s);
}

void Instance::wake(Duration late) {
    world_.trace(name_, "goes on");
    const auto life = life_;
    if (late > late_loop) tell(fact::LoopWasLate{late});
    for (auto& action : std::exchange(inbox_, {})) {
        if (life == life_) action();
    }
}

void Instance::when_running(std::uint64_t life, Action action) {
    if (life != life_ || !node_) return;
    if (paused()) {
        inbox_.push_back(std::move(action));
    } else {
        action();
    }
}

void Instance::tick() {
    tick_armed_ = false;
    if (!paused()) tell(fact::Ticked{});
    if (node_) arm_tick();
}

/// The rule of the production shell: an earlier time that is set stays.
void Instance::arm_tick() {
    const auto at = world_.now() + real(node_->next_tick());
    if (tick_armed_ && next_tick_ <= at) return;
    tick_armed_ = true;
    next_tick_ = at;
    world_.after(at - world_.now(), [this, life = life_, turn = ++tick_turn_] {
        if (life == life_ && node_ && turn == tick_turn_) tick();
    });
}

void Instance::tell(core::Fact fact) {
    when_running(life_, [this, f = std::move(fact)]() mutable {
        facts_.push_back(std::move(f));
        if (!stepping_) take_facts();
    });
}

/// One at a time: what an effect brings about is a fact after the step.
void Instance::take_facts() {
    stepping_ = true;
    while (!facts_.empty()) {
        const auto fact = std::move(facts_.front());
        facts_.pop_front();
        const auto life = life_;
        const auto before = node_->role();
        const auto effects = node_->step(clock(), fact);
        world_.mix(fact.index() * 64 + effects.size());
        for (const auto& one : effects) world_.mix(one.index());
        note_state();
        const bool promoted = before == core::Role::shadow && node_->role() == core::Role::master;
        if (promoted && !fenced_) checker_.promoted(*this);
        for (const auto& one : effects) {
            if (life != life_) break;
            carry_out(one);
        }
    }
    stepping_ = false;
    if (node_ && tick_armed_) arm_tick();
}

void Instance::note_state() {
    const auto now = node_->state();
    if (now == state_) return;
    if (!core::is_transition(state_, now)) {
        throw Violation(name_ + " went from " + to_string(state_) + " to " + to_string(now) +
                        ", which runtime/core/src/state.cpp does not know");
    }
    world_.count(std::string("state: ") + to_string(state_) + " -> " + to_string(now));
    world_.trace(name_, std::string(to_string(state_)) + " -> " + to_string(now));
    state_ = now;
    if (now == core::State::taking_over) decision_ = {world_.now() - peer_answered_, agent_.up};
}

/// An fsync failed: the process stops as soon as it knows, and starts again from what is there.
void Instance::disk_failed() {
    when_running(life_, [this] {
        broken_ = true;
        if (world_.is(Mutant::fsync_error_ignored)) return;
        checker_.disturbed(place_);
        world_.count("transition: stop on a disk error");
        crash(false);
        world_.after(world_.luck(Fault::fsync_error).between(200ms, 3s), [this, life = life_] {
            if (life == life_ && !node_) boot();
        });
    });
}

void Instance::request_edit(const fact::EditRequested& request) {
    when_running(life_, [this, request] {
        if (disk.full && !world_.is(Mutant::disk_full_acknowledged)) {
            world_.count("edit: refused, disk full");
            return on_reply(
                request.request,
                {request.request, core::Verdict::refused, "there is no room on the disk", {}});
        }
        tell(request);
    });
}

// --- effects -------------------------------------------------------------------------------------

void Instance::check_speech(const std::string& bytes) {
    const auto message = core::wire::decode(bytes);
    if (!message) throw Violation("S13: " + name_ + " said something that cannot be read");
    checker_.acts(*this, epoch_of(*message));
}

void Instance::carry_out(const core::Effect& one) {
    if (const auto* write = std::get_if<effect::Persist>(&one)) {
        disk.persist(*write);
    } else if (std::holds_alternative<effect::Append>(one) ||
               std::holds_alternative<effect::Truncate>(one)) {
        disk.store(one);
    } else if (const auto* install = std::get_if<effect::Install>(&one)) {
        checker_.installs(*this, install->position, gateway_.record());
        const bool went_on =
            other_->up() && other_->node().log().last().revision > install->position.revision;
        if (went_on) world_.count("transition: edits went on during a snapshot");
        disk.store(one);
    } else if (const auto* compact = std::get_if<effect::Compact>(&one)) {
        checker_.compacts(*this, compact->position, gateway_.record());
        store_compaction(*compact);
    } else if (const auto* pong = std::get_if<effect::SetPong>(&one)) {
        pong_ = pong->bytes;
    } else if (const auto* reply = std::get_if<effect::Reply>(&one)) {
        world_.trace(name_, "replies to " + std::to_string(reply->request) + ": " +
                                std::to_string(static_cast<int>(reply->verdict)) + " " +
                                to_string(reply->revision) + " " + reply->text);
        on_reply(reply->request, *reply);
    } else if (const auto* alert = std::get_if<effect::RaiseAlert>(&one)) {
        alerts_.insert(alert->id);
        world_.trace(name_, "alert " + alert->id + ": " + alert->text);
        world_.count("alert: " + alert->id);
    } else if (const auto* clear = std::get_if<effect::ClearAlert>(&one)) {
        alerts_.erase(clear->id);
    } else if (const auto* explain = std::get_if<effect::Explain>(&one)) {
        world_.trace(name_, explain->text);
        const auto says = [&](const char* text) {
            return explain->text.find(text) != std::string::npos;
        };
        if (says("answered again") && says("because answers took")) {
            world_.count("transition: late answer waited for");
        }
        if (says("the gateway has not heard this instance")) {
            world_.count("transition: loss of the tunnel passed on");
        }
    } else if (std::holds_alternative<effect::ApplyDocument>(one)) {
        // The shell configures the tunnels anew, and with them the epoch that they report.
        agent_.known = std::max(agent_.known, node_->epoch());
    } else if (const auto* drain = std::get_if<effect::Drain>(&one)) {
        world_.count("transition: step down");
        carry_out(*drain);
    } else if (std::holds_alternative<effect::Stop>(one)) {
        world_.count("transition: orderly stop");
        crash(false);
        world_.after(world_.random.between(200ms, 3s), [this, life = life_] {
            if (life == life_ && !node_) boot();
        });
    } else {
        say(one);
    }
}

/// Mutants: everything there is goes into the snapshot, whoever lacks it.
void Instance::store_compaction(effect::Compact compact) {
    const bool ahead = node_->role() == core::Role::shadow
                           ? world_.is(Mutant::compaction_of_uncommitted)
                           : world_.is(Mutant::compaction_outruns_shadow);
    if (ahead) {
        compact.position = node_->log().last();
        compact.snapshot = node_->log().snapshot_at(node_->log().last().revision.seq);
    }
    disk.store(std::move(compact));
}

/// What leaves the process.
void Instance::say(const core::Effect& one) {
    ++messages_;
    if (broken_) throw Violation("S10: " + name_ + " goes on after an error of its disk");
    if (const auto* e = std::get_if<effect::Ping>(&one)) {
        ping(e->ask);
    } else if (const auto* ask = std::get_if<effect::AskPeer>(&one)) {
        check_speech(ask->bytes);
        ask_peer(ask->ask, ask->bytes);
    } else if (const auto* answer = std::get_if<effect::AnswerPeer>(&one)) {
        --messages_;  // Counted with the question.
        const auto to = to_answer_.extract(answer->id);
        if (to.empty()) return;
        world_.datagram(place_, 1 - place_, [this, to = to.mapped(), bytes = answer->bytes] {
            other_->answered(to.first, to.second, bytes, false);
        });
    } else if (const auto* publish = std::get_if<effect::Publish>(&one)) {
        check_speech(publish->bytes);
        remember(false, publish->bytes);
        world_.datagram(place_, 1 - place_,
                        [this, bytes = publish->bytes] { other_->published(bytes); });
    } else if (const auto* claim = std::get_if<effect::Claim>(&one)) {
        world_.count("transition: claim");
        checker_.claims(*this, claim->reason);
        carry_out(*claim);
    } else if (const auto* activate = std::get_if<effect::Activate>(&one)) {
        checker_.acts(*this, activate->epoch);
        carry_out(*activate);
    } else if (const auto* set = std::get_if<effect::SetInSync>(&one)) {
        world_.count(set->members.size() > 1 ? "transition: shadow added"
                                             : "transition: shadow dropped");
        carry_out(*set);
    } else if (const auto* consent = std::get_if<effect::Consent>(&one)) {
        world_.count("transition: consent");
        carry_out(*consent);
    }
}

}  // namespace umbra::simulation
