#pragma once

#include "faults.hpp"
#include "mutants.hpp"
#include <umbra/sdk/time.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace umbra::simulation {

constexpr Duration chaos_default{std::chrono::seconds{20}};

struct Options {
    std::uint64_t seed = 1;
    Mutant mutant = Mutant::none;
    FaultSet without;                ///< Kinds that do not happen although the seed has them.
    Duration chaos = chaos_default;  ///< Until everything heals.
    bool trace = false;
};

/// How often something happened; a run in which something never did proves little.
using Counters = std::map<std::string, std::uint64_t, std::less<>>;

struct Outcome {
    std::string violation;  ///< Empty: every invariant held.
    Counters counters;
    FaultSet faults;  ///< Kinds that this life had.
    std::uint64_t events = 0;
    /// Of every decision of the two cores, and nothing else: equal for equal runs.
    std::uint64_t fingerprint = 0;
};

/// One whole life of a pair, decided by the options alone.
[[nodiscard]] Outcome run(const Options& options);

}  // namespace umbra::simulation
