#pragma once

#include "address_rules.hpp"
#include "backend_order.hpp"
#include "duplex.hpp"
#include "tls_session.hpp"
#include <umbra/gateway/dial.hpp>

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace umbra::gateway {

/// What all connections to internal systems share. Belongs to the loop's thread.
struct BackendPlace {
    boost::asio::io_context& io;
    Duration connect_timeout{};  ///< Of each attempt; TLS included.
    AddressRules rules{};
    BackendOrder order{};
    TlsTrust trust{};
};

/// What a client asked for.
struct BackendTarget {
    std::shared_ptr<const Mapping> mapping;
    int offset = 0;            ///< Place in a port range.
    std::string client{};      ///< "host:port", for the PROXY header.
    std::string asked_host{};  ///< Virtual host, likewise.
};

/// A connection to a backend: the PROXY header is sent, TLS is up and verified, as its mapping
/// says.
struct BackendConnection {
    boost::asio::ip::tcp::socket socket;
    Endpoint backend;
    std::unique_ptr<TlsSession> tls;  ///< Null: plain.

    [[nodiscard]] std::unique_ptr<Duplex> duplex() &&;
};

/// Connects to one of the backends of a mapping, for one client; one that fails is followed by the
/// next. Belongs to the loop's thread.
class BackendDial : public std::enable_shared_from_this<BackendDial> {
public:
    /// The failure's code is `denied` (a name led where it must not), `timeout` or another.
    using Outcome = std::function<void(Result<BackendConnection>)>;

    /// @param place    Outlives the dial.
    /// @param outcome  Called once, later, unless canceled.
    static std::shared_ptr<BackendDial> start(BackendPlace& place, BackendTarget target,
                                              Outcome outcome);
    void cancel();

    BackendDial(BackendPlace& place, BackendTarget target, Outcome outcome);

private:
    void next();
    void on_connected(boost::asio::ip::tcp::socket socket);
    void start_tls(BackendConnection connection);
    boost::asio::awaitable<std::string> handshake(BackendConnection& connection);
    void attempt_failed(Error error);
    void finish(Result<BackendConnection> result);

    BackendPlace& place_;
    const BackendTarget target_;
    Outcome outcome_;
    std::vector<Endpoint> left_;  ///< To be tried, the next one last.
    std::size_t tried_ = 0;
    Endpoint at_;
    std::shared_ptr<Dial> dial_;
    std::shared_ptr<BackendConnection> shaking_;  ///< While TLS begins.
    boost::asio::steady_timer timer_;
};

}  // namespace umbra::gateway
