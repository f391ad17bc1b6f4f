// umbra_exploration: every interleaving of a small world around the production code.

#include "explorer.hpp"

#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>

namespace {

using umbra::exploration::count_max;
using umbra::exploration::Explorer;
using umbra::exploration::Mutant;
using umbra::exploration::mutant_names;
using umbra::exploration::Options;
using umbra::exploration::State;
using umbra::exploration::World;

void print(const Explorer::Report& report) {
    const auto per_second =
        report.seconds > 0 ? static_cast<double>(report.states) / report.seconds : 0;
    std::printf(
        "%llu states, %llu transitions, depth %u, %.1f s, %.0f states/s; %llu states "
        "were healed and settled\n",
        static_cast<unsigned long long>(report.states),
        static_cast<unsigned long long>(report.transitions), report.depth, report.seconds,
        per_second, static_cast<unsigned long long>(report.settled));
    std::printf("made of %s\n", report.parts.c_str());
    if (!report.violation.empty()) {
        std::printf("violation: %s\n", report.violation.c_str());
        std::size_t number = 0;
        for (const auto& line : report.trace) std::printf("%4zu  %s\n", number++, line.c_str());
    } else if (report.complete) {
        std::printf("complete: no state is left, no violation\n");
    } else {
        std::printf("not complete: the bound on %s was hit; no violation so far\n",
                    report.bound.c_str());
    }
}

/// Every broken rule must be found out.
bool run_mutants(Options options) {
    bool all = true;
    for (std::size_t m = 1; m < mutant_names.size(); ++m) {
        options.mutant = static_cast<Mutant>(m);
        // Each is found with little; more would only cost time on the way there.
        options.limits.crashes = options.limits.edits = 1;
        options.limits.cuts = 1;
        options.limits.switches = 0;
        World world(options);
        const auto report = Explorer(options, world).run();
        const bool found = !report.violation.empty();
        all = all && found;
        std::printf("%-28s %s after %llu states, %.1f s, %zu steps: %s\n",
                    std::string(mutant_names[m]).c_str(), found ? "found" : "SURVIVED",
                    static_cast<unsigned long long>(report.states), report.seconds,
                    report.trace.size(),
                    found ? report.violation.c_str() : "the invariants miss it");
        std::fflush(stdout);
    }
    return all;
}

/// The reductions leave nothing out: each state without them is, renamed, one that was visited with
/// them or that has only futures which such a one has.
bool run_comparison(Options options, World& world) {
    options.plain = false;
    Explorer reduced(options, world);
    print(reduced.run());
    options.plain = true;
    Explorer plain(options, world);
    print(plain.run());
    std::uint64_t missing = 0;
    const auto covered = [&](State state) {
        const auto renamed = world.renamed(state);
        return reduced.passes(renamed) || reduced.covers(renamed);
    };
    for (const auto& state : plain.states()) {
        // Where no edit is left epochs are renamed, where one is they are not; either may cover it.
        auto unused = state;
        unused.edits = 0;
        if (covered(state) || (state.edits != 0 && covered(unused))) continue;
        if (missing++ == 0) std::printf("not covered: %s\n", world.show(state).c_str());
    }
    std::printf("%llu of %llu states are not covered\n", static_cast<unsigned long long>(missing),
                static_cast<unsigned long long>(plain.states().size()));
    return missing == 0;
}

template <class T>
bool number(const char* text, T& value, std::uint64_t most) {
    if (text == nullptr) return false;
    std::uint64_t read = 0;
    const auto* end = text + std::strlen(text);
    const auto result = std::from_chars(text, end, read);
    if (result.ec != std::errc{} || result.ptr != end || read > most) return false;
    value = static_cast<T>(read);
    return true;
}

bool parse(int argc, char** argv, Options& options, bool& mutants, bool& compare) {
    auto& limits = options.limits;
    for (int i = 1; i < argc; ++i) {
        const std::string option = argv[i];
        if (option == "--cold") {
            options.cold = true;
            continue;
        }
        if (option == "--plain") {
            options.plain = true;
            continue;
        }
        if (option == "--compare") {
            compare = true;
            continue;
        }
        if (option == "--mutants") {
            mutants = true;
            continue;
        }
        const char* value = i + 1 < argc ? argv[++i] : nullptr;
        bool good = value != nullptr;
        if (option == "--crashes") {
            good = number(value, limits.crashes, count_max);
        } else if (option == "--cuts") {
            good = number(value, limits.cuts, count_max);
        } else if (option == "--edits") {
            good = number(value, limits.edits, count_max);
        } else if (option == "--switches") {
            good = number(value, limits.switches, count_max);
        } else if (option == "--late") {
            good = number(value, limits.late, count_max);
        } else if (option == "--overlap") {
            good = number(value, limits.overlap, count_max);
        } else if (option == "--turns") {
            good = number(value, limits.turns, count_max);
        } else if (option == "--amid") {
            good = number(value, limits.amid, count_max);
        } else if (option == "--depth") {
            good = number(value, limits.depth, UINT32_MAX);
        } else if (option == "--states-max") {
            good = number(value, limits.states_max, UINT32_MAX - 1);
        } else if (option == "--settle-every") {
            good = number(value, options.settle_every, UINT32_MAX) && options.settle_every != 0;
        } else if (option == "--mutant" && value != nullptr) {
            std::size_t m = 0;
            while (m < mutant_names.size() && mutant_names[m] != value) ++m;
            good = m < mutant_names.size();
            if (good) options.mutant = static_cast<Mutant>(m);
        } else {
            good = false;
        }
        if (!good) return false;
    }
    return true;
}

}  // namespace

int main(int argc, char** argv) {
    Options options;
    bool mutants = false, compare = false;
    if (!parse(argc, argv, options, mutants, compare)) {
        std::fprintf(
            stderr,
            "usage: umbra_exploration [--crashes N] [--cuts N] [--edits N] [--switches N]\n"
            "           [--late N] [--overlap N] [--turns N] [--amid N] [--depth N] [--states-max "
            "N] "
            "[--settle-every N] "
            "[--cold] [--plain]\n"
            "           [--mutant NAME | --mutants | --compare]      (each count at most %u)\n",
            unsigned{count_max});
        return 2;
    }
    if (mutants) return run_mutants(options) ? 0 : 1;
    options.hold_epochs = compare;
    World world(options);
    if (compare) return run_comparison(options, world) ? 0 : 1;
    Explorer explorer(options, world);
    explorer.progress = [](std::uint32_t disturbances, std::uint64_t states) {
        std::fprintf(stderr, "%u disturbances: %llu states so far\n", disturbances,
                     static_cast<unsigned long long>(states));
    };
    const auto report = explorer.run();
    print(report);
    return report.violation.empty() && report.complete ? 0 : 1;
}
