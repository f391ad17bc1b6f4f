#pragma once

#include "settings.hpp"

#include <zmq.hpp>

#include <algorithm>
#include <vector>

namespace umbra::zeromq {

/// What the socket thread waits for. Only wakes it: afterwards everything is drained anyway.
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

private:
    std::vector<zmq_pollitem_t> items_;
    TimePoint until_ = Clock::now() + tick;
};

}  // namespace umbra::zeromq
