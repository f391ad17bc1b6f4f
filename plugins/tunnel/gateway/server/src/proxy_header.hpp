#pragma once

#include "preamble.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <optional>

namespace umbra::gateway {

/// After the first 16 bytes: addresses and whatever a load balancer adds to them.
inline constexpr std::size_t proxy_header_rest_max = 4096;

/// The PROXY protocol, version 2 (the HAProxy specification), TCP over IPv4 or IPv6: how a load
/// balancer says whose connection it passes on. What stands behind the addresses is skipped.
class ProxyPreamble final : public Preamble {
public:
    std::size_t feed(std::string_view arrived) override;

    /// The client. Nothing for a connection of the load balancer itself, such as a health check.
    /// @pre `state()` is `done`
    [[nodiscard]] const std::optional<boost::asio::ip::tcp::endpoint>& client() const noexcept {
        return client_;
    }

private:
    [[nodiscard]] std::size_t needed() const;
    void read();

    std::string bytes_;
    std::optional<boost::asio::ip::tcp::endpoint> client_;
};

}  // namespace umbra::gateway
