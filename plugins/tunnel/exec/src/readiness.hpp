#pragma once

#include "options.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <string>

namespace umbra::exec_tunnel {

/// Watches one start of the command until it is ready: by a line, by an address that accepts, or
/// by having run for a while. `on_ready` is called once; never after forget().
///
/// Threads: the loop's.
class Readiness : public std::enable_shared_from_this<Readiness> {
public:
    Readiness(boost::asio::io_context& io, const ExecOptions& options,
              std::function<void()> on_ready);

    void begin();
    void on_line(const std::string& line);
    void forget();
    /// What it waits for: "a line with \"up\"".
    [[nodiscard]] std::string awaited() const;

private:
    void knock();
    void knock_later();
    void check();

    const ExecOptions& options_;
    std::function<void()> on_ready_;
    bool said_, accepts_;  ///< Whether this is fulfilled, or not asked for.
    boost::asio::ip::tcp::resolver resolver_;
    boost::asio::ip::tcp::socket socket_;
    boost::asio::steady_timer timer_;
};

}  // namespace umbra::exec_tunnel
