#pragma once

#include "permits.hpp"

#include <zmq.hpp>

#include <atomic>
#include <functional>
#include <thread>

namespace umbra::zeromq {

/// Answers libzmq's question "may this key connect?" (ZAP 1.0, RFC 27) on a thread of its own.
///
/// Make it before any other socket of the context. Its thread ends when the context is shut down.
/// An end before that means that nobody is authenticated any more: `on_end` is called and `alive()`
/// is false, and the owner must close everything.
class Zap {
public:
    /// @param judged  Called on the handler's thread after each refusal.
    /// @throws zmq::error_t when the handler's address is taken.
    Zap(zmq::context_t& context, Permits& permits, std::function<void()> judged,
        std::function<void()> on_end);
    ~Zap();
    Zap(const Zap&) = delete;
    Zap& operator=(const Zap&) = delete;

    [[nodiscard]] bool alive() const { return alive_.load(std::memory_order_acquire); }

private:
    void serve(zmq::socket_t socket);
    bool answer_one(zmq::socket_t& socket);

    Permits& permits_;
    std::function<void()> judged_, on_end_;
    std::atomic<bool> alive_{true};
    std::thread thread_;
};

}  // namespace umbra::zeromq
