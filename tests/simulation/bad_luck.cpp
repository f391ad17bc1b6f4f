// What goes wrong, when and for how long. Each kind draws from its own stream.

#include "simulation.hpp"

namespace umbra::simulation {

namespace {

constexpr std::uint64_t stream_of_style = 101;
constexpr std::uint64_t stream_of_rates = 104;
constexpr std::uint64_t stream_of_rot = 105;
constexpr std::uint64_t stream_of_slow_link = 106;
/// Those that the style of a life is drawn from; `rot` came later and changes no other's luck.
constexpr std::size_t styled_count = index_of(Fault::rot);
/// On average one blow in that time, whatever the number of kinds.
constexpr Duration between_blows = 900ms;

}  // namespace

/// Half of the seeds mix, a quarter has everything, 15 % have one kind, 10 % none.
void Simulation::choose_faults() {
    Random random(options_.seed, stream_of_style);
    const auto style = random.below(100);
    auto& faults = world_.faults;
    for (std::size_t kind = 0; kind < styled_count; ++kind) {
        const bool wanted = random.chance(500);
        if (style < 75 && (style >= 50 || wanted)) faults.set(kind);
    }
    if (style >= 75 && style < 90) faults.set(static_cast<std::size_t>(random.below(styled_count)));
    // An instance that loses its disk and a gateway that loses its record are two losses at once of
    // what is kept twice: no rule can bring back an epoch that nobody remembers.
    const bool keeps_record = random.chance(500);
    if (style < 75) faults.reset(index_of(keeps_record ? Fault::record_loss : Fault::disk_loss));
    // Where nobody counts who is in sync, the loss of a disk can be that of the only copy.
    if (!fenced_) faults.reset(index_of(Fault::disk_loss));
    std::size_t kinds = 0;
    for (std::size_t kind = 0; kind < styled_count; ++kind) {
        kinds += faults.test(kind) && strikes(static_cast<Fault>(kind)) ? 1 : 0;
    }
    for (auto& mean : mean_interval_) {
        mean = static_cast<std::int64_t>(kinds + 1) *
               random.between(between_blows / 3, 2 * between_blows);
    }
    if (style < 90 && Random(options_.seed, stream_of_rot).chance(250)) {
        faults.set(index_of(Fault::rot));
    }
    // Also in lives without anything else: slow alone is no reason for anything.
    if (Random(options_.seed, stream_of_slow_link).chance(300)) {
        faults.set(index_of(Fault::slow_link));
    }
    // Only now: how often the others strike must not depend on it.
    faults &= ~options_.without;
}

void Simulation::choose_rates() {
    Random random(options_.seed, stream_of_rates);
    world_.peer.drop = 1 + random.below(300);
    world_.peer.duplicate = 1 + random.below(300);
    world_.peer.delay_most = random.between(1ms, 100ms);
    for (auto* instance : instances_) {
        instance->disk.slow = 1 + random.below(60);
        instance->disk.failing = 1 + random.below(4);
    }
    const std::array<Duration, 3> offsets{3min, 7min, 17min};
    for (std::size_t place = 0; place < 3; ++place) {
        const auto drift = static_cast<std::int64_t>(random.below(101)) - 50;
        world_.clocks[place] = {offsets[place], world_.has(Fault::drift) ? drift : 0};
    }
    if (world_.has(Fault::drift)) world_.count("fault: clocks drift");
    Random slow(options_.seed, stream_of_slow_link);
    for (auto& way : world_.ways) {
        way.least = slow.between(1ms, slow.chance(500) ? World::Way::slowest : Duration{30ms});
        way.most = slow.between(way.least, World::Way::slowest);
    }
}

void Simulation::inject(Fault fault) {
    if (!strikes(fault) || !world_.has(fault)) return;
    const auto wait = world_.luck(fault).between(10ms, 2 * mean_interval_[index_of(fault)]);
    world_.after(wait, [this, fault] {
        if (!chaos_) return;
        strike(fault);
        inject(fault);
    });
}

void Simulation::strike(Fault fault) {
    if (fault <= Fault::late_request) return strike_link(fault);
    if (fault <= Fault::gateway_freeze) return strike_process(fault);
    if (fault <= Fault::record_loss || fault == Fault::rot) return strike_disk(fault);
    if (fault >= Fault::switch_roles) return order(fault);
    // The wall clock of one place jumps; nothing but the date in an edit may follow it.
    auto& luck = world_.luck(Fault::wall_jump);
    world_.count("fault: wall clock jumped");
    world_.wall_jumps[luck.below(3)] += luck.between(-1h, 1h);
}

// --- links ---------------------------------------------------------------------------------------

void Simulation::cut(std::size_t a, std::size_t b, Duration time) {
    world_.cut_for(a, b, time);
    world_.cut_for(b, a, time);
}

void Simulation::strike_link(Fault fault) {
    auto& luck = world_.luck(fault);
    auto& victim = any(luck);
    const auto place = victim.place();
    const auto time = luck.between(50ms, 5s);
    switch (fault) {
        case Fault::clog:
            world_.count("fault: peer link clogged");
            return world_.clog_for(place, 1 - place, luck.between(50ms, 3s));
        case Fault::replay:
            for (auto times = 1 + luck.below(4); times != 0; --times) victim.replay_old_message();
            return;
        case Fault::peer_cut:
            world_.count("fault: peer link cut");
            return cut(alpha, beta, time);
        case Fault::peer_cut_one_way:
            world_.count("fault: peer link cut one way");
            return world_.cut_for(place, 1 - place, time);
        case Fault::uplink_cut:
            world_.count("fault: uplink cut");
            return cut(place, gateway_place, time);
        case Fault::uplink_cut_one_way:
            if (luck.chance(500)) {
                world_.count("fault: uplink cut on the way there");
                return world_.cut_for(place, gateway_place, time);
            }
            world_.count("fault: uplink cut on the way back");
            return world_.cut_for(gateway_place, place, time);
        case Fault::uplink_reset:
            world_.count("fault: uplink reset");
            checker_.disturbed(place);
            if (victim.up() && !victim.paused()) victim.reset_uplink();
            return;
        case Fault::swizzle:
            world_.count("fault: links swizzled");
            for (std::size_t from = 0; from < 3; ++from) {
                for (std::size_t to = 0; to < 3; ++to) {
                    if (from == to) continue;
                    const auto how_long = luck.between(100ms, 3s);
                    world_.after(luck.between(0ns, 1500ms), [this, from, to, how_long] {
                        if (chaos_) world_.cut_for(from, to, how_long);
                    });
                }
            }
            return;
        default:
            return;
    }
}

// --- processes -----------------------------------------------------------------------------------

void Simulation::take_down(Instance& instance, Fault fault, bool host_down, bool wipe) {
    if (!instance.up()) return;
    checker_.disturbed(instance.place());
    instance.crash(host_down);
    if (wipe) instance.wipe();
    world_.after(world_.luck(fault).between(50ms, 5s), [&instance, life = instance.life()] {
        if (!instance.up() && instance.life() == life) instance.boot();
    });
}

void Simulation::strike_process(Fault fault) {
    auto& luck = world_.luck(fault);
    auto& victim = any(luck);
    // Longer than every lease now and then.
    const auto gap = luck.between(20ms, luck.chance(200) ? Duration{8s} : Duration{3s});
    switch (fault) {
        case Fault::kill:
            world_.count("fault: process killed");
            return take_down(victim, fault, false, false);
        case Fault::power_loss:
            world_.count("fault: power lost");
            return take_down(victim, fault, true, false);
        case Fault::freeze:
            if (!victim.up() || victim.paused()) return;
            world_.count("fault: process frozen");
            return victim.pause(gap);
        case Fault::gateway_kill:
            if (!gateway_.up()) return;
            world_.count("fault: gateway killed");
            gateway_.crash();
            world_.after(luck.between(50ms, 3s), [this] {
                if (!gateway_.up()) gateway_.boot();
            });
            return;
        case Fault::gateway_freeze:
            if (!gateway_.up() || gateway_.paused()) return;
            world_.count("fault: gateway frozen");
            return gateway_.pause(gap);
        default:
            return;
    }
}

// --- disks ---------------------------------------------------------------------------------------

/// Losing the only copy of acknowledged edits is nothing a rule could prevent.
bool Simulation::may_lose_disk(const Instance& instance) const {
    const auto& survivor = &instance == &alpha_ ? beta_ : alpha_;
    const auto& in_sync = gateway_.record().in_sync;
    return in_sync.contains({survivor.name(), survivor.incarnation()});
}

void Simulation::strike_disk(Fault fault) {
    auto& luck = world_.luck(fault);
    auto& victim = any(luck);
    switch (fault) {
        case Fault::disk_full:
            world_.count("fault: disk full");
            victim.disk.full = true;
            world_.after(luck.between(100ms, 4s), [&victim] { victim.disk.full = false; });
            return;
        case Fault::disk_loss:
            if (!victim.up() || !may_lose_disk(victim)) return;
            world_.count("fault: disk lost");
            help_is_due_ = true;
            return take_down(victim, fault, luck.chance(500), true);
        case Fault::rot:
            // What a master has is right by definition.
            if (!victim.up() || victim.node().role() == core::Role::master) return;
            if (victim.disk.base.position.revision.seq == 0) return;
            world_.count("fault: snapshot rotten");
            take_down(victim, fault, false, false);
            return victim.disk.rot();
        case Fault::record_loss:
            if (!gateway_.up()) return;
            world_.count("fault: record lost");
            gateway_.crash();
            gateway_.lose_record();
            checker_.record_was_lost();
            help_is_due_ = true;
            world_.after(luck.between(50ms, 3s), [this] {
                if (!gateway_.up()) gateway_.boot();
            });
            return;
        default:
            return;
    }
}

}  // namespace umbra::simulation
