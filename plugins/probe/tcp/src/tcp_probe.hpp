#pragma once

#include <umbra/sdk/probe.hpp>
#include <umbra/tcp_probe/attempt.hpp>

#include <condition_variable>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace umbra::tcp_probe {

/// Checks that may run at the same time; one more is `exhausted`.
inline constexpr std::size_t checks_max = 64;

/// The plugin: one thread polls all checks in flight. A second one, only where the host is a name,
/// asks the resolver, because that blocks: one question at a time, whose answer is for every check
/// that waits. A check whose name takes too long is answered in time all the same; `stop()` has to
/// wait for the resolver.
class TcpProbe final : public HealthProbe {
public:
    struct Options {
        std::string address;
        Duration timeout{};
    };
    static constexpr PluginInfo info{"tcp", "0.1.0", "Healthy while a TCP port accepts."};
    static constexpr auto schema = umbra::options<Options>(
        umbra::opt<&Options::address>("address")
            .type(UMBRA_OPT_ENDPOINT)
            .required()
            .help("Where to connect, host:port."),
        umbra::opt<&Options::timeout>("timeout")
            .def("\"2s\"")
            .range("\"10ms\"", "\"60s\"")
            .live()
            .help("How long a connection may take before the target counts as down."));

    TcpProbe(Context context, Options options);
    ~TcpProbe() override;

    void check(Reply<ProbeResult> reply) override;
    /// The timeout: of the checks that begin from now on.
    void change_options(const Options& options, Reply<Done> reply);
    void stop(Reply<Done> reply) override;

private:
    struct Check {
        Reply<ProbeResult> reply;
        Instant began;
        Instant deadline;
        std::optional<Attempt> attempt;  ///< Empty while the name is not resolved.
    };
    using Checks = std::list<Check>;

    void poll_checks();
    /// Takes over what came in since the last turn. False: stop.
    bool take_news();
    void start(Check& check, const Result<std::vector<Address>>& addresses);
    void turn(Instant now);
    void give_back_place();
    void wait_for_events(Instant now);
    void fail_all(const char* why);
    void end();
    void look_up_names();
    void wake() const;

    Endpoint endpoint_;
    Duration timeout_;
    std::vector<Address> numeric_;  ///< Empty: the host is a name.
    int wake_fd_ = -1;

    std::mutex mutex_;
    std::condition_variable asked_;
    Checks fresh_;           // guarded by mutex_
    std::size_t count_ = 0;  // guarded by mutex_; checks not yet answered
    bool stopping_ = false;  // guarded by mutex_
    Reply<Done> stopped_;    // guarded by mutex_
    bool question_ = false;  // guarded by mutex_; the resolver has something to do
    std::optional<Result<std::vector<Address>>> resolved_;  // guarded by mutex_

    Checks checks_;        // the poller's
    bool asking_ = false;  // the poller's; a question is out

    std::thread resolver_;
    std::thread poller_;
};

}  // namespace umbra::tcp_probe
