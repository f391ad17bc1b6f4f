#pragma once

#include <umbra/host/surroundings.hpp>
#include <umbra/sdk/time.hpp>

#include <functional>
#include <memory>

namespace umbra::instance {

/// The one event loop of an instance: everything that touches the core runs on its thread.
///
/// Threads: `post()` from any; the rest on the thread that runs it.
class Loop final : public host::Timers {
public:
    Loop();
    ~Loop() override;

    /// Queues `fn`; never runs it at once.
    void post(std::function<void()> fn);
    [[nodiscard]] host::Executor executor();

    [[nodiscard]] Instant now() const override;
    Id schedule(Instant at, std::function<void()> fn) override;
    void cancel(Id id) override;

    /// Calls `handler(signal)` for SIGTERM, SIGINT and SIGHUP.
    void on_signal(std::function<void(int)> handler);

    /// Runs until `stop()`.
    void run();
    void stop();
    /// Runs until `done()` is true, for the sequential parts: start and stop.
    void run_until(const std::function<bool()>& done);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace umbra::instance
