#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace umbra::simulation {

/// Broken rules. Each exists only in this program, and each must be found out by the invariants:
/// that is the test of the test.
enum class Mutant : std::uint8_t {
    none,
    takeover_without_in_sync,   ///< The gateway counts everybody as in sync.
    acknowledge_alone,          ///< The master does not wait for the shadow.
    epoch_not_persisted,        ///< The disk says "durable" before the epoch is.
    shadow_lies_about_disk,     ///< The disk says "durable" before the entries are.
    gateway_forgets_epoch,      ///< A restarted gateway begins with an empty register.
    gateway_routes_any_epoch,   ///< Whoever activates is routed to.
    takeover_without_gateway,   ///< Silence of the peer is claimed as an operator's force.
    drop_without_confirmation,  ///< The shadow is dropped without asking the gateway.
    wiped_disk_keeps_identity,  ///< A fresh disk says it is the old one.
    retry_is_new_edit,          ///< A repeated edit gets another id.
};

constexpr std::array<std::string_view, 11> mutant_names{
    "none",
    "takeover_without_in_sync",
    "acknowledge_alone",
    "epoch_not_persisted",
    "shadow_lies_about_disk",
    "gateway_forgets_epoch",
    "gateway_routes_any_epoch",
    "takeover_without_gateway",
    "drop_without_confirmation",
    "wiped_disk_keeps_identity",
    "retry_is_new_edit",
};

struct Options {
    std::uint64_t seed = 1;
    Mutant mutant = Mutant::none;
    bool trace = false;
};

/// How often something happened; a run in which something never did proves little.
using Counters = std::map<std::string, std::uint64_t>;

struct Outcome {
    std::string violation;  ///< Empty: every invariant held.
    Counters counters;
    std::uint64_t events = 0;
    std::uint64_t fingerprint = 0;  ///< Equal for equal runs.
};

/// One whole life of a pair, decided by the seed alone.
[[nodiscard]] Outcome run(const Options& options);

}  // namespace umbra::simulation
