#pragma once

#include "options.hpp"
#include "random.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace umbra::simulation {

using Action = std::function<void()>;
using namespace std::chrono_literals;

constexpr std::size_t alpha = 0, beta = 1, gateway_place = 2;

/// An invariant does not hold.
struct Violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Time, chance, the network between the three places, and what is counted. Actions run in the
/// order of their time, then of their making, so a seed decides everything.
class World {
public:
    explicit World(const Options& options) : random(options.seed), options_(options) {}

    [[nodiscard]] Instant now() const { return now_; }
    void after(Duration delay, Action action);
    /// Runs until `until`; calls `check` after every action.
    void run_until(Instant until, const Action& check);

    [[nodiscard]] bool is(Mutant mutant) const { return options_.mutant == mutant; }
    void count(const std::string& what) { ++counters[what]; }
    [[nodiscard]] bool tracing() const { return options_.trace; }
    void trace(const std::string& who, const std::string& what) const;
    void mix(std::uint64_t value) { fingerprint = (fingerprint ^ value) * 0x100000001b3ULL; }

    /// True while nothing passes from one place to the other.
    std::array<std::array<bool, 3>, 3> cut{};
    /// The same for both directions, and what waits for it.
    void heal(std::size_t a, std::size_t b);
    std::vector<Action> on_heal;

    /// Grows with every crash of the gateway: no connection outlives its process.
    std::uint64_t gateway_life = 0;

    struct PeerFaults {
        std::uint64_t drop = 0, duplicate = 0;  ///< Per mille.
        Duration delay_most = 2ms;
    } peer;
    /// Carries a datagram between the two instances: perhaps late, twice or never.
    void datagram(std::size_t from, std::size_t to, Action arrive);

    Random random;
    Counters counters;
    std::uint64_t events = 0;
    std::uint64_t fingerprint = 14695981039346656037ULL;

private:
    struct Event {
        Instant at;
        std::uint64_t number;
        Action run;
    };
    static bool later(const Event& a, const Event& b) {
        return a.at != b.at ? a.at > b.at : a.number > b.number;
    }

    const Options& options_;
    Instant now_{1h};
    std::uint64_t numbers_ = 0;
    std::vector<Event> queue_;
};

}  // namespace umbra::simulation
