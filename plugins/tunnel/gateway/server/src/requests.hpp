#pragma once

#include "client.hpp"
#include "context.hpp"

#include <functional>
#include <memory>

namespace umbra::gateway {

/// Time in which a client has to say where it wants to go, and how long it may take to say it.
inline constexpr Duration request_time_max = std::chrono::seconds{10};
inline constexpr std::size_t http_head_bytes_max = 8 * 1024;

using Serve = std::function<void(std::shared_ptr<Client>)>;

/// SOCKS5 (RFC 1928): no authentication, CONNECT, names and addresses. Reads the request and not
/// one byte more, then calls `serve`; a client that asks for anything else is told so and closed.
void read_socks5(Context& context, boost::asio::ip::tcp::socket socket, Serve serve);

/// HTTP/1.1 CONNECT host:port. Reads the head and not one byte more, then calls `serve`.
void read_http_connect(Context& context, boost::asio::ip::tcp::socket socket, Serve serve);

}  // namespace umbra::gateway
