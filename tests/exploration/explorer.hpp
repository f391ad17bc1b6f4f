#pragma once

#include "world.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace umbra::exploration {

/// Breadth first through every state that can be reached within the limits, each once.
class Explorer {
public:
    explicit Explorer(const Options& options) : options_(options), world_(options) {}

    struct Report {
        std::uint64_t states = 0, transitions = 0, settled = 0;
        std::uint32_t depth = 0;
        double seconds = 0;
        bool complete = false;           ///< No state is left whose followers are not known.
        std::string bound;               ///< Which bound was hit; empty when none.
        std::string violation;           ///< Empty: every invariant holds in every state.
        std::vector<std::string> trace;  ///< The shortest way to it.
        std::string parts;
    };
    [[nodiscard]] Report run();

private:
    struct Origin {
        std::uint32_t parent;
        std::uint16_t action;  ///< Place among what can happen in the parent.
    };
    /// @return false when the state was known
    bool visit(const State& state, std::uint32_t parent, std::size_t action);
    void grow();
    void tell_way(std::uint32_t number, std::vector<std::string>& trace);
    bool expand(std::uint32_t number, Report& report);

    const Options options_;
    World world_;
    std::vector<State> states_;  ///< In the order of discovery, which is that of depth.
    std::vector<Origin> origins_;
    std::vector<std::uint32_t> table_;  ///< Open addressing: number + 1 of a state, or 0.
    std::vector<Action> actions_;
    std::uint64_t at_rest_ = 0;
};

}  // namespace umbra::exploration
