#include "campaign.hpp"

#include <chrono>
#include <cstdio>

namespace umbra::simulation {

namespace {

/// One seed in so many runs twice.
constexpr std::uint64_t repeat_one_in = 500;
/// One seed in so many that have jumps of wall clocks runs without them too.
constexpr std::uint64_t without_jumps_one_in = 20;
constexpr double report_every = 60;

using unsigned_t = unsigned long long;

class Stopwatch {
public:
    [[nodiscard]] double seconds() const {
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start_;
        return spent.count();
    }

private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// What one run cannot show: that it depends on the seed alone, and not on any wall clock.
/// @return what is wrong; empty when nothing is
std::string compare_runs(const Options& options, const Outcome& outcome, Counters& counters) {
    if (options.seed % repeat_one_in == 0) {
        ++counters["seed run twice"];
        if (run(options).fingerprint != outcome.fingerprint) {
            return "two runs decide differently; something is decided outside the seed";
        }
    }
    constexpr auto jumps = index_of(Fault::wall_jump);
    if (outcome.faults.test(jumps) && options.seed % without_jumps_one_in == 0) {
        ++counters["seed run without jumps of wall clocks"];
        Options steady = options;
        steady.without.set(jumps);
        if (run(steady).fingerprint != outcome.fingerprint) {
            return "S11: the run without jumps of wall clocks decides differently (--without " +
                   std::string(fault_names[jumps]) + ")";
        }
    }
    return {};
}

}  // namespace

bool play_seeds(const Campaign& campaign) {
    const Stopwatch watch;
    Counters counters;
    std::uint64_t events = 0, done = 0;
    double next_report = report_every;
    const auto speed = [&] { return static_cast<double>(done) / std::max(watch.seconds(), 1e-3); };
    while (campaign.seeds == 0 || done < campaign.seeds) {
        if (campaign.seconds > 0 && watch.seconds() > campaign.seconds) break;
        Options options;
        options.seed = campaign.first + done;
        const Outcome outcome = run(options);
        if (!outcome.violation.empty()) {
            shrink(options, outcome);
            return false;
        }
        if (const auto wrong = compare_runs(options, outcome, counters); !wrong.empty()) {
            std::printf("seed %llu: %s\nreplay with: %s\n", static_cast<unsigned_t>(options.seed),
                        wrong.c_str(), command_of(options).c_str());
            return false;
        }
        for (const auto& [what, count] : outcome.counters) counters[what] += count;
        events += outcome.events;
        ++done;
        if (watch.seconds() < next_report) continue;
        next_report = watch.seconds() + report_every;
        std::printf("%.0f s: %llu seeds, %.0f seeds/s, no violation\n", watch.seconds(),
                    static_cast<unsigned_t>(done), speed());
        std::fflush(stdout);
    }
    for (const auto& [what, count] : counters) {
        std::printf("%12llu  %s\n", static_cast<unsigned_t>(count), what.c_str());
    }
    std::printf("%llu seeds from %llu on, %llu events, %.0f seeds/s, no violation\n",
                static_cast<unsigned_t>(done), static_cast<unsigned_t>(campaign.first),
                static_cast<unsigned_t>(events), speed());
    return report_coverage(counters, done);
}

bool play_mutants(const Campaign& campaign) {
    bool all = true;
    for (std::size_t m = 1; m < mutant_count; ++m) {
        Outcome outcome;
        Options options;
        options.mutant = static_cast<Mutant>(m);
        std::uint64_t tried = 0;
        while (tried < campaign.seeds && outcome.violation.empty()) {
            options.seed = campaign.first + tried++;
            outcome = run(options);
            // What breaks without the mutant too is not its doing.
            Options sound = options;
            sound.mutant = Mutant::none;
            if (!outcome.violation.empty() && !run(sound).violation.empty()) outcome = {};
        }
        const bool found = !outcome.violation.empty();
        all = all && found;
        std::printf("%-28s %s after %llu seeds: %s\n", std::string(mutant_names[m]).c_str(),
                    found ? "found" : "SURVIVED", static_cast<unsigned_t>(tried),
                    found ? outcome.violation.c_str() : "the invariants miss it");
        std::fflush(stdout);
    }
    return all;
}

}  // namespace umbra::simulation
