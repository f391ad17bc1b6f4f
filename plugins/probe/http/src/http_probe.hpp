#pragma once

#include "attempt.hpp"
#include <umbra/process/loop_thread.hpp>
#include <umbra/sdk/probe.hpp>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <list>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace umbra::http_probe {

/// Checks that may run at the same time; one more is `exhausted`.
inline constexpr std::size_t checks_max = 64;

inline constexpr const char* methods[] = {"GET", "HEAD", nullptr};

/// The plugin: every check is a request on a connection of its own. All of it lives on one thread;
/// stop() may have to wait for the resolver.
class HttpProbe final : public HealthProbe {
public:
    struct Options {
        std::string url;
        std::string method;
        std::string expect;
        std::optional<std::string> contains;
        Duration timeout{};
        std::optional<Duration> degraded_after;
        std::vector<std::string> headers;
        std::optional<std::string> ca_file;
    };
    static constexpr PluginInfo info{"http", "0.1.0",
                                     "Healthy while a URL answers with an expected status."};
    static constexpr auto schema = umbra::options<Options>(
        umbra::opt<&Options::url>("url")
            .type(UMBRA_OPT_URL)
            .required()
            .help("What to ask for, http or https; the certificate is verified."),
        umbra::opt<&Options::method>("method").choices(methods).def("\"GET\"").help("How to ask."),
        umbra::opt<&Options::expect>("expect")
            .def("\"200-299\"")
            .help("Status codes that count as healthy, for example \"200, 401\"; no redirect is "
                  "followed."),
        umbra::opt<&Options::contains>("contains")
            .help("Text that the answer has to contain, in its first MiB."),
        umbra::opt<&Options::timeout>("timeout")
            .def("\"2s\"")
            .range("\"10ms\"", "\"60s\"")
            .live()
            .help("How long an answer may take before the target counts as down."),
        umbra::opt<&Options::degraded_after>("degraded_after")
            .range("\"1ms\"", "\"60s\"")
            .help("An answer that takes longer means degraded."),
        umbra::opt<&Options::headers>("headers").help(
            "Sent with the request, each \"Name: value\"."),
        umbra::opt<&Options::ca_file>("ca_file")
            .type(UMBRA_OPT_PATH)
            .help("PEM file of the authorities to believe, instead of the system's."));

    HttpProbe(Context context, Options options);
    ~HttpProbe() override;

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
        std::shared_ptr<Attempt> attempt;
    };
    /// Handlers hold it too: one that is under way may come after the check is over.
    using RunPointer = std::shared_ptr<Run>;

    void start(Reply<ProbeResult> reply);
    void end(const RunPointer& run, const ProbeResult& result);

    const Question question_;
    boost::asio::ssl::context tls_;
    Duration timeout_;  // the loop's from here on
    std::list<RunPointer> runs_;
    bool stop_asked_ = false;  // the host's
    process::LoopThread loop_;
};

}  // namespace umbra::http_probe
