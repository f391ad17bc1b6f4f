#include "address_rules.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace umbra::gateway {

namespace ip = boost::asio::ip;

namespace {

using V4 = ip::address_v4::bytes_type;
using V6 = ip::address_v6::bytes_type;

/// What an address is, for people; empty when nothing is wrong with it.
std::string kind_of(const V4& a) {
    if (a[0] == 0) return "an unspecified address";
    if (a[0] == 127) return "a loopback address";
    if (a == V4{169, 254, 169, 254} || a == V4{100, 100, 100, 200})
        return "the metadata service of a cloud";
    if (a[0] == 169 && a[1] == 254) return "a link-local address";
    if (a[0] >= 224 && a[0] < 240) return "a multicast address";
    if (a[0] >= 240) return "a reserved or broadcast address";
    return {};
}

/// An IPv4 address inside an IPv6 one leads to where the former does: mapped, compatible
/// (RFC 4291), NAT64 (RFC 6052) and 6to4 (RFC 3056).
bool holds_v4(const V6& a, V4& inner) {
    const auto zero = [&](std::size_t from, std::size_t to) {
        return std::all_of(a.begin() + static_cast<std::ptrdiff_t>(from),
                           a.begin() + static_cast<std::ptrdiff_t>(to),
                           [](auto byte) { return byte == 0; });
    };
    const bool mapped = zero(0, 10) && a[10] == 0xff && a[11] == 0xff;
    const bool compatible = zero(0, 12) && !(zero(12, 15) && a[15] <= 1);
    const bool nat64 = a[0] == 0 && a[1] == 0x64 && a[2] == 0xff && a[3] == 0x9b && zero(4, 12);
    if (mapped || compatible || nat64) {
        std::memcpy(inner.data(), a.data() + 12, 4);
        return true;
    }
    if (a[0] != 0x20 || a[1] != 0x02) return false;
    std::memcpy(inner.data(), a.data() + 2, 4);
    return true;
}

std::string kind_of(const V6& a) {
    constexpr V6 metadata{0xfd, 0, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54};
    const ip::address_v6 address(a);
    if (address.is_unspecified()) return "an unspecified address";
    if (address.is_loopback()) return "a loopback address";
    if (a == metadata) return "the metadata service of a cloud";
    if (address.is_link_local()) return "a link-local address";
    if (address.is_multicast()) return "a multicast address";
    V4 inner{};
    return holds_v4(a, inner) ? kind_of(inner) : std::string{};
}

/// Without the scope, which says nothing about what an address is.
ip::address plain(const ip::address& address) {
    if (!address.is_v6()) return address;
    V4 inner{};
    const V6 bytes = address.to_v6().to_bytes();
    if (address.to_v6().is_v4_mapped() && holds_v4(bytes, inner)) return ip::address_v4(inner);
    return ip::address_v6(bytes);
}

template <class Bytes>
bool same_prefix(const Bytes& a, const Bytes& b, unsigned bits) {
    for (unsigned i = 0; i < bits; ++i) {
        const auto mask = static_cast<unsigned char>(0x80u >> (i % 8));
        if ((a[i / 8] & mask) != (b[i / 8] & mask)) return false;
    }
    return true;
}

}  // namespace

Result<AddressRules::Network> AddressRules::parse(const std::string& text) {
    const Error bad{Errc::invalid,
                    "\"" + text + "\" is not a network such as \"10.0.0.0/8\" or \"fd00::/8\""};
    const std::size_t slash = text.find('/');
    boost::system::error_code error;
    Network network;
    network.base = ip::make_address(text.substr(0, slash), error);
    if (error) return bad;
    const unsigned all = network.base.is_v4() ? 32 : 128;
    network.bits = all;
    if (slash == std::string::npos) return network;
    const char* const end = text.data() + text.size();
    const auto [stop, failed] = std::from_chars(text.data() + slash + 1, end, network.bits);
    if (failed != std::errc{} || stop != end || network.bits > all) return bad;
    return network;
}

Result<AddressRules> AddressRules::make(const std::vector<std::string>& permitted) {
    AddressRules rules;
    for (const std::string& text : permitted) {
        auto network = parse(text);
        if (!network) return network.error();
        rules.permitted_.push_back(*network);
    }
    return rules;
}

bool AddressRules::covers(const Network& network, const Address& address) {
    if (network.base.is_v4() != address.is_v4()) return false;
    if (address.is_v4())
        return same_prefix(network.base.to_v4().to_bytes(), address.to_v4().to_bytes(),
                           network.bits);
    return same_prefix(network.base.to_v6().to_bytes(), address.to_v6().to_bytes(), network.bits);
}

std::string AddressRules::forbids(const Address& address, std::string_view host) const {
    boost::system::error_code no_address;
    (void)ip::make_address(std::string(host), no_address);
    if (!no_address) return {};
    const Address bare = plain(address);
    if (host == "localhost" && bare.is_loopback()) return {};
    if (std::any_of(permitted_.begin(), permitted_.end(),
                    [&](const Network& network) { return covers(network, bare); }))
        return {};
    return bare.is_v4() ? kind_of(bare.to_v4().to_bytes()) : kind_of(bare.to_v6().to_bytes());
}

}  // namespace umbra::gateway
