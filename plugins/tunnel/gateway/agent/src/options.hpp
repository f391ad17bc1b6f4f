#pragma once

#include <umbra/sdk/options.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace umbra::gateway {

/// What a [tunnel.NAME] table may say to this provider.
struct AgentOptions {
    std::string address;
    std::int64_t links = 2;
    std::int64_t threads = 0;
    Duration connect_timeout{};
    Duration reconnect_max{};
    std::optional<std::string> pin;
    std::vector<std::string> permit_networks;
    std::optional<std::string> proxy;
    std::optional<std::string> proxy_user;
    std::optional<std::string> proxy_password_file;
    Duration response_timeout{};
};

inline constexpr auto agent_schema = options<AgentOptions>(
    opt<&AgentOptions::address>("address")
        .type(UMBRA_OPT_ENDPOINT)
        .required()
        .help("Where the gateway listens for agents, host:port."),
    opt<&AgentOptions::links>("links").def("2").range("1", "8").help(
        "Number of connections kept to the gateway."),
    opt<&AgentOptions::threads>("threads").def("0").range("0", "64").help(
        "Threads that carry streams, at most one for each link; 0: one for every two "
        "processors."),
    opt<&AgentOptions::connect_timeout>("connect_timeout")
        .def("\"2s\"")
        .range("\"50ms\"", "\"60s\"")
        .help("Longest wait for a connection, to the gateway and to an internal system."),
    opt<&AgentOptions::reconnect_max>("reconnect_max")
        .def("\"1s\"")
        .range("\"100ms\"", "\"10m\"")
        .help("Longest pause between two attempts to reach the gateway."),
    opt<&AgentOptions::pin>("pin").help(
        "Expected key of the gateway, sha256: and 64 hexadecimal "
        "digits; without it, the one of the enrolment and those that the "
        "gateway announces later."),
    opt<&AgentOptions::permit_networks>("permit_networks")
        .help("Networks that names of internal systems may lead to although they are loopback, "
              "link-local, multicast or metadata addresses, for example [\"127.0.0.0/8\"]."),
    opt<&AgentOptions::proxy>("proxy").help("HTTP proxy that leads to the gateway, \"host:port\" "
                                            "or \"http://user@host:port\"; \"none\": "
                                            "none; without this key the environment variables "
                                            "https_proxy, all_proxy and no_proxy decide."),
    opt<&AgentOptions::proxy_user>("proxy_user").help("User at the proxy."),
    opt<&AgentOptions::proxy_password_file>("proxy_password_file")
        .type(UMBRA_OPT_PATH)
        .help("File whose first line is the password of that user; read at each connect."),
    opt<&AgentOptions::response_timeout>("response_timeout")
        .def("\"2m\"")
        .range("\"1s\"", "\"24h\"")
        .help("http: longest wait for an internal system to begin its answer."));

}  // namespace umbra::gateway
