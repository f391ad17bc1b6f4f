#pragma once

#include <umbra/sdk/result.hpp>

#include <boost/asio/ip/address.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace umbra::gateway {

/// Which addresses a name may lead to. A name is looked up when a client comes, by a resolver that
/// others may control, so what it answers is checked: loopback, link-local, multicast, unspecified
/// and reserved addresses and the metadata services of clouds are forbidden, in IPv6 clothes too.
/// Pure.
class AddressRules {
public:
    using Address = boost::asio::ip::address;

    AddressRules() = default;
    /// @param permitted  "10.0.0.0/8", "fd00::/8", or single addresses: exceptions of an operator.
    [[nodiscard]] static Result<AddressRules> make(const std::vector<std::string>& permitted);

    /// What `address` is, when it must not be dialed: "a loopback address". Empty: it may.
    /// @param host  What the mapping names. An address in it, and "localhost", were meant.
    [[nodiscard]] std::string forbids(const Address& address, std::string_view host) const;

private:
    struct Network {
        Address base;
        unsigned bits = 0;  ///< Length of the prefix.
    };
    [[nodiscard]] static Result<Network> parse(const std::string& text);
    [[nodiscard]] static bool covers(const Network& network, const Address& address);

    std::vector<Network> permitted_;
};

}  // namespace umbra::gateway
