#include "networks.hpp"

#include <algorithm>
#include <charconv>

namespace umbra::gateway {

namespace ip = boost::asio::ip;

namespace {

constexpr unsigned v4_lead_bits = 96;  ///< Of ::ffff:0:0/96.
constexpr unsigned source_bits_v6 = 64;

bool is_v4(const AddressBytes& bytes) {
    const auto lead = bytes.begin() + 10;
    return std::all_of(bytes.begin(), lead, [](auto byte) { return byte == 0; }) &&
           bytes[10] == 0xff && bytes[11] == 0xff;
}

AddressBytes cut_to(AddressBytes bytes, unsigned bits) {
    for (unsigned i = 0; i < bytes.size(); ++i) {
        const unsigned kept = bits <= 8 * i ? 0 : std::min(bits - 8 * i, 8U);
        bytes[i] = static_cast<std::uint8_t>(bytes[i] & ~(0xffU >> kept));
    }
    return bytes;
}

Error bad_network(std::string message) { return Error{Errc::invalid, std::move(message)}; }

}  // namespace

AddressBytes bytes_of(const ip::address& address) {
    if (address.is_v6()) return address.to_v6().to_bytes();
    AddressBytes bytes{};
    bytes[10] = bytes[11] = 0xff;
    const auto four = address.to_v4().to_bytes();
    std::copy(four.begin(), four.end(), bytes.begin() + 12);
    return bytes;
}

AddressBytes source_of(const ip::address& address) {
    const auto bytes = bytes_of(address);
    return is_v4(bytes) ? bytes : cut_to(bytes, source_bits_v6);
}

Result<Network> Network::parse(std::string_view text) {
    const auto slash = text.find('/');
    const std::string host(text.substr(0, slash));
    boost::system::error_code error;
    const auto address = ip::make_address(host, error);
    if (error || host.find('%') != std::string::npos)
        return bad_network(
            "a network is an address with a prefix, such as \"10.0.0.0/8\" or "
            "\"2001:db8::/32\"");
    const unsigned most = address.is_v4() ? 32 : 128;
    unsigned bits = most;
    if (slash != std::string_view::npos) {
        const auto digits = text.substr(slash + 1);
        const auto [end, wrong] =
            std::from_chars(digits.data(), digits.data() + digits.size(), bits);
        if (wrong != std::errc{} || end != digits.data() + digits.size() || bits > most)
            return bad_network("behind the slash stands a number from 0 to " +
                               std::to_string(most));
    }
    Network made;
    made.bits_ = bits + (address.is_v4() ? v4_lead_bits : 0);
    made.first_ = cut_to(bytes_of(address), made.bits_);
    if (made.first_ != bytes_of(address))
        return bad_network("bits behind the prefix are set; did you mean \"" + made.to_text() +
                           "\"?");
    return made;
}

bool Network::contains(const AddressBytes& address) const noexcept {
    return cut_to(address, bits_) == first_;
}

std::string Network::to_text() const {
    if (bits_ >= v4_lead_bits && is_v4(first_)) {
        const ip::address_v4 four(
            ip::address_v4::bytes_type{{first_[12], first_[13], first_[14], first_[15]}});
        return four.to_string() + "/" + std::to_string(bits_ - v4_lead_bits);
    }
    return ip::address_v6(first_).to_string() + "/" + std::to_string(bits_);
}

bool let_in(const Networks& allowed, const ip::address& address) {
    const auto bytes = bytes_of(address);
    return allowed.empty() ||
           std::ranges::any_of(allowed, [&](const Network& one) { return one.contains(bytes); });
}

std::string to_text(const Networks& networks) {
    std::string text;
    for (const auto& one : networks) text += (text.empty() ? "" : ", ") + one.to_text();
    return text.empty() ? "everybody" : text;
}

}  // namespace umbra::gateway
