#pragma once

#include "proxy.hpp"
#include <umbra/gateway/dial.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <memory>
#include <optional>
#include <string>

namespace umbra::gateway {

/// How the gateway is reached.
struct Route {
    Endpoint gateway;
    std::optional<Proxy> proxy{};
};

/// One attempt to reach the gateway, directly or through a proxy, within one time limit. Belongs to
/// the thread of its io_context.
class GatewayDial : public std::enable_shared_from_this<GatewayDial> {
public:
    /// As of `Dial`; a proxy that refuses is `refused`.
    using Outcome = Dial::Outcome;

    /// @param outcome  Called once, later, unless canceled.
    static std::shared_ptr<GatewayDial> start(boost::asio::io_context& io, Route route,
                                              Duration timeout, Outcome outcome);
    void cancel();

    GatewayDial(boost::asio::io_context& io, Route route);

private:
    void on_proxy(boost::asio::ip::tcp::socket socket);
    void read();
    void finish(Result<boost::asio::ip::tcp::socket> result);

    const Route route_;
    Outcome outcome_;
    std::shared_ptr<Dial> dial_;
    boost::asio::ip::tcp::socket socket_;  ///< To the proxy.
    boost::asio::steady_timer timer_;
    std::string request_;
    std::optional<ConnectAnswer> answer_;
    std::array<char, 1024> buffer_{};
};

}  // namespace umbra::gateway
