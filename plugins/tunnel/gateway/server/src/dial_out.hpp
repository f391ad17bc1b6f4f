#pragma once

#include <umbra/config/values.hpp>
#include <umbra/sdk/result.hpp>
#include <umbra/sdk/time.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <string>

namespace umbra::gateway {

/// One attempt to connect to a service at the gateway's side: looks the name up and tries its
/// addresses, within one time limit. Belongs to the thread of its io_context.
class DialOut : public std::enable_shared_from_this<DialOut> {
public:
    /// The failure's code is `timeout` or `refused`; its text names the endpoint.
    using Outcome = std::function<void(Result<boost::asio::ip::tcp::socket>)>;

    /// @param outcome  Called once, later, unless canceled.
    static std::shared_ptr<DialOut> start(boost::asio::io_context& io, const config::Endpoint& to,
                                          Duration limit, Outcome outcome);
    void cancel();

    explicit DialOut(boost::asio::io_context& io) : resolver_(io), socket_(io), timer_(io) {}

private:
    void resolve(const config::Endpoint& to);
    void connect(std::vector<boost::asio::ip::tcp::endpoint> addresses);
    void finish(const boost::system::error_code& error);

    boost::asio::ip::tcp::resolver resolver_;
    boost::asio::ip::tcp::socket socket_;
    boost::asio::steady_timer timer_;
    std::string name_;
    Outcome outcome_;
};

}  // namespace umbra::gateway
