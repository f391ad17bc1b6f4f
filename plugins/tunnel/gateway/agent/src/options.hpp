#pragma once

#include <umbra/sdk/options.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace umbra::gateway {

/// What a [tunnel.NAME] table may say to this provider.
struct AgentOptions {
    std::string address;
    std::int64_t links = 2;
    Duration connect_timeout{};
    Duration reconnect_max{};
    std::optional<std::string> pin;
};

inline constexpr auto agent_schema = options<AgentOptions>(
    opt<&AgentOptions::address>("address")
        .type(UMBRA_OPT_ENDPOINT)
        .required()
        .help("Where the gateway listens for agents, host:port."),
    opt<&AgentOptions::links>("links").def("2").range("1", "8").help(
        "Number of connections kept to the gateway."),
    opt<&AgentOptions::connect_timeout>("connect_timeout")
        .def("\"2s\"")
        .range("\"50ms\"", "\"60s\"")
        .help("Longest wait for a connection, to the gateway and to an internal system."),
    opt<&AgentOptions::reconnect_max>("reconnect_max")
        .def("\"1s\"")
        .range("\"100ms\"", "\"10m\"")
        .help("Longest pause between two attempts to reach the gateway."),
    opt<&AgentOptions::pin>("pin").help("Expected key of the gateway, sha256: and 64 hexadecimal "
                                        "digits; without it, the one of the enrolment."));

}  // namespace umbra::gateway
