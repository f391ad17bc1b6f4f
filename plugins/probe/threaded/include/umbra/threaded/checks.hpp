#pragma once

#include <umbra/sdk/probe.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <list>
#include <memory>
#include <string>

namespace umbra::threaded {

/// Longest detail line, by the SDK's contract.
inline constexpr std::size_t detail_max = 256;

/// What one check does to find out.
class Work {
public:
    virtual ~Work() = default;
    /// Ends it as soon as it can; `Check::finish` follows, now or later.
    virtual void cancel() = 0;
    /// What has not come when the time is up: "no answer from crm.internal within 2s".
    /// @param within  "2s"
    [[nodiscard]] virtual std::string missed(const std::string& within) const = 0;
};

class Checks;

/// One check under way. Handlers of its work hold it: one may come after the check is over.
class Check : public std::enable_shared_from_this<Check> {
public:
    Check(Checks& all, Reply<ProbeResult> reply, Duration patience);

    /// The work has ended. Gives the place back and answers, unless the time was up before.
    void finish(ProbeResult result);
    [[nodiscard]] Duration latency() const;

private:
    friend class Checks;

    Checks& all_;
    Reply<ProbeResult> reply_;  ///< Nothing once answered.
    const Instant began_;
    const Duration patience_;
    boost::asio::steady_timer timer_;
    std::unique_ptr<Work> work_;
};

/// The checks of a probe: so many at the same time, each answered once and in time. What does not
/// end in time is down; its place is given back when its work has ended. Threads: the loop's.
class Checks {
public:
    using Begin = std::function<Result<std::unique_ptr<Work>>(const std::shared_ptr<Check>&)>;

    /// @param most  One check more is `exhausted`.
    Checks(boost::asio::io_context& io, std::size_t most, Duration timeout)
        : io_(io), most_(most), timeout_(timeout) {}

    /// Of the checks that begin from now on.
    void set_timeout(Duration timeout) { timeout_ = timeout; }
    /// @param begin  Called at most once, within the call.
    void start(Reply<ProbeResult> reply, const Begin& begin);
    /// Answers all with `closed`. `over` is called once no work is left.
    void stop(std::function<void()> over);

private:
    friend class Check;

    void time_is_up(Check& check);
    void end(const std::shared_ptr<Check>& check);

    boost::asio::io_context& io_;
    const std::size_t most_;
    Duration timeout_;
    std::list<std::shared_ptr<Check>> running_;
    std::function<void()> over_;  ///< Set while stopping.
};

}  // namespace umbra::threaded
