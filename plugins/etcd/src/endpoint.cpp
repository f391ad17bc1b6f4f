#include <umbra/etcd/endpoint.hpp>

#include <charconv>

namespace umbra::etcd {

namespace {

constexpr std::string_view plain = "http://";
constexpr std::string_view secure = "https://";
constexpr std::string_view port_default = "2379";

bool is_port(std::string_view text) {
    int port = 0;
    const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), port);
    return bad == std::errc{} && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

/// Cuts "[address]" or "name" off the front of `rest`; empty: neither.
std::string_view take_host(std::string_view& rest) {
    std::size_t begin = 0;
    std::size_t end = rest.find(':');
    if (rest.substr(0, 1) == "[") {
        begin = 1;
        end = rest.find(']');
        if (end == std::string_view::npos) return {};
    }
    const auto host = rest.substr(begin, end == std::string_view::npos ? end : end - begin);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + begin);
    return host.find_first_of("[]/@?# ") == std::string_view::npos ? host : std::string_view{};
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view url) {
    const Error wrong{Errc::invalid, "\"" + std::string{url} +
                                         "\" is not the address of an etcd member; write "
                                         "\"https://host:2379\" or \"http://host:2379\""};
    Endpoint endpoint;
    endpoint.tls = url.starts_with(secure);
    if (!endpoint.tls && !url.starts_with(plain)) return wrong;
    auto rest = url.substr(endpoint.tls ? secure.size() : plain.size());
    if (rest.ends_with('/')) rest.remove_suffix(1);
    endpoint.host = take_host(rest);
    if (endpoint.host.empty()) return wrong;
    if (!rest.empty() && (rest.front() != ':' || !is_port(rest.substr(1)))) return wrong;
    endpoint.port = rest.empty() ? port_default : rest.substr(1);
    return endpoint;
}

std::string to_string(const Endpoint& endpoint) {
    const bool bracket = endpoint.host.find(':') != std::string::npos;
    return std::string{endpoint.tls ? secure : plain} + (bracket ? "[" : "") + endpoint.host +
           (bracket ? "]" : "") + ":" + endpoint.port;
}

}  // namespace umbra::etcd
