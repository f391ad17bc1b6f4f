#pragma once

#include "world.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace umbra::exploration {

/// Every state that can be reached within the limits: those with the fewest disturbances first, and
/// among these those after the fewest steps.
///
/// A state is left out when the same one was reached with fewer disturbances: whatever can follow
/// it can follow that one. `Options::plain` leaves none out and goes breadth first by steps alone.
class Explorer {
public:
    /// @param world  Made with the same options but for `plain`.
    Explorer(const Options& options, World& world) : options_(options), world_(world) {}

    struct Report {
        std::uint64_t states = 0, transitions = 0, settled = 0;
        std::uint32_t depth = 0;  ///< Most steps of a state, by the way on which it was found.
        double seconds = 0;
        bool complete = false;           ///< No state is left whose followers are not known.
        std::string bound;               ///< Which bound was hit; empty when none.
        std::string violation;           ///< Empty: every invariant holds in every state.
        std::vector<std::string> trace;  ///< The way to it.
        std::string parts;
    };
    [[nodiscard]] Report run();
    /// Told when all with fewer disturbances are done, and how many states are known by then.
    std::function<void(std::uint32_t disturbances, std::uint64_t states)> progress;

    /// The state, or one that every future of it can follow as well, was visited.
    [[nodiscard]] bool covers(const State& state) const;
    /// The state is on the only way to the next one, and not kept.
    [[nodiscard]] bool passes(const State& state) {
        Action next;
        return forced(state, next);
    }
    [[nodiscard]] const std::vector<State>& states() const { return states_; }

private:
    struct Origin {
        std::uint32_t parent;
        std::uint16_t action;  ///< Place among what can happen in the parent.
    };
    /// Disturbances, then steps.
    using Rank = std::pair<std::uint32_t, std::uint32_t>;

    [[nodiscard]] bool covers(const State& by, const State& state) const;
    [[nodiscard]] std::size_t place_of(const State& state, std::uint64_t hash) const;
    void visit(const State& state, std::uint32_t parent, std::size_t action, std::uint32_t depth);
    void grow();
    bool forced(const State& state, Action& next);
    [[nodiscard]] bool runs_to_rest(const State& state) const;
    std::string follow(State& state, Action action, std::vector<std::string>* story);
    void tell_way(std::uint32_t number, std::vector<std::string>& trace);
    bool expand(std::uint32_t number, std::uint32_t depth, Report& report);

    const Options options_;
    World& world_;
    std::vector<State> states_;  ///< In the order of discovery.
    std::vector<Origin> origins_;
    /// Open addressing by what is not a count: number + 1 of a state, or 0, below more of its hash.
    std::vector<std::uint64_t> table_;
    std::map<Rank, std::vector<std::uint32_t>> left_;  ///< Whose followers are not known yet.
    std::vector<Action> actions_;
    std::uint64_t at_rest_ = 0;
    std::uint32_t steps_ = 0;  ///< Of the last `follow`.
    /// Ways to the next rest that were gone lately, by the place of their beginning.
    struct Way {
        State from, to;
        std::uint32_t steps = 0;
    };
    std::vector<Way> ways_;
};

}  // namespace umbra::exploration
