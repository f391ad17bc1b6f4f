#pragma once

#include <umbra/sdk/result.hpp>

#include <netinet/in.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <vector>

namespace umbra::tcp_probe {

struct Endpoint {
    std::string host;  ///< Name or number, IPv6 without brackets.
    std::string port;  ///< A number from 1 to 65535.
};

/// Takes "host:port" or "[ipv6]:port" apart. `invalid` when it is neither.
Result<Endpoint> parse_endpoint(std::string_view text);

/// An address to connect to, and how people write it ("127.0.0.1:8000").
struct Address {
    sockaddr_storage raw{};
    socklen_t size = 0;
    std::string text;
};

/// The addresses of an endpoint whose host is a number; empty when it is a name. Does not block.
std::vector<Address> numeric_addresses(const Endpoint& endpoint);

/// Asks the system's resolver, which may block for many seconds. `unavailable` with the resolver's
/// own words when it has no answer.
Result<std::vector<Address>> resolve(const Endpoint& endpoint);

}  // namespace umbra::tcp_probe
