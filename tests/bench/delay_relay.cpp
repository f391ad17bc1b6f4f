// A long line between two ends on one machine:
//   delay_relay PORT TARGET_PORT DELAY_MS MBIT_PER_S
// Passes TCP connections on. Each byte arrives DELAY_MS after it has left, and a direction of all
// connections together carries MBIT_PER_S. Loss is not imitated: TCP ends here on both sides.

#include "sockets.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <list>
#include <memory>
#include <poll.h>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;
constexpr std::size_t chunk_bytes = 64u << 10;
constexpr std::size_t router_bytes = 2u << 20;  ///< Queued beyond what is under way.

/// One direction of the line, shared by all connections.
struct Line {
    Clock::duration delay{};
    double bytes_per_second = 0;
    Time free{};  ///< When all that was given to it has left.

    /// When the last of these bytes arrives.
    Time carry(std::size_t bytes, Time now) {
        const std::chrono::duration<double> takes(static_cast<double>(bytes) / bytes_per_second);
        free = std::max(free, now) + std::chrono::duration_cast<Clock::duration>(takes);
        return free + delay;
    }
    [[nodiscard]] std::size_t holds() const {
        return router_bytes + static_cast<std::size_t>(
                                  bytes_per_second * std::chrono::duration<double>(delay).count());
    }
};

struct Chunk {
    Time due;
    std::unique_ptr<char[]> data;
    std::size_t size = 0, sent = 0;  ///< Nothing in it: the end.
};

/// What goes from one socket of a connection to the other.
class Direction {
public:
    Direction(int from, int to, Line& line) : from_(from), to_(to), line_(line) {}

    [[nodiscard]] bool wants_read() const { return !ended_ && queued_ < line_.holds(); }
    [[nodiscard]] bool wants_write(Time now) const {
        return !queue_.empty() && queue_.front().due <= now;
    }
    [[nodiscard]] bool finished() const { return ended_ && queue_.empty(); }
    [[nodiscard]] Time due() const { return queue_.empty() ? Time::max() : queue_.front().due; }

    /// @return false when the connection broke.
    bool read(Time now) {
        while (wants_read()) {
            auto data = std::make_unique_for_overwrite<char[]>(chunk_bytes);
            const ssize_t got = ::recv(from_, data.get(), chunk_bytes, 0);
            if (got < 0) return errno == EAGAIN;
            const auto size = static_cast<std::size_t>(got);
            ended_ = size == 0;
            queued_ += size;
            queue_.push_back({line_.carry(size, now), std::move(data), size});
        }
        return true;
    }
    bool write(Time now) {
        while (wants_write(now)) {
            Chunk& chunk = queue_.front();
            if (chunk.size == 0) {
                ::shutdown(to_, SHUT_WR);
                queue_.pop_front();
                continue;
            }
            const ssize_t sent =
                ::send(to_, chunk.data.get() + chunk.sent, chunk.size - chunk.sent, MSG_NOSIGNAL);
            if (sent < 0) return errno == EAGAIN;
            chunk.sent += static_cast<std::size_t>(sent);
            queued_ -= static_cast<std::size_t>(sent);
            if (chunk.sent == chunk.size) queue_.pop_front();
        }
        return true;
    }

private:
    int from_, to_;
    Line& line_;
    std::deque<Chunk> queue_;
    std::size_t queued_ = 0;
    bool ended_ = false;
};

struct Connection {
    int near, far;
    Direction there, back;

    Connection(int near_fd, int far_fd, Line& out, Line& in)
        : near(near_fd), far(far_fd), there(near_fd, far_fd, out), back(far_fd, near_fd, in) {}
    Connection(const Connection&) = delete;
    ~Connection() {
        ::close(near);
        ::close(far);
    }
    /// @return false when it is over.
    bool turn(Time now) {
        return there.read(now) && back.read(now) && there.write(now) && back.write(now) &&
               !(there.finished() && back.finished());
    }
    void watch(std::vector<pollfd>& polls, Time now) const {
        const auto wants = [&](const Direction& in, const Direction& out) {
            return static_cast<short>((in.wants_read() ? POLLIN : 0) |
                                      (out.wants_write(now) ? POLLOUT : 0));
        };
        // A negative one is passed over: nothing is wanted of it, not even news of its end.
        const short near_wants = wants(there, back), far_wants = wants(back, there);
        polls.push_back({near_wants != 0 ? near : -1, near_wants, 0});
        polls.push_back({far_wants != 0 ? far : -1, far_wants, 0});
    }
};

}  // namespace

int main(int count, char** arguments) {
    if (count < 5) {
        std::fputs("delay_relay PORT TARGET_PORT DELAY_MS MBIT_PER_S\n", stderr);
        return 2;
    }
    const int listener = bench::listen_on(bench::port_of(arguments[1]));
    const std::uint16_t target = bench::port_of(arguments[2]);
    const std::chrono::duration<double, std::milli> delay{std::strtod(arguments[3], nullptr)};
    Line out{std::chrono::duration_cast<Clock::duration>(delay),
             std::strtod(arguments[4], nullptr) * 1e6 / 8};
    Line in = out;
    std::list<Connection> connections;
    for (;;) {
        if (const int near = bench::accept_from(listener); near >= 0) {
            const int far = bench::connect_to(target);
            ::fcntl(far, F_SETFL, O_NONBLOCK);
            connections.emplace_back(near, far, out, in);
        }
        const Time now = Clock::now();
        connections.remove_if([&](Connection& connection) { return !connection.turn(now); });
        std::vector<pollfd> polls{{listener, POLLIN, 0}};
        Time due = Time::max();
        for (const auto& connection : connections) {
            connection.watch(polls, now);
            for (const Direction* way : {&connection.there, &connection.back})
                if (way->due() > now) due = std::min(due, way->due());
        }
        timespec wait{};
        if (due != Time::max()) {
            const auto left = std::max(due - Clock::now(), Clock::duration::zero());
            wait.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(left).count();
            wait.tv_nsec = (left % std::chrono::seconds(1)).count();
        }
        ::ppoll(polls.data(), polls.size(), due == Time::max() ? nullptr : &wait, nullptr);
    }
}
