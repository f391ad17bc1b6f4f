#include <umbra/process/loop_thread.hpp>

#include <csignal>
#include <exception>
#include <pthread.h>

namespace umbra::process {

LoopThread::LoopThread(OnFailure on_failure) : work_(io_.get_executor()) {
    sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this, on_failure = std::move(on_failure)] { run(on_failure); });
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

LoopThread::~LoopThread() {
    if (!thread_.joinable()) return;
    boost::asio::post(io_, [this] { work_.reset(); });
    thread_.join();
}

void LoopThread::finish(std::function<void()> at_end) {
    at_end_ = std::move(at_end);
    work_.reset();
}

void LoopThread::run(const OnFailure& on_failure) {
    for (;;) {
        try {
            io_.run();
            break;
        } catch (const std::exception& failure) {
            // Of one handler; whoever waited for it was answered by its dropped reply.
            on_failure(failure.what());
        }
    }
    if (at_end_) at_end_();
}

}  // namespace umbra::process
