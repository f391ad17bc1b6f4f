#pragma once

#include <boost/asio/ip/tcp.hpp>

#include <string_view>

namespace umbra::gateway {

struct Context;

/// Connections that end at the same time and are still listened to; one more is closed at once.
inline constexpr std::size_t farewells_max = 256;

/// Says the last words and closes so that they arrive: a connection that is closed with unread
/// bytes in it is reset, and the reset can overtake what was sent (RFC 9112, 9.6). So what the
/// client still sends is dropped for a moment, or until it closes.
void farewell(Context& context, boost::asio::ip::tcp::socket socket, std::string_view words);

}  // namespace umbra::gateway
