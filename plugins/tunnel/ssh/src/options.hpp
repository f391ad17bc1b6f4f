#pragma once

#include <umbra/sdk/options.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace umbra::ssh_tunnel {

/// What a [tunnel.NAME] table may say to this provider.
struct SshOptions {
    std::string address;
    std::string user;
    std::string identity_file;
    std::optional<std::string> known_hosts;
    std::vector<std::string> host_keys;
    std::string bind;
    Duration connect_timeout{};
    Duration alive_interval{};
    std::int64_t alive_count = 3;
    Duration reconnect_max{};
    std::string program;
    std::vector<std::string> extra;
};

inline constexpr auto ssh_schema = options<SshOptions>(
    opt<&SshOptions::address>("address")
        .type(UMBRA_OPT_ENDPOINT)
        .required()
        .help("The SSH server, host:port."),
    opt<&SshOptions::user>("user").required().help("The user to log in as."),
    opt<&SshOptions::identity_file>("identity_file")
        .type(UMBRA_OPT_PATH)
        .required()
        .help("Private key without a passphrase, mode 0600; every instance has its own file of "
              "this name."),
    opt<&SshOptions::known_hosts>("known_hosts")
        .type(UMBRA_OPT_PATH)
        .help("File with the server's host key, as ssh-keyscan writes it. Either this or "
              "host_keys is needed."),
    opt<&SshOptions::host_keys>("host_keys")
        .help("The server's host keys, each \"ssh-ed25519 AAAA...\"; no other one is accepted."),
    opt<&SshOptions::bind>("bind")
        .def("\"127.0.0.1\"")
        .help(
            "Address at the server on which mappings listen; \"*\": all of them, \"virtual\": the "
            "mapping's own virtual host. All but loopback needs GatewayPorts there."),
    opt<&SshOptions::connect_timeout>("connect_timeout")
        .def("\"5s\"")
        .range("\"1s\"", "\"2m\"")
        .help("Longest wait for the connection, in whole seconds."),
    opt<&SshOptions::alive_interval>("alive_interval")
        .def("\"2s\"")
        .range("\"1s\"", "\"10m\"")
        .help("How often a server that is silent is asked for a sign of life, in whole seconds."),
    opt<&SshOptions::alive_count>("alive_count")
        .def("3")
        .range("1", "100")
        .help("Number of signs that may be missing before the session counts as lost."),
    opt<&SshOptions::reconnect_max>("reconnect_max")
        .def("\"5s\"")
        .range("\"100ms\"", "\"10m\"")
        .help("Longest pause between two attempts to connect."),
    opt<&SshOptions::program>("program")
        .type(UMBRA_OPT_PATH)
        .def("\"/usr/bin/ssh\"")
        .help("The OpenSSH client, 8.0 or later."),
    opt<&SshOptions::extra>("extra").help(
        "More of ssh_config, each \"Keyword=value\"; only what cannot undo what the provider "
        "relies on: ciphers, addresses, compression and the like."));

}  // namespace umbra::ssh_tunnel
