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
        const bool routes = options.mutant == Mutant::gateway_routes_any_epoch;
        options.limits.crashes = options.limits.edits = routes ? 0 : 1;
        options.limits.cuts = 1;
        options.limits.switches = 0;
        const auto report = Explorer(options).run();
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

bool parse(int argc, char** argv, Options& options, bool& mutants) {
    auto& limits = options.limits;
    for (int i = 1; i < argc; ++i) {
        const std::string option = argv[i];
        if (option == "--cold") {
            options.cold = true;
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
    bool mutants = false;
    if (!parse(argc, argv, options, mutants)) {
        std::fprintf(
            stderr,
            "usage: umbra_exploration [--crashes N] [--cuts N] [--edits N] [--switches N]\n"
            "           [--late N] [--overlap N] [--turns N] [--depth N] [--states-max N] "
            "[--settle-every N] "
            "[--cold]\n"
            "           [--mutant NAME | --mutants]      (each count at most %u)\n",
            unsigned{count_max});
        return 2;
    }
    if (mutants) return run_mutants(options) ? 0 : 1;
    const auto report = Explorer(options).run();
    print(report);
    return report.violation.empty() && report.complete ? 0 : 1;
}
