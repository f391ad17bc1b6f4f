#include "endpoint.hpp"

#include <charconv>
#include <string_view>

namespace umbra::zeromq {

namespace {

constexpr std::string_view scheme = "tcp://";
constexpr std::size_t endpoint_size_max = 270;  // a host name has at most 253 characters

Error wrong(const std::string& text, const char* why) {
    return {Errc::invalid, "endpoint \"" + text + "\" " + why +
                               "; write it as tcp://host:port, for example tcp://127.0.0.1:7401"};
}

}  // namespace

Result<Endpoint> parse_endpoint(const std::string& text, bool may_listen_anywhere) {
    std::string_view rest = text;
    if (text.size() > endpoint_size_max) return wrong(text.substr(0, 40) + "...", "is too long");
    if (!rest.starts_with(scheme)) return wrong(text, "does not begin with tcp://");
    rest.remove_prefix(scheme.size());
    const auto colon = rest.rfind(':');
    if (colon == rest.npos) return wrong(text, "has no port");

    Endpoint endpoint;
    std::string_view host = rest.substr(0, colon);
    const std::string_view port = rest.substr(colon + 1);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
        endpoint.ipv6 = true;
    } else if (host.find(':') != host.npos) {
        return wrong(text, "has an IPv6 address without brackets");
    }
    if (host.empty()) return wrong(text, "has no host");
    if (host.find_first_of(" /;\t\n") != host.npos) return wrong(text, "has an impossible host");
    endpoint.host = host;

    if (port != "*" || !may_listen_anywhere) {
        const auto [end, code] =
            std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
        if (code != std::errc{} || end != port.data() + port.size())
            return wrong(text, "has a port that is not a number from 0 to 65535");
    }
    if (!may_listen_anywhere && endpoint.port == 0) return wrong(text, "names no port to dial");
    if (!may_listen_anywhere && endpoint.host == "*") return wrong(text, "names no host to dial");
    return endpoint;
}

std::string reachable_locally(const std::string& bound) {
    const auto replace = [&bound](std::string_view wildcard, const char* loopback) {
        return std::string{scheme} + loopback + bound.substr(scheme.size() + wildcard.size());
    };
    const std::string_view rest = std::string_view{bound}.substr(scheme.size());
    if (rest.starts_with("0.0.0.0:")) return replace("0.0.0.0", "127.0.0.1");
    if (rest.starts_with("[::]:")) return replace("[::]", "[::1]");
    return bound;
}

}  // namespace umbra::zeromq
