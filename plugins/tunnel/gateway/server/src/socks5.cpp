#include "socks5.hpp"

#include <umbra/config/values.hpp>

#include <boost/asio/ip/address.hpp>

#include <algorithm>

namespace umbra::gateway {

using namespace std::string_view_literals;

namespace {

constexpr unsigned socks_version = 5;
constexpr unsigned command_connect = 1;
constexpr unsigned address_v4 = 1, address_name = 3, address_v6 = 4;
constexpr std::size_t request_head_bytes = 4;  ///< Version, command, reserved, kind of address.
constexpr std::size_t socks_port_bytes = 2;

/// RFC 1928, section 6.
enum class SocksReply : char {
    ok = 0,
    failure = 1,
    not_allowed = 2,
    network_unreachable = 3,
    host_unreachable = 4,
    refused = 5,
    command_unknown = 7,
    address_unknown = 8,
};

// Bound to 0.0.0.0:0: where it really is, is nobody's business.
constexpr auto socks_accepted = "\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"sv;

std::string socks_answer(SocksReply reply) {
    std::string bytes(socks_accepted);
    bytes[1] = static_cast<char>(reply);
    return bytes;
}

SocksReply reply_of(Refusal refusal) {
    switch (refusal) {
        case Refusal::network:
        case Refusal::denied:
            return SocksReply::not_allowed;
        case Refusal::backend_refused:
            return SocksReply::refused;
        case Refusal::backend_timeout:
            return SocksReply::host_unreachable;
        case Refusal::park_timeout:
            return SocksReply::network_unreachable;
        case Refusal::per_source:
        case Refusal::clients:
        case Refusal::bad_request:
        case Refusal::streams:
        case Refusal::park_full:
            break;
    }
    return SocksReply::failure;
}

template <class Address>
std::string address_text(std::string_view bytes) {
    typename Address::bytes_type raw{};
    std::copy_n(bytes.begin(), raw.size(), raw.begin());
    return Address(raw).to_string();
}

}  // namespace

const Dialect socks5_dialect{
    .accepted = socks_accepted,
    .refused = [](Refusal refusal) { return socks_answer(reply_of(refusal)); },
    // It reads the choice of a method first, whatever it has asked for by then.
    .before_request = "\x05\x00"sv,
};

std::size_t Socks5Preamble::feed(std::string_view arrived) {
    std::size_t taken = 0;
    while (state() == State::reading && taken < arrived.size()) {
        const auto count = std::min(needed() - bytes_.size(), arrived.size() - taken);
        bytes_.append(arrived.substr(taken, count));
        taken += count;
        if (byte_at(bytes_, 0) != socks_version) {
            fail();
        } else if (bytes_.size() == needed()) {
            phase_ == Phase::greeting ? read_greeting() : read_request();
        }
    }
    return taken;
}

/// As far as it is known by now; grows as lengths come in.
std::size_t Socks5Preamble::needed() const {
    const auto have = bytes_.size();
    if (phase_ == Phase::greeting) return have < 2 ? 2 : 2 + byte_at(bytes_, 1);
    if (have < request_head_bytes) return request_head_bytes;
    switch (byte_at(bytes_, 3)) {
        case address_v4:
            return request_head_bytes + 4 + socks_port_bytes;
        case address_v6:
            return request_head_bytes + 16 + socks_port_bytes;
        case address_name:
            return have == request_head_bytes
                       ? request_head_bytes + 1
                       : request_head_bytes + 1 + byte_at(bytes_, request_head_bytes) +
                             socks_port_bytes;
        default:
            return request_head_bytes;
    }
}

void Socks5Preamble::read_greeting() {
    const bool open = bytes_.find('\0', 2) != std::string::npos;
    if (!open) return fail("\x05\xff");
    say("\x05\x00"sv);
    phase_ = Phase::request;
    bytes_.clear();
}

void Socks5Preamble::read_request() {
    const std::string_view bytes = bytes_;
    std::string host;
    switch (byte_at(bytes, 3)) {
        case address_v4:
            host = address_text<boost::asio::ip::address_v4>(bytes.substr(request_head_bytes));
            break;
        case address_v6:
            host = "[" +
                   address_text<boost::asio::ip::address_v6>(bytes.substr(request_head_bytes)) +
                   "]";
            break;
        case address_name:
            host = bytes.substr(request_head_bytes + 1, byte_at(bytes, request_head_bytes));
            break;
        default:
            return fail(socks_answer(SocksReply::address_unknown));
    }
    if (byte_at(bytes, 1) != command_connect)
        return fail(socks_answer(SocksReply::command_unknown));
    const auto port = byte_at(bytes, bytes.size() - 2) << 8 | byte_at(bytes, bytes.size() - 1);
    const auto wanted = config::parse_endpoint(host + ":" + std::to_string(port));
    // A name in brackets, or with a port of its own, is none.
    const bool plain = byte_at(bytes, 3) != address_name || host.find_first_of("[]:") == host.npos;
    if (!wanted || !plain) return fail(socks_answer(SocksReply::failure));
    want(wanted.value().host, wanted.value().port);
}

}  // namespace umbra::gateway
