#include "simulation.hpp"

namespace umbra::simulation {

namespace {

/// Streams of chance beside those of the faults.
constexpr std::uint64_t stream_of_pair = 102;
constexpr std::uint64_t stream_of_epilogue = 103;

bool draw_fenced(std::uint64_t seed) { return !Random(seed, stream_of_pair).chance(120); }

}  // namespace

Simulation::Simulation(const Options& options)
    : options_(options),
      world_(options_),
      fenced_(draw_fenced(options.seed)),
      epilogue_(fenced_ ? static_cast<Epilogue>(Random(options.seed, stream_of_epilogue).below(4))
                        : Epilogue::none),
      checker_(world_, instances_, fenced_),
      gateway_(world_, checker_, instances_),
      alpha_(world_, checker_, gateway_, alpha, fenced_),
      beta_(world_, checker_, gateway_, beta, fenced_) {
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
    choose_rates();
    world_.count(fenced_ ? "life with a gateway that arbitrates" : "life without an arbiter");
    gateway_.boot();
    alpha_.boot();
    beta_.boot();
    checker_.disturbed();
    if (fenced_) serve_clients();
    note_disturbances();
    edit();
    for (std::size_t kind = 0; kind < fault_count; ++kind) inject(static_cast<Fault>(kind));
    run_for(options_.chaos);
    heal();
    settle();
    check_calm();
    play_epilogue();
    check_messages();
}

/// A node that does not serve, for whatever reason, may lose the role (S8).
void Simulation::note_disturbances() {
    for (const std::size_t place : {alpha, beta}) {
        const auto& instance = *instances_[place];
        const bool cut_off = world_.cut_between(place, gateway_place);
        if (!instance.up() || instance.paused() || cut_off || !instance.serves()) {
            checker_.disturbed(place);
        }
    }
    if (!gateway_.up() || gateway_.paused()) checker_.disturbed();
    check_messages();
    world_.after(20ms, [this] { note_disturbances(); });
}

/// S13: what is sent is bounded by the time and by what editors asked for.
void Simulation::check_messages() const {
    const auto seconds = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::seconds>(world_.now().time_since_epoch() - 1h)
            .count());
    const auto limit = 60 * seconds + 8 * attempts_ + 200;
    for (const auto* instance : instances_) {
        if (instance->messages() <= limit) continue;
        throw Violation("S13: " + instance->name() + " sent " +
                        std::to_string(instance->messages()) + " messages in " +
                        std::to_string(seconds) + " s");
    }
}

/// Without faults a life is perfect: one grant, no edit in doubt, no alert beside those of a start.
/// Answers that are late, and nothing else, change no more than that they are waited for.
void Simulation::check_calm() {
    auto faults = world_.faults;
    const bool slow = faults.test(index_of(Fault::slow_link));
    if (faults.reset(index_of(Fault::slow_link)).any()) return;
    if (slow) world_.count("life with a slow link alone");
    constexpr std::array never{"transition: takeover", "transition: takeover without a gateway",
                               "transition: fork cut", "transition: step down",
                               "transition: handover", "transition: claim refused"};
    constexpr std::array in_time{"edit: provisional", "transition: shadow dropped",
                                 "alert: peer-unreachable", "alert: push-failed",
                                 "alert: shadow-away"};
    std::vector<std::string_view> unwanted(never.begin(), never.end());
    if (!slow) unwanted.insert(unwanted.end(), in_time.begin(), in_time.end());
    for (const std::string_view what : unwanted) {
        if (!world_.counters.contains(what)) continue;
        throw Violation("calm: nothing was wrong, and yet there is a \"" + std::string(what) +
                        "\"");
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
    outcome.faults = simulation.world().faults;
    outcome.events = simulation.world().events;
    outcome.fingerprint = simulation.world().fingerprint;
    return outcome;
}

}  // namespace umbra::simulation
