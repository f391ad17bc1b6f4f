#pragma once

#include "settings.hpp"

#include <zmq.hpp>

#include <algorithm>
#include <vector>

namespace umbra::zeromq {

/// What the socket thread waits for, and what of it woke the thread: a socket that has nothing is
/// not asked again, which costs system calls of libzmq each time.
class PollSet {
public:
    void add(zmq::socket_t& socket, short events = ZMQ_POLLIN) {
        items_.push_back({socket.handle(), 0, events, 0});
    }
    void add(int fd, short events = ZMQ_POLLIN) { items_.push_back({nullptr, fd, events, 0}); }
    void until(TimePoint when) { until_ = std::min(until_, when); }

    /// @throws zmq::error_t  other than an interrupted wait.
    void wait() {
        const auto left = std::chrono::ceil<Millis>(until_ - Clock::now());
        if (::zmq_poll(items_.data(), static_cast<int>(items_.size()),
                       std::max<long>(0, left.count())) < 0 &&
            ::zmq_errno() != EINTR)
            throw zmq::error_t{};
    }

    /// After wait(): whether there is something to read. False for what was not added.
    [[nodiscard]] bool has(zmq::socket_t& socket) const {
        return std::any_of(items_.begin(), items_.end(), [&](const zmq_pollitem_t& item) {
            return item.socket == socket.handle() && (item.revents & ZMQ_POLLIN) != 0;
        });
    }
    [[nodiscard]] bool has(int fd) const {
        return std::any_of(items_.begin(), items_.end(), [&](const zmq_pollitem_t& item) {
            return item.socket == nullptr && item.fd == fd && item.revents != 0;
        });
    }

private:
    std::vector<zmq_pollitem_t> items_;
    TimePoint until_ = Clock::now() + tick;
};

}  // namespace umbra::zeromq
