#pragma once

#include <umbra/sdk/result.hpp>

#include <boost/asio/ip/address.hpp>

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::gateway {

/// An address as 16 bytes: IPv6, and IPv4 as ::ffff:a.b.c.d, so that a client is the same one
/// whichever way the socket shows it.
using AddressBytes = std::array<std::uint8_t, 16>;
[[nodiscard]] AddressBytes bytes_of(const boost::asio::ip::address& address);

/// What counts as one source: an IPv4 address, or the /64 of an IPv6 one, which a single host has
/// to itself.
[[nodiscard]] AddressBytes source_of(const boost::asio::ip::address& address);

/// "10.0.0.0/8" or "2001:db8::/32"; without a slash one address.
class Network {
public:
    /// @return `Errc::invalid` with a sentence; also when bits behind the prefix are set.
    [[nodiscard]] static Result<Network> parse(std::string_view text);

    [[nodiscard]] bool contains(const AddressBytes& address) const noexcept;
    [[nodiscard]] std::string to_text() const;

    bool operator==(const Network&) const = default;

private:
    AddressBytes first_{};
    unsigned bits_ = 0;  ///< Of the 128.
};

/// Source networks that are let in; an empty list lets in everybody.
using Networks = std::vector<Network>;
[[nodiscard]] bool let_in(const Networks& allowed, const boost::asio::ip::address& address);
/// "10.0.0.0/8, ::1/128"; "everybody" for an empty list.
[[nodiscard]] std::string to_text(const Networks& networks);

}  // namespace umbra::gateway
