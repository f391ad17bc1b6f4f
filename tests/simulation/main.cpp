// umbra_simulation: whole lives of a pair, each decided by a seed.

#include "options.hpp"

#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace {

using umbra::simulation::Counters;
using umbra::simulation::Mutant;
using umbra::simulation::mutant_names;
using umbra::simulation::Options;
using umbra::simulation::Outcome;

/// What has to happen in every long enough run; one that never happens is not tested.
const std::vector<std::string> expected{
    "fault: message dropped",
    "fault: message duplicated",
    "fault: process killed",
    "fault: power lost",
    "fault: process frozen",
    "fault: gateway killed",
    "fault: gateway frozen",
    "fault: peer link cut",
    "fault: peer link cut one way",
    "fault: uplink cut",
    "fault: uplink cut one way",
    "fault: uplink reset",
    "fault: disk lost",
    "fault: record lost",
    "fault: slow disk",
    "fault: unsynced state lost",
    "fault: unsynced entries lost",
    "fault: connection refused",
    "operator: switch",
    "operator: force",
    "operator: maintenance",
    "operator: disconnect",
    "operator: stop",
    "transition: claim",
    "transition: claim refused",
    "transition: takeover",
    "transition: instant takeover",
    "transition: patient takeover",
    "transition: handover",
    "transition: forced takeover",
    "transition: step down",
    "transition: orderly stop",
    "transition: holder fenced",
    "transition: activation refused",
    "transition: shadow added",
    "transition: shadow dropped",
    "transition: in-sync change refused",
    "transition: fork cut",
    "transition: repeated edit recognised",
    "edit: acknowledged",
    "edit: provisional",
    "request: refused",
    "clients served",
    "clients parked",
    "alert: shadow-away",
    "alert: peer-link-cut",
    "alert: divergence",
    "alert: not-eligible",
};

struct Arguments {
    std::uint64_t first = 1, seeds = 0;
    double seconds = 0;
    Mutant mutant = Mutant::none;
    bool trace = false, mutants = false, single = false;
};

std::string replay(const Options& options) {
    std::string command = "umbra_simulation --seed " + std::to_string(options.seed);
    if (options.mutant != Mutant::none) {
        command += " --mutant ";
        command += mutant_names[static_cast<std::size_t>(options.mutant)];
    }
    return command + " --trace";
}

/// @return the number of seeds that ran; 0 after a violation
bool run_seeds(const Arguments& arguments) {
    const auto start = std::chrono::steady_clock::now();
    Counters counters;
    std::uint64_t events = 0, done = 0;
    for (std::uint64_t i = 0; i < arguments.seeds; ++i) {
        const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
        if (arguments.seconds > 0 && spent.count() > arguments.seconds) break;
        const Options options{arguments.first + i, Mutant::none, false};
        const Outcome outcome = umbra::simulation::run(options);
        if (!outcome.violation.empty()) {
            std::printf("seed %llu: %s\nreplay with: %s\n",
                        static_cast<unsigned long long>(options.seed), outcome.violation.c_str(),
                        replay(options).c_str());
            return false;
        }
        if (i % 100 == 0 && umbra::simulation::run(options).fingerprint != outcome.fingerprint) {
            std::printf("seed %llu: two runs differ; something is decided outside the seed\n",
                        static_cast<unsigned long long>(options.seed));
            return false;
        }
        for (const auto& [what, count] : outcome.counters) counters[what] += count;
        events += outcome.events;
        ++done;
    }
    for (const auto& [what, count] : counters) {
        std::printf("%12llu  %s\n", static_cast<unsigned long long>(count), what.c_str());
    }
    std::printf("%llu seeds, %llu events, no violation\n", static_cast<unsigned long long>(done),
                static_cast<unsigned long long>(events));
    bool complete = true;
    for (const auto& what : expected) {
        if (counters[what] != 0) continue;
        std::printf("never happened: %s\n", what.c_str());
        complete = false;
    }
    return complete;
}

/// Every broken rule must be found out.
bool run_mutants(const Arguments& arguments) {
    bool all = true;
    for (std::size_t m = 1; m < mutant_names.size(); ++m) {
        Outcome outcome;
        Options options{arguments.first, static_cast<Mutant>(m), false};
        std::uint64_t tried = 0;
        while (tried < arguments.seeds && outcome.violation.empty()) {
            options.seed = arguments.first + tried++;
            outcome = umbra::simulation::run(options);
        }
        const bool found = !outcome.violation.empty();
        all = all && found;
        std::printf("%-28s %s after %llu seeds: %s\n", std::string(mutant_names[m]).c_str(),
                    found ? "found" : "SURVIVED", static_cast<unsigned long long>(tried),
                    found ? outcome.violation.c_str() : "the invariants miss it");
    }
    return all;
}

bool run_one(const Arguments& arguments) {
    const Options options{arguments.first, arguments.mutant, arguments.trace};
    const Outcome outcome = umbra::simulation::run(options);
    std::printf("seed %llu: %s\n", static_cast<unsigned long long>(options.seed),
                outcome.violation.empty() ? "no violation" : outcome.violation.c_str());
    return outcome.violation.empty();
}

template <class T>
bool number(const char* text, T& value) {
    if (text == nullptr) return false;
    const auto* end = text + std::strlen(text);
    return std::from_chars(text, end, value).ptr == end;
}

bool parse(int argc, char** argv, Arguments& arguments) {
    for (int i = 1; i < argc; ++i) {
        const std::string option = argv[i];
        const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
        if (option == "--trace") {
            arguments.trace = true;
        } else if (option == "--mutants") {
            arguments.mutants = true;
        } else if (option == "--seed" && number(value, arguments.first)) {
            arguments.single = true;
            ++i;
        } else if (option == "--first" && number(value, arguments.first)) {
            ++i;
        } else if (option == "--seeds" && number(value, arguments.seeds)) {
            ++i;
        } else if (option == "--seconds" && number(value, arguments.seconds)) {
            ++i;
        } else if (option == "--mutant" && value != nullptr) {
            std::size_t m = 0;
            while (m < mutant_names.size() && mutant_names[m] != value) ++m;
            if (m == mutant_names.size()) return false;
            arguments.mutant = static_cast<Mutant>(m);
            ++i;
        } else {
            return false;
        }
    }
    return arguments.single || arguments.seeds != 0;
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    if (!parse(argc, argv, arguments)) {
        std::fprintf(stderr,
                     "usage: umbra_simulation --seed N [--mutant NAME] [--trace]\n"
                     "       umbra_simulation --seeds COUNT [--first N] [--seconds LIMIT]\n"
                     "       umbra_simulation --mutants --seeds COUNT [--first N]\n");
        return 2;
    }
    if (arguments.single) return run_one(arguments) ? 0 : 1;
    return (arguments.mutants ? run_mutants(arguments) : run_seeds(arguments)) ? 0 : 1;
}
