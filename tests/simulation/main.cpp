// umbra_simulation: whole lives of a pair, each decided by a seed.

#include "campaign.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <random>
#include <string>

namespace {

using namespace umbra::simulation;

constexpr const char* usage =
    "usage: umbra_simulation --seeds COUNT [--first N] [--seconds LIMIT]\n"
    "       umbra_simulation --seconds TIME [--first N]     until the time is up; without --first\n"
    "                                                       from a seed that nobody chose\n"
    "       umbra_simulation --mutants --seeds COUNT [--first N]\n"
    "       umbra_simulation --seed N [--mutant NAME] [--without FAULT,FAULT] [--chaos MS]\n"
    "                        [--trace] [--shrink]\n";

struct Arguments {
    Campaign campaign;
    Options one;
    bool first_given = false, mutants = false, single = false, smaller = false;
};

template <class T>
bool number(const char* text, T& value) {
    if (text == nullptr) return false;
    const auto* end = text + std::strlen(text);
    return std::from_chars(text, end, value).ptr == end;
}

bool take_mutant(const char* name, Mutant& mutant) {
    const auto* found = std::find(mutant_names.begin(), mutant_names.end(), std::string_view(name));
    if (found == mutant_names.end()) return false;
    mutant = static_cast<Mutant>(found - mutant_names.begin());
    return true;
}

/// Options that have no value. @return whether it is one
bool take_switch(const std::string& option, Arguments& arguments) {
    if (option == "--trace") return arguments.one.trace = true;
    if (option == "--mutants") return arguments.mutants = true;
    if (option == "--shrink") return arguments.smaller = true;
    return false;
}

bool take_value(const std::string& option, const char* value, Arguments& arguments) {
    if (value == nullptr) return false;
    auto& [campaign, one, first_given, mutants, single, smaller] = arguments;
    if (option == "--seed") return single = number(value, one.seed);
    if (option == "--first") return first_given = number(value, campaign.first);
    if (option == "--seeds") return number(value, campaign.seeds);
    if (option == "--seconds") return number(value, campaign.seconds);
    if (option == "--mutant") return take_mutant(value, one.mutant);
    if (option == "--chaos") {
        std::int64_t ms = 0;
        const bool ok = number(value, ms) && ms >= 0;
        one.chaos = std::chrono::milliseconds{ms};
        return ok;
    }
    if (option == "--without") {
        const auto faults = parse_faults(value);
        if (faults) one.without = *faults;
        return faults.has_value();
    }
    return false;
}

bool parse(int argc, char** argv, Arguments& arguments) {
    for (int i = 1; i < argc; ++i) {
        const std::string option = argv[i];
        if (take_switch(option, arguments)) continue;
        if (!take_value(option, i + 1 < argc ? argv[i + 1] : nullptr, arguments)) return false;
        ++i;
    }
    const auto& campaign = arguments.campaign;
    if (arguments.mutants) return campaign.seeds != 0;
    return arguments.single || campaign.seeds != 0 || campaign.seconds > 0;
}

/// What is said of one life and would be ignored by a campaign.
bool is_of_one_life(const Arguments& arguments) {
    const auto& one = arguments.one;
    return one.without.any() || one.mutant != Mutant::none || one.chaos != Options{}.chaos ||
           one.trace || arguments.smaller;
}

bool play_one(const Arguments& arguments) {
    const Outcome outcome = run(arguments.one);
    if (!outcome.violation.empty() && arguments.smaller) {
        shrink(arguments.one, outcome);
        return false;
    }
    std::printf("seed %llu (%s): %s\n", static_cast<unsigned long long>(arguments.one.seed),
                to_string(outcome.faults).c_str(),
                outcome.violation.empty() ? "no violation" : outcome.violation.c_str());
    return outcome.violation.empty();
}

}  // namespace

int main(int argc, char** argv) {
    Arguments arguments;
    if (!parse(argc, argv, arguments)) {
        std::fputs(usage, stderr);
        return 2;
    }
    if (!arguments.single && is_of_one_life(arguments)) {
        std::fputs(
            "umbra_simulation: --without, --mutant, --chaos, --trace and --shrink are for one "
            "life; "
            "say which with --seed N\n",
            stderr);
        return 2;
    }
    if (arguments.single) return play_one(arguments) ? 0 : 1;
    if (arguments.campaign.seeds == 0 && !arguments.first_given) {
        // Room for every seed that follows.
        arguments.campaign.first = std::uint64_t{std::random_device{}()} * 1'000'000;
    }
    std::printf("from seed %llu on\n", static_cast<unsigned long long>(arguments.campaign.first));
    std::fflush(stdout);
    const bool good =
        arguments.mutants ? play_mutants(arguments.campaign) : play_seeds(arguments.campaign);
    return good ? 0 : 1;
}
