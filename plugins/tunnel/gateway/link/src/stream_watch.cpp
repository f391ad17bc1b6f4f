#include "stream_watch.hpp"

#include <boost/asio/post.hpp>

#include <array>
#include <cerrno>
#include <sys/epoll.h>
#include <unistd.h>

namespace umbra::gateway {

namespace asio = boost::asio;

namespace {

constexpr std::size_t edges_per_turn = 128;

}  // namespace

void StreamWatch::start(const std::shared_ptr<void>& keep, OnEdge on_edge) {
    keep_ = keep;
    on_edge_ = std::move(on_edge);
}

bool StreamWatch::open() {
    const int fd = ::epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) return false;
    boost::system::error_code error;
    epoll_.assign(fd, error);
    if (error) {
        ::close(fd);
        errno = error.value();
        return false;
    }
    wait();
    return true;
}

bool StreamWatch::add(int socket, std::uint32_t stream) {
    if (!epoll_.is_open() && !open()) return false;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.u32 = stream;
    return ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_ADD, socket, &event) == 0;
}

void StreamWatch::stop() {
    boost::system::error_code ignored;
    epoll_.close(ignored);
    keep_.reset();
}

void StreamWatch::wait() {
    epoll_.async_wait(asio::posix::stream_descriptor::wait_read,
                      [this, keep = keep_.lock()](boost::system::error_code error) {
                          if (!error && !keep_.expired()) turn();
                      });
}

void StreamWatch::turn() {
    const auto keep = keep_.lock();
    std::array<epoll_event, edges_per_turn> events;
    const int count = ::epoll_wait(epoll_.native_handle(), events.data(), events.size(), 0);
    for (int i = 0; i < count && !keep_.expired(); ++i) {
        const auto& [flags, data] = events[static_cast<std::size_t>(i)];
        on_edge_({.stream = data.u32,
                  .readable = (flags & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0,
                  .writable = (flags & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0,
                  .ended = (flags & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0,
                  .broken = (flags & EPOLLERR) != 0});
    }
    if (keep_.expired()) return;
    if (count < static_cast<int>(edges_per_turn)) return wait();
    asio::post(epoll_.get_executor(), [this, keep] {
        if (!keep_.expired()) turn();
    });
}

}  // namespace umbra::gateway
