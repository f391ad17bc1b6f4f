#include <umbra/gateway/loops.hpp>

#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>

namespace umbra::gateway {

namespace asio = boost::asio;

namespace {

constexpr std::size_t automatic_max = 8;
constexpr auto last_words_limit = std::chrono::seconds(1);

}  // namespace

Loop::Loop(OnFailure on_failure) : work_(io_->get_executor()) {
    // Signals are the owner's business.
    sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this, on_failure = std::move(on_failure)] { run(on_failure); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Loop::~Loop() {
    work_.reset();
    if (ended_.get_future().wait_for(last_words_limit) != std::future_status::ready) io_->stop();
    thread_.join();
}

void Loop::run(const OnFailure& on_failure) {
    for (;;) {
        try {
            io_->run();
            break;
        } catch (const std::exception& failure) {
            on_failure(failure.what());
        }
    }
    ended_.set_value();
}

void Loop::run_and_wait(const std::function<void()>& work) {
    std::promise<void> done;
    asio::post(*io_, [&] {
        work();
        done.set_value();
    });
    done.get_future().wait();
}

Loops::Loops(std::size_t threads, std::size_t useful, const Loop::OnFailure& on_failure) {
    if (threads == 0)
        threads =
            std::clamp<std::size_t>(std::thread::hardware_concurrency() / 2, 1, automatic_max);
    threads = std::min({threads, useful, loops_max});
    if (threads <= 1) return;
    for (std::size_t i = 0; i < threads; ++i) loops_.push_back(std::make_unique<Loop>(on_failure));
}

Loop* Loops::pick() const {
    const auto least = std::ranges::min_element(loops_, {}, &Loop::uses);
    return least == loops_.end() ? nullptr : least->get();
}

Loop* Loops::pick(std::size_t index) const {
    return loops_.empty() ? nullptr : loops_[index % loops_.size()].get();
}

}  // namespace umbra::gateway
