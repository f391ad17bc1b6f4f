#pragma once

#include <umbra/sdk/result.hpp>

#include <string>
#include <string_view>

namespace umbra::etcd {

/// One member of the cluster, as a URL names it.
struct Endpoint {
    bool tls = false;
    std::string host;  ///< Without brackets.
    std::string port;

    bool operator==(const Endpoint&) const = default;
};

/// Reads "http://host:port" or "https://host:port"; the port may be left out (2379), an IPv6
/// address is in brackets. `invalid` for anything else, a path or a user among it.
Result<Endpoint> parse_endpoint(std::string_view url);
std::string to_string(const Endpoint& endpoint);

}  // namespace umbra::etcd
