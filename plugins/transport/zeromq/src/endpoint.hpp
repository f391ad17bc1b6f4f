#pragma once

#include <umbra/sdk/result.hpp>

#include <cstdint>
#include <string>

namespace umbra::zeromq {

/// The parts of `tcp://host:port`.
struct Endpoint {
    std::string host;        ///< Without the brackets of an IPv6 address.
    std::uint16_t port = 0;  ///< 0: any (`0` or `*`).
    bool ipv6 = false;       ///< Written with brackets.
};

/// @param may_listen_anywhere  Accept port 0, port `*` and host `*`: right for an own endpoint.
[[nodiscard]] Result<Endpoint> parse_endpoint(const std::string& text, bool may_listen_anywhere);

/// Where this machine itself reaches a bound endpoint: a wildcard address becomes loopback.
[[nodiscard]] std::string reachable_locally(const std::string& bound);

}  // namespace umbra::zeromq
