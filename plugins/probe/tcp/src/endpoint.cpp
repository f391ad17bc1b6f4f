#include <umbra/tcp_probe/endpoint.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <netdb.h>
#include <system_error>

namespace umbra::tcp_probe {

namespace {

/// A name with more addresses than this is tried at the first ones only.
constexpr std::size_t addresses_max = 16;

std::string text_of(const addrinfo& found, const std::string& port) {
    std::array<char, NI_MAXHOST> host{};
    if (::getnameinfo(found.ai_addr, found.ai_addrlen, host.data(), host.size(), nullptr, 0,
                      NI_NUMERICHOST) != 0)
        return "an address of unknown form";
    return found.ai_family == AF_INET6 ? "[" + std::string{host.data()} + "]:" + port
                                       : std::string{host.data()} + ":" + port;
}

/// @return The error of getaddrinfo, 0 = none.
int look_up(const Endpoint& endpoint, int flags, std::vector<Address>& addresses) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags | AI_NUMERICSERV;
    addrinfo* list = nullptr;
    if (const int error =
            ::getaddrinfo(endpoint.host.c_str(), endpoint.port.c_str(), &hints, &list))
        return error;
    for (const auto* at = list; at != nullptr && addresses.size() < addresses_max;
         at = at->ai_next) {
        Address address;
        if (at->ai_addrlen > sizeof address.raw) continue;
        std::memcpy(&address.raw, at->ai_addr, at->ai_addrlen);
        address.size = at->ai_addrlen;
        address.text = text_of(*at, endpoint.port);
        addresses.push_back(std::move(address));
    }
    ::freeaddrinfo(list);
    return 0;
}

Error not_an_endpoint(std::string_view text) {
    return {Errc::invalid, "\"" + std::string{text} +
                               "\" is not an endpoint; write host:port, for example "
                               "127.0.0.1:8000 or [::1]:8000"};
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return not_an_endpoint(text);
    auto host = text.substr(0, colon);
    const auto port = text.substr(colon + 1);
    if (host.front() == '[') {
        if (host.size() < 3 || host.back() != ']') return not_an_endpoint(text);
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
        return not_an_endpoint(text);  // IPv6 without brackets: where does the port begin?
    }
    if (std::any_of(host.begin(), host.end(), [](unsigned char c) { return c <= ' ' || c == 127; }))
        return not_an_endpoint(text);
    unsigned number = 0;
    const auto* end = port.data() + port.size();
    const auto parsed = std::from_chars(port.data(), end, number);
    if (parsed.ec != std::errc{} || parsed.ptr != end || number == 0 || number > 65535)
        return not_an_endpoint(text);
    return Endpoint{std::string{host}, std::to_string(number)};
}

std::vector<Address> numeric_addresses(const Endpoint& endpoint) {
    std::vector<Address> addresses;
    (void)look_up(endpoint, AI_NUMERICHOST, addresses);
    return addresses;
}

Result<std::vector<Address>> resolve(const Endpoint& endpoint) {
    std::vector<Address> addresses;
    errno = 0;
    const int error = look_up(endpoint, 0, addresses);
    if (error == 0 && !addresses.empty()) return addresses;
    const int sys_errno = error == EAI_SYSTEM ? errno : 0;
    return Error{Errc::unavailable,
                 "cannot resolve \"" + endpoint.host + "\": " +
                     (sys_errno != 0 ? std::generic_category().message(sys_errno)
                                     : std::string{::gai_strerror(error)}),
                 sys_errno};
}

}  // namespace umbra::tcp_probe
