#pragma once

#include <umbra/process/child.hpp>
#include <umbra/sdk/probe.hpp>
#include <umbra/threaded/threaded_probe.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace umbra::exec_probe {

/// What an exit means. Pure.
/// @param line      The last one of the output; may be empty.
/// @param degraded  The exit status that means so, if any.
ProbeResult judge(const process::Exit& exit, const std::string& line,
                  std::optional<std::int64_t> degraded, Duration latency);

struct ExecOptions {
    std::vector<std::string> command;
    Duration timeout{};
    std::optional<std::int64_t> degraded_status;
    std::vector<std::string> environment;
};

/// Runs the command once for every check.
class Commands {
public:
    static constexpr std::size_t checks_max = 8;

    Commands(boost::asio::io_context& io, const Context& context, const ExecOptions& options);
    Result<std::unique_ptr<threaded::Work>> begin(const std::shared_ptr<threaded::Check>& check);

private:
    boost::asio::io_context& io_;
    const std::vector<std::string> command_;
    const std::optional<std::int64_t> degraded_;
    const std::vector<std::string> environment_;
};

/// The plugin.
class ExecProbe final : public threaded::ThreadedProbe<Commands, ExecOptions> {
public:
    using ThreadedProbe::ThreadedProbe;

    static constexpr PluginInfo info{"exec", "0.1.0",
                                     "Healthy while a command ends with status 0."};
    static constexpr auto schema = umbra::options<Options>(
        umbra::opt<&Options::command>("command").required().help(
            "Program and arguments, each an element; no shell reads them. A name without a slash "
            "is searched on the PATH."),
        umbra::opt<&Options::timeout>("timeout")
            .def("\"5s\"")
            .range("\"10ms\"", "\"60s\"")
            .live()
            .help("How long the command may run before it is killed and the target counts as "
                  "down."),
        umbra::opt<&Options::degraded_status>("degraded_status")
            .range("1", "255")
            .help("Exit status that means degraded, for example 1 with the plugins of Nagios; "
                  "without it every status but 0 means down."),
        umbra::opt<&Options::environment>("environment")
            .help("More of the command's environment, each NAME=value."));
};

}  // namespace umbra::exec_probe
