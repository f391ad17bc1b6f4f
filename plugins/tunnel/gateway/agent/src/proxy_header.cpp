#include "proxy_header.hpp"

#include <umbra/gateway/dial.hpp>

#include <iterator>

namespace umbra::gateway {

namespace ip = boost::asio::ip;

namespace {

constexpr std::uint8_t signature[] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d,
                                      0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
constexpr std::uint8_t version_2_proxy = 0x21;
constexpr std::uint8_t unspecified = 0x00, tcp_over_v4 = 0x11, tcp_over_v6 = 0x21;
constexpr std::uint8_t tlv_authority = 0x02;

void put_u16(Bytes& out, std::size_t value) {
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value));
}

template <class Range>
void put(Bytes& out, const Range& bytes) {
    out.insert(out.end(), std::begin(bytes), std::end(bytes));
}

ip::address_v6 as_v6(const ip::address& address) {
    return address.is_v6() ? address.to_v6() : ip::make_address_v6(ip::v4_mapped, address.to_v4());
}

}  // namespace

std::string_view host_of(std::string_view client) {
    const std::size_t colon = client.rfind(':');
    std::string_view host = colon == std::string_view::npos ? client : client.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
    return host;
}

Bytes proxy_header(std::string_view client, const ip::tcp::endpoint& backend,
                   std::string_view virtual_host) {
    Bytes body;
    std::uint8_t family = unspecified;
    boost::system::error_code error;
    const auto from = parse_endpoint(client);
    const auto source = from ? ip::make_address(from->host, error) : ip::address{};
    if (from && !error) {
        const bool v4 = source.is_v4() && backend.address().is_v4();
        family = v4 ? tcp_over_v4 : tcp_over_v6;
        if (v4) {
            put(body, source.to_v4().to_bytes());
            put(body, backend.address().to_v4().to_bytes());
        } else {
            put(body, as_v6(source).to_bytes());
            put(body, as_v6(backend.address()).to_bytes());
        }
        put_u16(body, from->port);
        put_u16(body, backend.port());
    }
    if (!virtual_host.empty()) {
        body.push_back(tlv_authority);
        put_u16(body, virtual_host.size());
        put(body, virtual_host);
    }
    Bytes out(std::begin(signature), std::end(signature));
    out.push_back(version_2_proxy);
    out.push_back(family);
    put_u16(out, body.size());
    put(out, body);
    return out;
}

}  // namespace umbra::gateway
