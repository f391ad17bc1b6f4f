#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace umbra::simulation {

/// Kinds of bad luck and of operators. Each draws from a stream of its own, so that one can be
/// switched off (`--without`) while the others stay as they were.
enum class Fault : std::uint8_t {
    // Messages between the two instances.
    drop,
    duplicate,
    delay,
    clog,    ///< Nothing passes one way for a while, then all of it at once.
    replay,  ///< What was said long ago is said again, perhaps in a later epoch.
    // Links.
    peer_cut,
    peer_cut_one_way,
    uplink_cut,
    uplink_cut_one_way,
    uplink_reset,
    swizzle,       ///< All links are cut one by one and come back in another order.
    late_request,  ///< A second copy of a request reaches the gateway late.
    // Processes.
    kill,
    power_loss,
    freeze,
    gateway_kill,
    gateway_freeze,
    // Disks.
    slow_disk,
    fsync_error,
    disk_full,
    disk_loss,
    record_loss,
    // Clocks.
    drift,
    wall_jump,
    // Operators.
    switch_roles,
    force,
    maintenance,
    disconnect,
    enable,
    stop,
    // Beside the disks above, so that these stay what they were for a seed.
    rot,  ///< A value in the snapshot of a shadow changes, and nothing says so.
    // Of the messages between the two again, for the same reason.
    slow_link,  ///< Each way takes a time of its own, with jitter and a hiccup now and then.
};

constexpr std::size_t fault_count = 32;
constexpr std::array<std::string_view, fault_count> fault_names{
    "drop",
    "duplicate",
    "delay",
    "clog",
    "replay",
    "peer-cut",
    "peer-cut-one-way",
    "uplink-cut",
    "uplink-cut-one-way",
    "uplink-reset",
    "swizzle",
    "late-request",
    "kill",
    "power-loss",
    "freeze",
    "gateway-kill",
    "gateway-freeze",
    "slow-disk",
    "fsync-error",
    "disk-full",
    "disk-loss",
    "record-loss",
    "drift",
    "wall-jump",
    "switch",
    "force",
    "maintenance",
    "disconnect",
    "enable",
    "stop",
    "rot",
    "slow-link",
};
static_assert(static_cast<std::size_t>(Fault::slow_link) + 1 == fault_count);

using FaultSet = std::bitset<fault_count>;

constexpr std::size_t index_of(Fault fault) { return static_cast<std::size_t>(fault); }

/// Names joined by commas, as `--without` takes them.
[[nodiscard]] std::string to_string(const FaultSet& faults);
/// Nothing when a name is unknown.
[[nodiscard]] std::optional<FaultSet> parse_faults(std::string_view names);

/// True for what happens now and then, at a moment of its own. The others are rates.
constexpr bool strikes(Fault fault) {
    switch (fault) {
        case Fault::drop:
        case Fault::duplicate:
        case Fault::delay:
        case Fault::late_request:
        case Fault::slow_disk:
        case Fault::fsync_error:
        case Fault::drift:
        case Fault::slow_link:
            return false;
        default:
            return true;
    }
}

}  // namespace umbra::simulation
