#pragma once

#include "backoff.hpp"
#include <umbra/gateway/dial.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>

namespace umbra::gateway {

/// Longest pause between two attempts to open a port.
inline constexpr Duration port_retry_max = std::chrono::seconds(5);

/// A TCP port of a service channel: opened, and while that fails tried again with back-off. A name
/// is looked up at each attempt, and its first address is taken. Belongs to the loop's thread.
class ChannelPort : public std::enable_shared_from_this<ChannelPort> {
public:
    struct Events {
        std::function<void(boost::asio::ip::tcp::socket)> on_socket{};
        std::function<void()> on_change{};  ///< `trouble()` changed.
    };

    static std::shared_ptr<ChannelPort> open(boost::asio::io_context& io, Endpoint at,
                                             Events events);
    /// Who was accepted stays; nothing is called any more.
    void close();

    /// Why it is not open, and when it is tried again; empty while it is.
    [[nodiscard]] const std::string& trouble() const noexcept { return trouble_; }
    /// As bound; 0 while it is not open.
    [[nodiscard]] std::uint16_t port() const;

    ChannelPort(boost::asio::io_context& io, Endpoint at);

private:
    void attempt();
    void listen(const boost::asio::ip::tcp::endpoint& address);
    void accept();
    void later(const std::string& why);
    void wait(Duration pause, std::function<void()> then);
    void tell(std::string trouble);

    boost::asio::ip::tcp::resolver resolver_;
    boost::asio::ip::tcp::acceptor acceptor_;
    boost::asio::steady_timer timer_;
    const Endpoint at_;
    std::optional<Events> events_;  ///< Nothing once it is closed.
    std::string trouble_;
    Backoff backoff_{port_retry_max};
    std::minstd_rand random_;
};

}  // namespace umbra::gateway
