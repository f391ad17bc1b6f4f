#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace umbra::exploration {

/// Broken rules. Each exists only in this program, and the exploration must find each out: that is
/// the test of the test.
enum class Mutant : std::uint8_t {
    none,
    epoch_not_persisted,        ///< The disk says "durable" before the epoch is.
    shadow_lies_about_disk,     ///< The disk says "durable" before the entries are.
    acknowledge_alone,          ///< The master does not wait for the shadow.
    gateway_routes_any_epoch,   ///< Whoever activates is routed to.
    takeover_without_gateway,   ///< Silence of the peer is claimed as an operator's force.
    takeover_without_in_sync,   ///< The gateway counts everybody as in sync.
    drop_without_confirmation,  ///< The shadow is dropped without asking the gateway.
};

constexpr std::array<std::string_view, 8> mutant_names{
    "none",
    "epoch_not_persisted",
    "shadow_lies_about_disk",
    "acknowledge_alone",
    "gateway_routes_any_epoch",
    "takeover_without_gateway",
    "takeover_without_in_sync",
    "drop_without_confirmation",
};

constexpr std::uint8_t any_order = UINT8_MAX;  ///< Of `turns`; of `amid`: at any moment.

/// What bounds the world. Each count is of events on the way from the start to a state.
struct Limits {
    std::uint8_t crashes = 1;   ///< Kills and power losses of an instance, kills of the gateway.
    std::uint8_t cuts = 1;      ///< Of any of the three links; healed whenever that is worst.
    std::uint8_t edits = 1;     ///< On whichever master there is.
    std::uint8_t switches = 1;  ///< Orders to switch roles.
    std::uint8_t late = 0;      ///< Times at which one clock runs on while answers are under way.
    /// Most disturbances (all of the above, and each start and healing) between two moments at
    /// which nothing is under way.
    std::uint8_t overlap = 8;
    /// Most deliveries and the like out of turn between two such moments. Disturbances have no
    /// turn: they come at any moment, whatever this is.
    std::uint8_t turns = any_order;
    /// Most disturbances on the whole way that come while something is under way.
    std::uint8_t amid = any_order;
    std::uint32_t depth = UINT32_MAX;
    std::uint64_t states_max = 20'000'000;
};

/// Most of any one count; they are kept in a byte each, and epochs in another.
constexpr std::uint8_t count_max = 8;

struct Options {
    Limits limits;
    Mutant mutant = Mutant::none;
    bool plain = false;  ///< No numbers are renamed, and no state is left out or passed through.
    /// Epochs keep their numbers while edits are left, so that no entry of the log has another one
    /// than it would have `plain`.
    bool hold_epochs = false;
    bool cold = false;  ///< Start with three processes that were just started, not with a pair.
    std::uint64_t settle_every =
        1;  ///< Of the states at rest, every so many is healed and run out.
};

}  // namespace umbra::exploration
