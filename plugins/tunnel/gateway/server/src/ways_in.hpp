#pragma once

#include "client.hpp"
#include "context.hpp"
#include "settings.hpp"

#include <boost/json/object.hpp>

#include <functional>
#include <memory>
#include <set>
#include <string>

namespace umbra::gateway {

/// How cloud clients come in: by a listener, by SOCKS5 or by HTTP CONNECT. Takes accepted
/// connections, lets in who may come, finds out where each one wants to go, and hands it on.
///
/// Threads: none of its own; everything on the loop of the context.
class WaysIn {
public:
    using Serve = std::function<void(const std::string& pair, std::shared_ptr<Client>)>;

    WaysIn(Context& context, Serve serve);

    /// Takes over allowed networks and limits of the settings of the context.
    void configure();

    /// @param port  of the listener, as it stands in its settings
    void listener(const std::string& name, std::uint16_t port, boost::asio::ip::tcp::socket socket);
    void socks5(boost::asio::ip::tcp::socket socket);
    void http_connect(boost::asio::ip::tcp::socket socket);

    /// What came by a way in: counts for `status --json`.
    [[nodiscard]] boost::json::object status(const std::string& way) const;

private:
    void proxied(const ListenerSettings& settings, std::shared_ptr<Client> client);
    template <class Request>
    void request(const std::string& way, const Dialect& dialect,
                 boost::asio::ip::tcp::socket socket);

    Context& context_;
    Serve serve_;
    std::set<std::string> ways_;
};

/// Places for clients when so many files may be open: the rest is kept for links, for the disk, for
/// the admin socket, and for telling clients that there is no place.
[[nodiscard]] std::size_t places_for(std::size_t descriptors);

}  // namespace umbra::gateway
