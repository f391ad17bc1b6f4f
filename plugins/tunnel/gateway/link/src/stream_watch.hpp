#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstdint>
#include <functional>
#include <memory>

namespace umbra::gateway {

/// Watches the sockets of a link's users: one edge-triggered epoll of its own below the loop's.
///
/// A socket is registered once and costs the loop nothing while it is idle: no pending operation,
/// and no system call to wait for it again. An edge is told once; whoever is told reads or writes
/// until the kernel says "not now". Belongs to the thread of its executor.
class StreamWatch {
public:
    /// What happened to the socket of a stream.
    struct Edge {
        std::uint32_t stream = 0;
        bool readable = false;
        bool writable = false;
        bool ended = false;   ///< Its user sends no more: read until the end is seen.
        bool broken = false;  ///< Nothing can be sent either.
    };
    using OnEdge = std::function<void(const Edge&)>;

    explicit StreamWatch(const boost::asio::any_io_executor& executor) : epoll_(executor) {}

    /// Tells of edges from now on until `stop()`. What waits for them keeps `keep`, whose part this
    /// is; the watch itself does not, or it would never go.
    void start(const std::shared_ptr<void>& keep, OnEdge on_edge);
    /// A socket leaves by being closed. The first one opens the epoll: a connection that never has
    /// a stream costs one descriptor. @return false with errno when the kernel can not watch it.
    [[nodiscard]] bool add(int socket, std::uint32_t stream);
    void stop();

private:
    [[nodiscard]] bool open();
    void wait();
    void turn();

    boost::asio::posix::stream_descriptor epoll_;
    std::weak_ptr<void> keep_;
    OnEdge on_edge_;
};

}  // namespace umbra::gateway
