#pragma once

#include <umbra/gateway/open.hpp>
#include <umbra/sdk/time.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <functional>
#include <string>

namespace umbra::gateway {

/// A connection of a cloud client until its stream takes it over. None of its bytes is read before
/// the far side said yes, so until then it can be sent elsewhere or wait.
struct Client {
    explicit Client(boost::asio::ip::tcp::socket connection) : socket(std::move(connection)) {}

    boost::asio::ip::tcp::socket socket;
    std::string address;  ///< "host:port"
    std::string host;     ///< Virtual, what it wants.
    std::uint16_t port = 0;
    /// What the client is told in the protocol that it came by; null: nothing.
    std::function<std::string(StatusCode)> answer;

    Instant deadline;              ///< Waits no longer than this.
    std::uint64_t not_before = 0;  ///< Activation that has to come first.
    unsigned attempts = 0;
    bool parked = false;
    bool settled = false;  ///< Served, or turned away.
};

/// "host:port" of the other end, for logs; "unknown" when it is gone already.
[[nodiscard]] std::string peer_of(const boost::asio::ip::tcp::socket& socket);
[[nodiscard]] std::string to_text(const boost::asio::ip::tcp::endpoint& endpoint);
/// Closes with a reset, so that the client knows at once and does not take it for an empty answer.
void abort_connection(boost::asio::ip::tcp::socket& socket);
/// Tells the client in its own protocol, where it has one, and closes.
void turn_away(Client& client, StatusCode code);

}  // namespace umbra::gateway
