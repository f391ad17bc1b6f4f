#pragma once

#include "duplex.hpp"

#include <functional>
#include <memory>
#include <string>

namespace umbra::gateway {

/// Stands between a stream and a backend where bytes are not passed as they are: TLS, HTTP. The
/// stream has one end of a socket pair, the relay the other. Belongs to the loop's thread; keeps
/// itself alive until it is over.
///
/// After a fault the relay keeps its end of the pair open until `abort()`: a stream that saw it
/// close before it is reset would take the fault for an end in order.
class Relay {
public:
    /// Exactly once, not from inside `start_…`. Empty: both directions ended in order; else the
    /// stream is to be reset with this.
    using Over = std::function<void(std::string why)>;

    virtual ~Relay() = default;
    /// The stream is over: lets go of everything, now. `Over` follows, unless it came before.
    virtual void abort() = 0;
    /// The mappings changed. @return false: what goes on is no longer permitted.
    [[nodiscard]] virtual bool still_permitted() { return true; }
};

/// Bytes as they are between the two, half-closes and faults as well.
[[nodiscard]] std::shared_ptr<Relay> start_byte_relay(boost::asio::io_context& io,
                                                      std::unique_ptr<Duplex> stream,
                                                      std::unique_ptr<Duplex> backend,
                                                      Relay::Over over);

/// Bytes one way until `from` ends, then its end.
/// @return what went wrong; empty: nothing.
[[nodiscard]] boost::asio::awaitable<std::string> pump(Duplex& from, Duplex& to);

/// Two connected sockets of which one looks like TCP, as a stream needs it.
struct SocketPair {
    boost::asio::ip::tcp::socket stream;
    std::unique_ptr<Duplex> relay;

    [[nodiscard]] static Result<SocketPair> make(boost::asio::io_context& io);
};

}  // namespace umbra::gateway
