#pragma once

#include "tls_session.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace umbra::gateway {

/// A connection that bytes go through both ways, plain or TLS, for code that waits by co_await.
/// One reader and one writer at a time. Faults are sentences for people.
class Duplex {
public:
    struct Read {
        std::size_t count = 0;  ///< 0 without a fault: the other side ended in order.
        std::string fault{};
    };

    virtual ~Duplex() = default;
    virtual boost::asio::awaitable<Read> read(std::span<char> room) = 0;
    /// All of it. @return what went wrong; empty: nothing.
    virtual boost::asio::awaitable<std::string> write(std::string_view bytes) = 0;
    /// Ends this direction in order; the other goes on.
    virtual boost::asio::awaitable<std::string> finish() = 0;
    /// Nothing has come that was not read: neither bytes nor an end.
    [[nodiscard]] virtual bool is_quiet() = 0;
    /// Now. Whoever waits gets a fault.
    /// @param in_order  Else with a reset, where there is such a thing.
    virtual void close(bool in_order) = 0;
};

[[nodiscard]] std::unique_ptr<Duplex> plain_duplex(boost::asio::ip::tcp::socket socket);
[[nodiscard]] std::unique_ptr<Duplex> local_duplex(
    boost::asio::local::stream_protocol::socket socket);
/// @param tls  After its handshake.
[[nodiscard]] std::unique_ptr<Duplex> tls_duplex(boost::asio::ip::tcp::socket socket,
                                                 std::unique_ptr<TlsSession> tls);

}  // namespace umbra::gateway
