#pragma once

#include "options.hpp"

#include <cstdint>
#include <string>

namespace umbra::simulation {

/// Which lives are played.
struct Campaign {
    std::uint64_t first = 1;  ///< Seed of the first life.
    std::uint64_t seeds = 0;  ///< How many; 0 = until the time is up.
    double seconds = 0;       ///< Time limit; 0 = none.
};

/// Plays the lives until one is not as it should be, which is then shrunk. Two runs of a seed have
/// to decide the same, and so has a run without the jumps of the wall clocks (S11).
/// @return whether every invariant held and everything that has to happen did
[[nodiscard]] bool play_seeds(const Campaign& campaign);
/// Plays every mutant until it is found out. @return whether all were
[[nodiscard]] bool play_mutants(const Campaign& campaign);

/// The command that plays this life again.
[[nodiscard]] std::string command_of(const Options& options);
/// Switches kinds of faults off one by one and shortens the chaos for as long as an invariant still
/// breaks; says what is left.
void shrink(Options options, const Outcome& outcome);
/// Prints what never happened although a run of this size has to show it. @return none is missing
[[nodiscard]] bool report_coverage(const Counters& counters, std::uint64_t seeds);

}  // namespace umbra::simulation
