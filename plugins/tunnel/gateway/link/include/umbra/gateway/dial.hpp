#pragma once

#include <umbra/sdk/result.hpp>
#include <umbra/sdk/time.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace umbra::gateway {

struct Endpoint {
    std::string host;
    std::uint16_t port = 0;

    auto operator<=>(const Endpoint&) const = default;
};
[[nodiscard]] std::string to_text(const Endpoint& endpoint);
/// "host:port", "[2001:db8::1]:443".
[[nodiscard]] Result<Endpoint> parse_endpoint(std::string_view text);

/// One attempt to connect: looks the name up and tries its addresses, within one time limit.
/// Belongs to the thread of its io_context.
class Dial : public std::enable_shared_from_this<Dial> {
public:
    /// The failure's code is `timeout`, `refused` or `unavailable`; its text names the endpoint.
    using Outcome = std::function<void(Result<boost::asio::ip::tcp::socket>)>;

    /// Why an address that the name led to must not be dialed; empty: it may. Where all are
    /// forbidden, the failure's code is `denied`.
    using Forbids = std::function<std::string(const boost::asio::ip::address&)>;

    /// @param outcome  Called once, later, unless canceled.
    static std::shared_ptr<Dial> start(boost::asio::io_context& io, Endpoint to, Duration timeout,
                                       Outcome outcome, Forbids forbids = {});
    void cancel();

    explicit Dial(boost::asio::io_context& io) : resolver_(io), socket_(io), timer_(io) {}

private:
    void run(Endpoint to, Duration timeout);
    void connect(std::vector<boost::asio::ip::tcp::endpoint> addresses);
    void finish(Result<boost::asio::ip::tcp::socket> result);
    void fail(const boost::system::error_code& error);

    boost::asio::ip::tcp::resolver resolver_;
    boost::asio::ip::tcp::socket socket_;
    boost::asio::steady_timer timer_;
    std::string name_;
    Outcome outcome_;
    Forbids forbids_;
};

}  // namespace umbra::gateway
