#pragma once

#include <umbra/process/loop_thread.hpp>
#include <umbra/sdk/probe.hpp>
#include <umbra/threaded/checks.hpp>

#include <memory>
#include <string>
#include <utility>

namespace umbra::threaded {

/// A probe whose checks all live on one thread. `Logic` is made of (io_context&, Context,
/// const Options&), on the host's thread, and throws Failure when the options cannot work; it has
/// `checks_max` and begin(), which is the `Checks::Begin` of each check. `Options` has a `timeout`,
/// the one that may change while the probe runs.
template <class Logic, class ProbeOptions>
class ThreadedProbe : public HealthProbe {
public:
    using Options = ProbeOptions;

    ThreadedProbe(Context context, const Options& options)
        : loop_([context](const std::string& text) { context.error("internal error: " + text); }),
          logic_(loop_.io(), context, options),
          checks_(loop_.io(), Logic::checks_max, options.timeout) {}
    ~ThreadedProbe() override {
        if (!stop_asked_) stop(Reply<Done>{});
        loop_.join();
    }

    void check(Reply<ProbeResult> reply) override {
        if (stop_asked_) return reply.fail(Errc::closed, "the probe is stopping");
        loop_.post([this, reply = std::move(reply)]() mutable {
            checks_.start(std::move(reply),
                          [this](const auto& check) { return logic_.begin(check); });
        });
    }
    void change_options(const Options& options, Reply<Done> reply) {
        loop_.post([this, timeout = options.timeout, reply = std::move(reply)]() mutable {
            checks_.set_timeout(timeout);
            reply.ok();
        });
    }
    void stop(Reply<Done> reply) override {
        stop_asked_ = true;
        loop_.post([this, held = std::make_shared<Reply<Done>>(std::move(reply))] {
            checks_.stop([this, held] { loop_.finish([held] { held->ok(); }); });
        });
    }

private:
    bool stop_asked_ = false;  ///< The host's.
    process::LoopThread loop_;
    Logic logic_;
    Checks checks_;
};

}  // namespace umbra::threaded
