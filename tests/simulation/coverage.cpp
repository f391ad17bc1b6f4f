#include "campaign.hpp"

#include <array>
#include <cstdio>
#include <string_view>

namespace umbra::simulation {

namespace {

/// Fewer seeds than that say nothing about what is missing: the rarest of these happens once in
/// some hundred seeds.
constexpr std::uint64_t seeds_least = 2000;

/// What has to happen in every long enough run; what never happens is not tested.
constexpr std::array expected = std::to_array<std::string_view>({
    "alert: declined",
    "alert: divergence",
    "alert: no-gateway",
    "alert: not-eligible",
    "alert: paused",
    "alert: peer-link-cut",
    "alert: peer-unreachable",
    "alert: push-failed",
    "alert: push-recovered",
    "alert: shadow-away",
    "alert: shadow-declined",
    "alert: tunnels-down",
    "clients parked",
    "clients served",
    "edit: acknowledged",
    "edit: conflict",
    "edit: provisional",
    "edit: refused, disk full",
    "epilogue: nobody may",
    "epilogue: one survives",
    "epilogue: starts alone",
    "fault: clocks drift",
    "fault: connection refused",
    "fault: disk full",
    "fault: disk lost",
    "fault: fsync failed",
    "fault: gateway frozen",
    "fault: gateway killed",
    "fault: links swizzled",
    "fault: message delayed",
    "fault: message dropped",
    "fault: message duplicated",
    "fault: message held up",
    "fault: no room for entries",
    "fault: old message replayed",
    "fault: peer link clogged",
    "fault: peer link cut",
    "fault: peer link cut one way",
    "fault: power lost",
    "fault: process frozen",
    "fault: process killed",
    "fault: record lost",
    "fault: record torn",
    "fault: request arrived late once more",
    "fault: slow disk",
    "fault: unsynced entries lost",
    "fault: unsynced state lost",
    "fault: uplink cut",
    "fault: uplink cut on the way back",
    "fault: uplink cut on the way there",
    "fault: uplink reset",
    "fault: wall clock jumped",
    "healed: active within 1 s",
    "life with a gateway that arbitrates",
    "life without an arbiter",
    "operator: connect",
    "operator: disable",
    "operator: disconnect",
    "operator: enable",
    "operator: force",
    "operator: help",
    "operator: pause",
    "operator: resume",
    "operator: stop",
    "operator: switch",
    "request: failed",
    "request: refused",
    "seed run without jumps of wall clocks",
    "state: active -> draining",
    "state: active -> fenced",
    "state: active -> starting",
    "state: disconnected -> disconnecting",
    "state: disconnected -> handshake",
    "state: disconnected -> initsync",
    "state: disconnected -> lost",
    "state: disconnected -> taking-over",
    "state: disconnecting -> disconnected",
    "state: draining -> active",
    "state: draining -> disconnected",
    "state: fenced -> initsync",
    "state: fenced -> taking-over",
    "state: handshake -> disconnected",
    "state: handshake -> initsync",
    "state: handshake -> lost",
    "state: initial -> disconnected",
    "state: initsync -> disconnected",
    "state: initsync -> handshake",
    "state: initsync -> lost",
    "state: initsync -> ready",
    "state: initsync -> taking-over",
    "state: lost -> disconnected",
    "state: lost -> handshake",
    "state: lost -> initsync",
    "state: lost -> ready",
    "state: lost -> taking-over",
    "state: ready -> disconnected",
    "state: ready -> disconnecting",
    "state: ready -> handshake",
    "state: ready -> initsync",
    "state: ready -> lost",
    "state: ready -> taking-over",
    "state: starting -> active",
    "state: starting -> disconnected",
    "state: starting -> fenced",
    "state: starting -> handshake",
    "state: taking-over -> disconnected",
    "state: taking-over -> fenced",
    "state: taking-over -> initsync",
    "state: taking-over -> lost",
    "state: taking-over -> ready",
    "state: taking-over -> starting",
    "transition: activation refused",
    "transition: claim",
    "transition: claim refused",
    "transition: consent",
    "transition: forced takeover",
    "transition: fork cut",
    "transition: handover",
    "transition: holder fenced",
    "transition: in-sync change refused",
    "transition: instant takeover",
    "transition: orderly stop",
    "transition: patient takeover",
    "transition: repeated edit recognised",
    "transition: shadow added",
    "transition: shadow dropped",
    "transition: snapshot installed",
    "transition: step down",
    "transition: stop on a disk error",
    "transition: takeover",
    "transition: takeover without a gateway",
    "two believed themselves active",
});

}  // namespace

bool report_coverage(const Counters& counters, std::uint64_t seeds) {
    if (seeds < seeds_least) return true;
    bool complete = true;
    for (const auto what : expected) {
        if (counters.contains(what)) continue;
        std::printf("never happened: %s\n", std::string(what).c_str());
        complete = false;
    }
    return complete;
}

}  // namespace umbra::simulation
