#pragma once

#include "duplex.hpp"
#include <umbra/sdk/time.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <functional>
#include <memory>
#include <utility>

namespace umbra::gateway {

/// Something that one coroutine waits for and another one announces.
class Announcement {
public:
    explicit Announcement(boost::asio::io_context& io)
        : timer_(io, boost::asio::steady_timer::time_point::max()) {}
    void make() {
        made_ = true;
        timer_.cancel();
    }
    [[nodiscard]] boost::asio::awaitable<void> wait() {
        while (!made_)
            co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }
    [[nodiscard]] bool made() const noexcept { return made_; }

private:
    boost::asio::steady_timer timer_;
    bool made_ = false;
};

/// Closes a connection when something takes too long; whoever waits for it then finds `expired`.
class Deadline {
public:
    /// @param holds  Asked when the time is over: true begins it anew.
    Deadline(boost::asio::steady_timer& timer, Duration limit, Duplex& duplex, bool& expired,
             std::function<bool()> holds = {})
        : timer_(timer) {
        expired = false;
        if (limit > Duration::zero()) arm(limit, duplex, expired, std::move(holds));
    }
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;
    ~Deadline() {
        *live_ = false;
        timer_.cancel();
    }

private:
    void arm(Duration limit, Duplex& duplex, bool& expired, std::function<bool()> holds) {
        timer_.expires_after(limit);
        // A timer that is canceled too late still comes, when all of this may be gone.
        timer_.async_wait([this, live = live_, limit, &duplex, &expired,
                           holds = std::move(holds)](boost::system::error_code error) {
            if (error || !*live) return;
            if (holds && holds()) return arm(limit, duplex, expired, holds);
            expired = true;
            duplex.close(true);
        });
    }
    boost::asio::steady_timer& timer_;
    std::shared_ptr<bool> live_ = std::make_shared<bool>(true);
};

}  // namespace umbra::gateway
