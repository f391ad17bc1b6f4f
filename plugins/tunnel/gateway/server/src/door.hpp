#pragma once

#include "context.hpp"
#include <umbra/base/log.hpp>
#include <umbra/config/values.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <string>

namespace umbra::gateway {

/// A TCP port that is listened on. Belongs to the loop of the context; accepts until destroyed.
class Door {
public:
    using OnSocket = std::function<void(boost::asio::ip::tcp::socket)>;

    /// @param what  For messages: "listener crm".
    static Result<std::unique_ptr<Door>> open(Context& context, std::string what,
                                              const config::Endpoint& address, OnSocket on_socket);

    void close();
    /// As bound: port 0 is replaced by the real one.
    [[nodiscard]] const std::string& address() const noexcept { return address_; }

private:
    Door(Context& context, std::string what, OnSocket on_socket);
    void accept();

    boost::asio::ip::tcp::acceptor acceptor_;
    boost::asio::steady_timer pause_;
    std::string what_;
    std::string address_;
    OnSocket on_socket_;
    base::RateLimit log_{std::chrono::seconds{10}};
};

}  // namespace umbra::gateway
