// A failing life, made as small as it gets.

#include "campaign.hpp"

#include <chrono>
#include <cstdio>

namespace umbra::simulation {

namespace {

using Milliseconds = std::chrono::milliseconds;

constexpr Duration chaos_least{std::chrono::milliseconds{100}};

}  // namespace

std::string command_of(const Options& options) {
    std::string command = "umbra_simulation --seed " + std::to_string(options.seed);
    if (options.mutant != Mutant::none) {
        command += " --mutant ";
        command += mutant_names[static_cast<std::size_t>(options.mutant)];
    }
    if (options.without.any()) command += " --without " + to_string(options.without);
    if (options.chaos != chaos_default) {
        const auto ms = std::chrono::duration_cast<Milliseconds>(options.chaos).count();
        command += " --chaos " + std::to_string(ms);
    }
    return command + " --trace";
}

void shrink(Options options, const Outcome& outcome) {
    std::printf("seed %llu: %s\nreplay with: %s\n", static_cast<unsigned long long>(options.seed),
                outcome.violation.c_str(), command_of(options).c_str());
    std::fflush(stdout);
    // The same invariant has to break: "S3: ...".
    const auto rule = outcome.violation.substr(0, outcome.violation.find(':'));
    std::string violation = outcome.violation;
    const auto still_breaks = [&](const Options& smaller) {
        const auto result = run(smaller);
        if (result.violation.substr(0, result.violation.find(':')) != rule) return false;
        violation = result.violation;
        return true;
    };
    for (std::size_t kind = 0; kind < fault_count; ++kind) {
        if (!outcome.faults.test(kind)) continue;
        Options smaller = options;
        smaller.without.set(kind);
        if (still_breaks(smaller)) options = smaller;
    }
    for (Options smaller = options; smaller.chaos > chaos_least;) {
        smaller.chaos = std::chrono::duration_cast<Milliseconds>(smaller.chaos * 3 / 4);
        if (still_breaks(smaller)) {
            options = smaller;
        } else {
            break;
        }
    }
    const auto needed = outcome.faults & ~options.without;
    std::printf("needed: %s\nshrunk: %s\nreplay with: %s\n",
                needed.any() ? to_string(needed).c_str() : "no fault at all", violation.c_str(),
                command_of(options).c_str());
}

}  // namespace umbra::simulation
