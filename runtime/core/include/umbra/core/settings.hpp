#pragma once

#include <umbra/core/compaction.hpp>
#include <umbra/core/types.hpp>
#include <umbra/core/wire.hpp>
#include <umbra/sdk/time.hpp>

#include <string>
#include <vector>

namespace umbra::core {

/// What does not change while a process runs.
struct Settings {
    std::string node;
    std::string incarnation;
    std::string version;
    std::vector<std::string> plugins;
    std::string permitted;  ///< Only this node may be the shadow; empty = any that was paired.

    Duration check_interval{std::chrono::milliseconds{100}};
    Duration connect_timeout{std::chrono::milliseconds{500}};
    Duration request_timeout{std::chrono::milliseconds{500}};
    Duration takeover_delay{std::chrono::milliseconds{500}};
    /// Used instead of `takeover_delay` while no tunnel provider can arbitrate.
    Duration takeover_delay_unfenced{std::chrono::seconds{10}};

    CompactionPolicy compaction{};
    /// Of a snapshot, so much goes into one message.
    std::size_t snapshot_chunk = wire::snapshot_chunk_bytes;

    bool operator==(const Settings&) const = default;
};

/// What the shared configuration says about takeovers ([takeover]).
struct TakeoverPolicy {
    Duration on_tunnel_loss{std::chrono::seconds{5}};
    Duration grace_period{std::chrono::seconds{30}};
    bool acknowledge_both = true;
    /// Tunnel whose gateway grants the epochs; empty: the first by name that fences.
    std::string register_of_record{};

    bool operator==(const TakeoverPolicy&) const = default;
};

/// What must survive a restart. Written by `effect::Persist`, durable before it takes effect.
struct Persistent {
    Role role = Role::shadow;
    Epoch epoch = 0;          ///< Highest epoch this node acted in or followed.
    bool ha_enabled = false;  ///< On the master: a shadow may connect.
    bool connect = true;      ///< On the shadow: the operator wants the link.
    /// Forced to be the shadow by an operator: takes no role by itself until it met a master.
    bool yielded = false;
    Pause pause{};
    /// Times of unplanned changes of master, as `Damping::times()`.
    std::vector<Instant> unplanned{};

    bool operator==(const Persistent&) const = default;
};

}  // namespace umbra::core
