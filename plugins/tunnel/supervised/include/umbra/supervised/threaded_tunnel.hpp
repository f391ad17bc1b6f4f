#pragma once

#include <umbra/process/loop_thread.hpp>
#include <umbra/sdk/tunnel.hpp>

#include <memory>
#include <string>
#include <utility>

namespace umbra::supervised {

/// A provider that cannot fence: carries each call of the host to the one thread on which `Logic`
/// lives. `Logic` is made of (io_context&, Context, Options), has open, activate, configure, drain
/// and next_event as TunnelProvider does, and `stop(done)`, which calls `done` once no process of
/// it is left.
template <class Logic, class Options>
class ThreadedTunnel : public TunnelProvider {
public:
    ThreadedTunnel(Context context, Options options)
        : loop_([context](const std::string& text) { context.error("internal error: " + text); }),
          logic_(std::make_unique<Logic>(loop_.io(), context, std::move(options))) {}
    ~ThreadedTunnel() override {
        if (!stop_asked_) stop(Reply<Done>{});
        loop_.join();
    }

    void open(TunnelSpec spec, Reply<Done> reply) override {
        carry(std::move(reply), [this, spec = std::move(spec)](Reply<Done> r) mutable {
            logic_->open(std::move(spec), std::move(r));
        });
    }
    void configure(TunnelSpec spec, Reply<Done> reply) override {
        carry(std::move(reply), [this, spec = std::move(spec)](Reply<Done> r) mutable {
            logic_->configure(std::move(spec), std::move(r));
        });
    }
    void claim(std::uint64_t, ClaimReason, Reply<ClaimResult> reply) override {
        reply.fail(Errc::unsupported, "this provider has no register and cannot arbitrate");
    }
    void activate(std::uint64_t epoch, Reply<Done> reply) override {
        carry(std::move(reply),
              [this, epoch](Reply<Done> r) { logic_->activate(epoch, std::move(r)); });
    }
    void drain(Duration grace, Reply<Done> reply) override {
        carry(std::move(reply),
              [this, grace](Reply<Done> r) { logic_->drain(grace, std::move(r)); });
    }
    void next_event(Reply<TunnelEvent> reply) override {
        carry(std::move(reply), [this](Reply<TunnelEvent> r) { logic_->next_event(std::move(r)); });
    }
    void stop(Reply<Done> reply) override {
        if (stop_asked_) return reply.fail(Errc::conflict, "the tunnel is stopping already");
        stop_asked_ = true;
        loop_.post([this, reply = std::move(reply)]() mutable {
            logic_->stop([this, held = std::make_shared<Reply<Done>>(std::move(reply))] {
                loop_.finish([this, held] {
                    logic_.reset();
                    held->ok();
                });
            });
        });
    }

private:
    template <class T, class F>
    void carry(Reply<T> reply, F work) {
        if (stop_asked_) return reply.fail(Errc::closed, "the tunnel is stopping");
        loop_.post([work = std::move(work), reply = std::move(reply)]() mutable {
            work(std::move(reply));
        });
    }

    bool stop_asked_ = false;
    process::LoopThread loop_;
    std::unique_ptr<Logic> logic_;
};

}  // namespace umbra::supervised
