#pragma once

#include <umbra/sdk/tunnel.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace umbra::ssh_tunnel {

/// Forwards of one tunnel; what is beyond is not served, and said.
inline constexpr std::size_t forwards_max = 256;

/// One port forward of the session: a listener on one side that leads to an address on the other.
struct Forward {
    enum class Kind { remote, local };  ///< Who listens: the server (-R), this host (-L).
    Kind kind = Kind::remote;
    std::string listen_host;
    std::uint16_t listen_port = 0;
    std::string connect_host;
    std::uint16_t connect_port = 0;
    std::string owner;  ///< "mapping crm", for people.

    auto operator<=>(const Forward&) const = default;
};

/// What a specification means for ssh.
struct Plan {
    std::vector<Forward> forwards;
    std::vector<std::string> refusals;  ///< One sentence for each mapping that is not served.
};

/// Every active tcp mapping becomes a remote forward for each of its ports, every channel a local
/// one. Pure.
/// @param bind  Where the server listens; "virtual": at the mapping's virtual host.
Plan plan_of(const TunnelSpec& spec, const std::string& bind);

/// "127.0.0.1:8080", with brackets around IPv6.
std::string to_text(const std::string& host, std::uint16_t port);

}  // namespace umbra::ssh_tunnel
