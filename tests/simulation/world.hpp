#pragma once

#include "options.hpp"
#include "random.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::simulation {

using Action = std::function<void()>;
using namespace std::chrono_literals;

constexpr std::size_t alpha = 0, beta = 1, gateway_place = 2;

/// An invariant does not hold.
struct Violation : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A clock of one place: it began elsewhere and runs a little fast or slow.
struct Clock {
    Duration offset{};
    std::int64_t drift = 0;  ///< Per mille.

    [[nodiscard]] Instant read(Instant now) const {
        return Instant{1h} + offset + (now - Instant{1h}) * (1000 + drift) / 1000;
    }
    /// How long it takes until this clock has counted `local`.
    [[nodiscard]] Duration real(Duration local) const { return local * 1000 / (1000 + drift); }
};

/// Time, chance, the network between the three places, and what is counted. Actions run in the
/// order of their time, then of their making, so a seed decides everything.
class World {
public:
    explicit World(const Options& options);

    [[nodiscard]] Instant now() const { return now_; }
    void after(Duration delay, Action action);
    /// Runs until `until`; calls `check` after every action.
    void run_until(Instant until, const Action& check);

    [[nodiscard]] bool is(Mutant mutant) const { return options_.mutant == mutant; }
    void count(std::string_view what);
    [[nodiscard]] bool tracing() const { return options_.trace; }
    void trace(const std::string& who, const std::string& what) const;
    void mix(std::uint64_t value) { fingerprint = (fingerprint ^ value) * 0x100000001b3ULL; }

    // --- bad luck
    /// The kinds of this life. Set once, before anything runs.
    FaultSet faults;
    [[nodiscard]] bool has(Fault fault) const { return !calm_ && faults.test(index_of(fault)); }
    /// Everything that concerns this kind is drawn here.
    Random& luck(Fault fault) { return luck_[index_of(fault)]; }

    [[nodiscard]] bool cut(std::size_t from, std::size_t to) const { return cuts_[from][to] != 0; }
    [[nodiscard]] bool cut_between(std::size_t a, std::size_t b) const {
        return cut(a, b) || cut(b, a);
    }
    /// Nothing passes from one place to the other for that time.
    void cut_for(std::size_t from, std::size_t to, Duration time);
    /// What one instance says to the other waits for that time. (A link to the gateway that is cut
    /// does the same: nothing is lost on it.)
    void clog_for(std::size_t from, std::size_t to, Duration time);
    /// Ends all of it, for good.
    void heal();
    /// Called when a way is free again.
    std::vector<Action> on_heal;

    /// Grows with every crash of the gateway: no connection outlives its process.
    std::uint64_t gateway_life = 0;

    struct PeerFaults {
        std::uint64_t drop = 0, duplicate = 0;  ///< Per mille.
        Duration delay_most{};
    } peer;
    /// One way between the two instances. There and back takes less than an answer may. In a hiccup
    /// it can take more, which lasts for at most two pings in a row and in one direction.
    struct Way {
        static constexpr Duration slowest{std::chrono::milliseconds{220}};
        static constexpr Duration hiccup_least{std::chrono::milliseconds{300}};
        static constexpr Duration hiccup_most{std::chrono::milliseconds{900}};
        static constexpr Duration extra_most{std::chrono::milliseconds{300}};
        static constexpr Duration between_hiccups{std::chrono::seconds{3}};
        Duration least{}, most{}, extra{};
        Instant hiccup_until{};
    };
    std::array<Way, 2> ways;  ///< By the sender.
    /// Carries a datagram between the two instances: perhaps late, twice or never.
    void datagram(std::size_t from, std::size_t to, Action arrive);

    std::array<Clock, 3> clocks;
    std::array<Duration, 3> wall_jumps{};  ///< What each wall clock is off.
    [[nodiscard]] std::int64_t wall_ms(std::size_t place) const;

    /// What there always is: delays, clients, editors.
    Random random;
    Counters counters;
    std::uint64_t events = 0;
    std::uint64_t fingerprint = 14695981039346656037ULL;

private:
    [[nodiscard]] Duration slowness(std::size_t from);

    struct Event {
        Instant at;
        std::uint64_t number;
        Action run;
    };
    static bool later(const Event& a, const Event& b) {
        return a.at != b.at ? a.at > b.at : a.number > b.number;
    }

    const Options& options_;
    std::vector<Random> luck_;
    bool calm_ = false;
    std::array<std::array<unsigned, 3>, 3> cuts_{};
    std::array<std::array<Instant, 3>, 3> clogged_{};
    Instant now_{1h};
    std::uint64_t numbers_ = 0;
    std::vector<Event> queue_;
};

}  // namespace umbra::simulation
