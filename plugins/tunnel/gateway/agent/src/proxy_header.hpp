#pragma once

#include <umbra/gateway/wire.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <string_view>

namespace umbra::gateway {

/// What stands in front of the bytes towards a backend of `proxy_protocol = "v2"` (PROXY protocol,
/// version 2, as HAProxy defines it): the client's address, and as authority (TLV 0x02) the virtual
/// host that it asked for. Pure.
/// @param client   "203.0.113.9:40000", "[2001:db8::1]:40000". What is no address becomes a header
///                 without one, which tells the backend to take the connection's own.
/// @param backend  Stands as the destination.
[[nodiscard]] Bytes proxy_header(std::string_view client,
                                 const boost::asio::ip::tcp::endpoint& backend,
                                 std::string_view virtual_host);

/// The address in "host:port", without brackets; the whole when there is no port.
[[nodiscard]] std::string_view host_of(std::string_view client);

}  // namespace umbra::gateway
