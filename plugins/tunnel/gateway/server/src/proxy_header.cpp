#include "proxy_header.hpp"

#include <algorithm>

namespace umbra::gateway {

namespace ip = boost::asio::ip;
using namespace std::string_view_literals;

namespace {

constexpr auto proxy_signature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr std::size_t proxy_head_bytes = 16;
constexpr unsigned local_v2 = 0x20, proxy_v2 = 0x21;
constexpr unsigned family_unknown = 0x00, tcp_v4 = 0x11, tcp_v6 = 0x21;

std::uint16_t number_at(std::string_view bytes, std::size_t at) {
    return static_cast<std::uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

/// Source and destination address, source and destination port.
template <class Address>
std::optional<ip::tcp::endpoint> source_in(std::string_view rest) {
    typename Address::bytes_type raw{};
    if (rest.size() < 2 * raw.size() + 4) return std::nullopt;
    std::copy_n(rest.begin(), raw.size(), raw.begin());
    return ip::tcp::endpoint(Address(raw), number_at(rest, 2 * raw.size()));
}

}  // namespace

std::size_t ProxyPreamble::feed(std::string_view arrived) {
    std::size_t taken = 0;
    while (state() == State::reading && taken < arrived.size()) {
        const auto count = std::min(needed() - bytes_.size(), arrived.size() - taken);
        bytes_.append(arrived.substr(taken, count));
        taken += count;
        const auto known = std::min(bytes_.size(), proxy_signature.size());
        if (bytes_.compare(0, known, proxy_signature.substr(0, known)) != 0) {
            fail();
        } else if (bytes_.size() == proxy_head_bytes || bytes_.size() == needed()) {
            read();
        }
    }
    return taken;
}

std::size_t ProxyPreamble::needed() const {
    return bytes_.size() < proxy_head_bytes ? proxy_head_bytes
                                            : proxy_head_bytes + number_at(bytes_, 14);
}

void ProxyPreamble::read() {
    const std::string_view bytes = bytes_;
    const unsigned command = byte_at(bytes, 12), family = byte_at(bytes, 13);
    const std::size_t length = number_at(bytes, 14);
    if ((command != local_v2 && command != proxy_v2) || length > proxy_header_rest_max)
        return fail();
    const auto rest = bytes.substr(proxy_head_bytes);
    if (rest.size() < length) return;  // The length has just come in.
    if (command == local_v2 || family == family_unknown) return finish();
    if (family == tcp_v4) client_ = source_in<ip::address_v4>(rest);
    if (family == tcp_v6) client_ = source_in<ip::address_v6>(rest);
    client_ ? finish() : fail();
}

}  // namespace umbra::gateway
