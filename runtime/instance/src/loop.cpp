#include "loop.hpp"

#include <umbra/base/clock.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <csignal>
#include <map>
#include <optional>
#include <utility>

namespace umbra::instance {

namespace asio = boost::asio;

class Loop::Impl {
public:
    Impl() : guard_(asio::make_work_guard(io)), timer_(io), signals_(io) {}

    void arm() {
        if (due_.empty()) return;
        const Instant first = due_.begin()->first.first;
        if (armed_ && *armed_ <= first) return;
        armed_ = first;
        timer_.expires_after(std::max(Duration{}, first - base::boot_now()));
        timer_.async_wait([this](const boost::system::error_code& failed) {
            if (failed) return;  // Armed anew for an earlier time.
            armed_.reset();
            run_due();
            arm();
        });
    }

    void run_due() {
        const Instant now = base::boot_now();
        while (!due_.empty() && due_.begin()->first.first <= now) {
            auto fn = std::move(due_.begin()->second);
            places_.erase(due_.begin()->first.second);
            due_.erase(due_.begin());
            fn();
        }
    }

    void wait_for_signal() {
        signals_.async_wait([this](const boost::system::error_code& failed, int number) {
            if (failed) return;
            handler(number);
            wait_for_signal();
        });
    }

    asio::io_context io{1};
    asio::executor_work_guard<asio::io_context::executor_type> guard_;
    asio::steady_timer timer_;
    asio::signal_set signals_;
    std::map<std::pair<Instant, Id>, std::function<void()>> due_;
    std::map<Id, Instant> places_;
    std::optional<Instant> armed_;
    Id last_id_ = 0;
    std::function<void(int)> handler;
};

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() = default;

void Loop::post(std::function<void()> fn) { asio::post(impl_->io, std::move(fn)); }

host::Executor Loop::executor() {
    return [this](std::function<void()> fn) { post(std::move(fn)); };
}

Instant Loop::now() const { return base::boot_now(); }

host::Timers::Id Loop::schedule(Instant at, std::function<void()> fn) {
    const Id id = ++impl_->last_id_;
    impl_->due_.emplace(std::pair{at, id}, std::move(fn));
    impl_->places_.emplace(id, at);
    impl_->arm();
    return id;
}

void Loop::cancel(Id id) {
    const auto place = impl_->places_.find(id);
    if (place == impl_->places_.end()) return;
    impl_->due_.erase({place->second, id});
    impl_->places_.erase(place);
}

void Loop::on_signal(std::function<void(int)> handler) {
    impl_->handler = std::move(handler);
    impl_->signals_.add(SIGTERM);
    impl_->signals_.add(SIGINT);
    impl_->signals_.add(SIGHUP);
    impl_->wait_for_signal();
}

void Loop::run() { impl_->io.run(); }

void Loop::stop() { impl_->io.stop(); }

void Loop::run_until(const std::function<bool()>& done) {
    impl_->io.restart();
    while (!done()) impl_->io.run_one();
}

}  // namespace umbra::instance
