#pragma once

#include <umbra/sdk/tunnel.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <utility>
#include <vector>

namespace umbra::supervised {

/// Activations that wait for their answer: all of them get the same, and a failure that says what
/// is missing shortly before the host would give up. What was begun goes on after that.
class Activations {
public:
    /// @param why  What is missing, when it is asked for.
    Activations(boost::asio::io_context& io, std::function<std::string()> why)
        : timer_(io), why_(std::move(why)) {}

    void add(Reply<Done> reply) {
        if (const auto deadline = reply.deadline_ns(); deadline != 0 && replies_.empty()) {
            timer_.expires_at(std::chrono::steady_clock::time_point{Duration{deadline} - margin});
            timer_.async_wait([this](boost::system::error_code error) {
                if (!error) fail(Errc::unavailable, why_());
            });
        }
        replies_.push_back(std::move(reply));
    }
    void ok() {
        timer_.cancel();
        for (auto& reply : std::exchange(replies_, {})) reply.ok();
    }
    void fail(Errc code, const std::string& text) {
        timer_.cancel();
        for (auto& reply : std::exchange(replies_, {})) reply.fail(code, text);
    }

private:
    static constexpr Duration margin = std::chrono::milliseconds{100};

    boost::asio::steady_timer timer_;
    std::function<std::string()> why_;
    std::vector<Reply<Done>> replies_;
};

}  // namespace umbra::supervised
