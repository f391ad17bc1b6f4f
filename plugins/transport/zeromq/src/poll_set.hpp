#pragma once

#include "settings.hpp"

#include <zmq.hpp>

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <system_error>
#include <vector>

namespace umbra::zeromq {

/// What the socket thread waits for, and what of it woke the thread. A socket of libzmq is asked
/// once a turn, because each time costs system calls: zmq_poll() would ask twice, and reading what
/// has nothing is asking too.
class PollSet {
public:
    /// @throws zmq::error_t
    void add(zmq::socket_t& socket, short events = ZMQ_POLLIN) {
        // Its descriptor tells of changes since it was last asked, so it is asked here.
        const bool ready = (socket.get(zmq::sockopt::events) & events) != 0;
        if (ready) until_ = TimePoint::min();
        items_.push_back({socket.get(zmq::sockopt::fd), POLLIN, 0});
        sockets_.push_back({socket.handle(), items_.size() - 1, ready});
    }
    void add(int fd, short events = POLLIN) { items_.push_back({fd, events, 0}); }
    void until(TimePoint when) { until_ = std::min(until_, when); }

    /// @throws std::system_error  other than an interrupted wait.
    void wait() {
        const auto left = until_ == TimePoint::min()
                              ? Millis{}
                              : std::chrono::ceil<Millis>(until_ - Clock::now());
        const int limit = static_cast<int>(std::max<long>(0, left.count()));
        if (::poll(items_.data(), items_.size(), limit) < 0 && errno != EINTR)
            throw std::system_error{errno, std::generic_category(), "poll"};
    }

    /// After wait(): whether there may be something to read. False for what was not added.
    [[nodiscard]] bool has(zmq::socket_t& socket) const {
        return std::any_of(sockets_.begin(), sockets_.end(), [&](const Asked& asked) {
            return asked.socket == socket.handle() &&
                   (asked.ready || items_[asked.item].revents != 0);
        });
    }
    [[nodiscard]] bool has(int fd) const {
        return std::any_of(items_.begin(), items_.end(),
                           [&](const pollfd& item) { return item.fd == fd && item.revents != 0; });
    }

private:
    struct Asked {
        const void* socket;
        std::size_t item;  ///< Its descriptor.
        bool ready;        ///< Without waiting.
    };
    std::vector<pollfd> items_;
    std::vector<Asked> sockets_;
    TimePoint until_ = Clock::now() + tick;
};

}  // namespace umbra::zeromq
