#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace umbra::simulation {

/// Broken rules. Each exists only in this program, in the world around the production sources, and
/// each must be found out by the invariants: that is the test of the test.
enum class Mutant : std::uint8_t {
    none,
    // The register.
    takeover_without_in_sync,     ///< The gateway counts everybody as in sync.
    takeover_without_gateway,     ///< Silence of the peer is claimed as an operator's force.
    gateway_forgets_epoch,        ///< A restarted gateway begins with an empty register.
    gateway_answers_before_disk,  ///< A grant leaves before its record is durable.
    gateway_routes_any_epoch,     ///< Whoever activates is routed to.
    last_connection_wins,         ///< Whoever connects is routed to.
    in_sync_without_sequence,     ///< An older change of the in-sync set is taken as the newest.
    lease_ignored,                ///< A holder counts as silent long before its lease is over.
    lease_on_wall_clock,          ///< A jump of the wall clock ends a lease.
    consent_never_ends,           ///< A consent to a handover that failed stays in force.
    // The replicated log.
    acknowledge_alone,            ///< The master does not wait for the shadow.
    shadow_lies_about_disk,       ///< The disk says "durable" before the entries are.
    retry_is_new_edit,            ///< A repeated edit gets another id.
    drop_without_confirmation,    ///< The shadow is dropped without asking the gateway.
    add_without_confirmation,     ///< The shadow is added without asking the gateway.
    stale_beacon_cuts,            ///< A shadow cuts its log to what an old beacon says.
    fork_never_cut,               ///< A shadow keeps what the master does not have.
    fork_not_saved,               ///< What is cut is gone.
    compaction_of_uncommitted,    ///< A shadow's snapshot has what may still be cut.
    compaction_outruns_shadow,    ///< A master's snapshot has what its shadow lacks.
    snapshot_forgets_operations,  ///< Of a snapshot only the configuration is kept.
    drift_ignored,                ///< A shadow finds every digest equal to its own.
    // An instance and its disk.
    epoch_not_persisted,        ///< The disk says "durable" before the epoch is.
    wiped_disk_keeps_identity,  ///< A fresh disk says it is the old one.
    fsync_error_ignored,        ///< The process goes on after an error of its disk.
    torn_record_accepted,       ///< Half a record at the end of the log is read as a whole one.
    disk_full_acknowledged,     ///< What found no room counts as stored.
    lone_survivor_rules,        ///< Who cannot reach the gateway grants the epoch to itself.
    shadow_keeps_no_link,       ///< A shadow connects to the gateway only once it is master.
    dead_link_stays_active,     ///< Silence of the gateway does not end a link.
    fenced_is_ignored,          ///< A master does not listen when the gateway names another.
    round_trip_unmeasured,      ///< Every answer counts as a quick one.
    // A pair without a gateway that arbitrates.
    impatient_shadow,        ///< It takes over at the first missed answer.
    restart_without_asking,  ///< A master that restarts does not ask its peer first.
};

constexpr std::size_t mutant_count = 35;
constexpr std::array<std::string_view, mutant_count> mutant_names{
    "none",
    "takeover_without_in_sync",
    "takeover_without_gateway",
    "gateway_forgets_epoch",
    "gateway_answers_before_disk",
    "gateway_routes_any_epoch",
    "last_connection_wins",
    "in_sync_without_sequence",
    "lease_ignored",
    "lease_on_wall_clock",
    "consent_never_ends",
    "acknowledge_alone",
    "shadow_lies_about_disk",
    "retry_is_new_edit",
    "drop_without_confirmation",
    "add_without_confirmation",
    "stale_beacon_cuts",
    "fork_never_cut",
    "fork_not_saved",
    "compaction_of_uncommitted",
    "compaction_outruns_shadow",
    "snapshot_forgets_operations",
    "drift_ignored",
    "epoch_not_persisted",
    "wiped_disk_keeps_identity",
    "fsync_error_ignored",
    "torn_record_accepted",
    "disk_full_acknowledged",
    "lone_survivor_rules",
    "shadow_keeps_no_link",
    "dead_link_stays_active",
    "fenced_is_ignored",
    "round_trip_unmeasured",
    "impatient_shadow",
    "restart_without_asking",
};
static_assert(static_cast<std::size_t>(Mutant::restart_without_asking) + 1 == mutant_count);

}  // namespace umbra::simulation
