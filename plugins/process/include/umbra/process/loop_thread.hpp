#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

namespace umbra::process {

/// The one thread of a plugin and its loop. Signals are the host's business: all are blocked in it.
class LoopThread {
public:
    /// What a handler threw; the loop goes on.
    using OnFailure = std::function<void(const std::string&)>;

    explicit LoopThread(OnFailure on_failure);
    /// Ends the loop if nobody did, and waits for the thread.
    ~LoopThread();

    [[nodiscard]] boost::asio::io_context& io() { return io_; }
    /// From any thread; never after finish(). What `work` owns may be movable only.
    template <class F>
    void post(F work) {
        boost::asio::post(io_, [held = std::make_shared<F>(std::move(work))] { (*held)(); });
    }
    /// On the loop: lets it run empty, and then calls `at_end` as the last thing that the thread
    /// does.
    void finish(std::function<void()> at_end);
    /// Waits for the thread. finish() was called, or will be by what the loop still does.
    void join() { thread_.join(); }

private:
    void run(const OnFailure& on_failure);

    boost::asio::io_context io_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
    std::function<void()> at_end_;
    std::thread thread_;
};

}  // namespace umbra::process
