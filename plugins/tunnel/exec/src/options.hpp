#pragma once

#include <umbra/sdk/options.hpp>

#include <optional>
#include <string>
#include <vector>

namespace umbra::exec_tunnel {

/// What a [tunnel.NAME] table may say to this provider.
struct ExecOptions {
    std::vector<std::string> command;
    std::vector<std::string> environment;
    std::optional<std::string> ready_output;
    std::optional<std::string> ready_address;
    Duration ready_after{};
    Duration ready_timeout{};
    std::string stop_signal;
    Duration stop_timeout{};
    std::string reload_signal;
    Duration restart_max{};
};

inline constexpr const char* stop_signals[] = {"TERM", "INT", "HUP", "QUIT", nullptr};
inline constexpr const char* reload_signals[] = {"none", "HUP", "USR1", "USR2", nullptr};

inline constexpr auto exec_schema = options<ExecOptions>(
    opt<&ExecOptions::command>("command").required().help(
        "Program and arguments, each an element; no shell reads them. A name without a slash is "
        "searched on the PATH."),
    opt<&ExecOptions::environment>("environment")
        .help("More of the command's environment, each NAME=value."),
    opt<&ExecOptions::ready_output>("ready_output")
        .help("The tunnel is up once a line of the output contains this text."),
    opt<&ExecOptions::ready_address>("ready_address")
        .type(UMBRA_OPT_ENDPOINT)
        .help("The tunnel is up once this host:port accepts; with ready_output, both have to be."),
    opt<&ExecOptions::ready_after>("ready_after")
        .def("\"1s\"")
        .range("\"0s\"", "\"10m\"")
        .help("Without the two above: the tunnel is up when the command has run for so long."),
    opt<&ExecOptions::ready_timeout>("ready_timeout")
        .def("\"30s\"")
        .range("\"100ms\"", "\"10m\"")
        .help("A command that is not ready by then is stopped and started again."),
    opt<&ExecOptions::stop_signal>("stop_signal")
        .choices(stop_signals)
        .def("\"TERM\"")
        .help("What asks the command and its group to end."),
    opt<&ExecOptions::stop_timeout>("stop_timeout")
        .def("\"3s\"")
        .range("\"0s\"", "\"1m\"")
        .help("How long it may take, before SIGKILL; in a handover, the grace period counts."),
    opt<&ExecOptions::reload_signal>("reload_signal")
        .choices(reload_signals)
        .def("\"none\"")
        .help("What tells the command that the file of mappings has changed; none: it is started "
              "again."),
    opt<&ExecOptions::restart_max>("restart_max")
        .def("\"10s\"")
        .range("\"100ms\"", "\"10m\"")
        .help("Longest pause before a command that ended is started again."));

}  // namespace umbra::exec_tunnel
