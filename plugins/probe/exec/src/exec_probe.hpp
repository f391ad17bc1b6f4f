#pragma once

#include <umbra/process/child.hpp>
#include <umbra/process/loop_thread.hpp>
#include <umbra/sdk/probe.hpp>

#include <boost/asio/steady_timer.hpp>

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace umbra::exec_probe {

/// Checks that may run at the same time; one more is `exhausted`.
inline constexpr std::size_t checks_max = 8;
/// Longest detail line, by the SDK's contract.
inline constexpr std::size_t detail_max = 256;

/// What an exit means. Pure.
/// @param line      The last one of the output; may be empty.
/// @param degraded  The exit status that means so, if any.
ProbeResult judge(const process::Exit& exit, const std::string& line,
                  std::optional<std::int64_t> degraded, Duration latency);

/// The plugin: every check runs the command once. All of it lives on one thread.
class ExecProbe final : public HealthProbe {
public:
    struct Options {
        std::vector<std::string> command;
        Duration timeout{};
        std::optional<std::int64_t> degraded_status;
        std::vector<std::string> environment;
    };
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

    ExecProbe(Context context, Options options);
    ~ExecProbe() override;

    void check(Reply<ProbeResult> reply) override;
    /// The timeout: of the checks that begin from now on.
    void change_options(const Options& options, Reply<Done> reply);
    void stop(Reply<Done> reply) override;

private:
    struct Run {
        Reply<ProbeResult> reply;
        Instant began;
        Duration patience;
        boost::asio::steady_timer timer;
        std::shared_ptr<process::Child> child;
        std::string line;
    };
    /// Handlers hold it too: one that is under way may come after the check is over.
    using RunPointer = std::shared_ptr<Run>;

    void start(Reply<ProbeResult> reply);
    void on_exit(const RunPointer& run, const process::Exit& exit);
    void on_timeout(Run& run);
    void end_if_over();

    const Context context_;
    const std::vector<std::string> command_;
    const std::optional<std::int64_t> degraded_;
    const std::vector<std::string> environment_;
    Duration timeout_;  // the loop's from here on
    std::list<RunPointer> runs_;
    Reply<Done> stopped_;
    bool stopping_ = false;
    bool stop_asked_ = false;  // the host's
    process::LoopThread loop_;
};

}  // namespace umbra::exec_probe
