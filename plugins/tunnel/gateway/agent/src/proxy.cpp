#include "proxy.hpp"

#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <openssl/evp.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <vector>

namespace umbra::gateway {

namespace ip = boost::asio::ip;

namespace {

constexpr std::uint16_t proxy_port_default = 1080;  ///< As curl has it.
constexpr std::size_t reason_max = 80;

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return std::tolower(c); });
    return out;
}

/// "%40" -> "@". Nothing when it is broken.
std::optional<std::string> decoded(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        unsigned value = 0;
        const char* digits = text.data() + i + 1;
        if (i + 2 >= text.size() ||
            std::from_chars(digits, digits + 2, value, 16).ptr != digits + 2)
            return std::nullopt;
        out += static_cast<char>(value);
        i += 2;
    }
    return out;
}

/// A header must not begin another one, and RFC 7617 splits at the first colon.
bool is_user(std::string_view text) {
    return std::ranges::none_of(text,
                                [](unsigned char c) { return c < 0x20 || c == 0x7f || c == ':'; });
}

Error invalid(const std::string& origin, const std::string& text) {
    return Error{Errc::invalid, origin + " " + text};
}

/// @param text  "host:port", "host", "http://user:password@host:port/"; never repeated in a message
Result<Proxy> parse_proxy(std::string_view text, const std::string& origin) {
    Proxy proxy;
    proxy.origin = origin;
    if (const auto scheme = text.find("://"); scheme != std::string_view::npos) {
        const std::string name = lower(text.substr(0, scheme));
        if (name != "http")
            return invalid(origin, "names a proxy of the kind " + name +
                                       ", this version knows http; set the option proxy, \"none\" "
                                       "for no proxy");
        text.remove_prefix(scheme + 3);
    }
    text = text.substr(0, text.find('/'));
    if (const auto at = text.rfind('@'); at != std::string_view::npos) {
        const std::string_view login = text.substr(0, at);
        const auto colon = login.find(':');
        const auto user = decoded(login.substr(0, colon));
        const auto password =
            decoded(colon == std::string_view::npos ? "" : login.substr(colon + 1));
        if (!user || !password || !is_user(*user))
            return invalid(origin, "holds a user that cannot be read");
        proxy.user = *user;
        proxy.password = *password;
        text.remove_prefix(at + 1);
    }
    const bool with_port = !text.ends_with(']') && text.find(':') != std::string_view::npos;
    auto endpoint =
        parse_endpoint(with_port ? std::string(text)
                                 : std::string(text) + ":" + std::to_string(proxy_port_default));
    if (!endpoint) return invalid(origin, "has to be host:port or http://user@host:port");
    proxy.at = std::move(*endpoint);
    return proxy;
}

std::string base64(const std::string& text) {
    std::vector<unsigned char> out(4 * ((text.size() + 2) / 3) + 1);
    const int length =
        EVP_EncodeBlock(out.data(), reinterpret_cast<const unsigned char*>(text.data()),
                        static_cast<int>(text.size()));
    return {out.begin(), out.begin() + length};
}

/// Of the head of an answer; "" when there is none.
std::vector<std::string_view> values_of(std::string_view head, std::string_view header) {
    std::vector<std::string_view> values;
    while (!head.empty()) {
        const auto line = head.substr(0, head.find("\r\n"));
        head.remove_prefix(std::min(head.size(), line.size() + 2));
        const auto colon = line.find(':');
        if (colon == std::string_view::npos || lower(line.substr(0, colon)) != header) continue;
        auto value = line.substr(colon + 1);
        value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
        values.push_back(value);
    }
    return values;
}

std::string printable(std::string_view text) {
    std::string out(text.substr(0, reason_max));
    std::ranges::replace_if(
        out, [](unsigned char c) { return c < 0x20 || c > 0x7e; }, '?');
    return out;
}

template <class Network, class Address>
bool is_within(const Network& network, const Address& address) {
    return network.canonical() == Network(address, network.prefix_length()).canonical();
}

bool network_covers(const std::string& entry, const ip::address& address) {
    boost::system::error_code error;
    if (address.is_v4()) {
        const auto network = ip::make_network_v4(entry, error);
        return !error && is_within(network, address.to_v4());
    }
    const auto network = ip::make_network_v6(entry, error);
    return !error && is_within(network, address.to_v6());
}

bool names(std::string_view entry, const std::string& host) {
    if (entry == "*") return true;
    boost::system::error_code not_an_address;
    if (const auto address = ip::make_address(host, not_an_address); !not_an_address) {
        if (entry.starts_with('[') && entry.ends_with(']'))
            entry = entry.substr(1, entry.size() - 2);
        boost::system::error_code error;
        const auto one = ip::make_address(std::string(entry), error);
        return error ? network_covers(std::string(entry), address) : one == address;
    }
    while (entry.starts_with('.')) entry.remove_prefix(1);
    if (entry.ends_with('.')) entry.remove_suffix(1);
    const std::string name = lower(entry), asked = lower(host);
    return !name.empty() && (asked == name || asked.ends_with("." + name));
}

}  // namespace

ProxyEnvironment ProxyEnvironment::of_process() {
    const auto first = [](std::initializer_list<const char*> variables, std::string& name) {
        for (const char* variable : variables) {
            const char* value = std::getenv(variable);
            if (value == nullptr || *value == '\0') continue;
            name = variable;
            return std::string(value);
        }
        return std::string();
    };
    ProxyEnvironment found;
    std::string unused;
    found.proxy = first({"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}, found.name);
    found.no_proxy = first({"no_proxy", "NO_PROXY"}, unused);
    return found;
}

bool bypasses_proxy(std::string_view no_proxy, const std::string& host) {
    while (!no_proxy.empty()) {
        const auto entry = no_proxy.substr(0, no_proxy.find_first_of(", \t"));
        no_proxy.remove_prefix(std::min(no_proxy.size(), entry.size() + 1));
        if (!entry.empty() && names(entry, host)) return true;
    }
    return false;
}

Result<std::optional<Proxy>> choose_proxy(const ProxyOptions& options,
                                          const ProxyEnvironment& environment,
                                          const Endpoint& gateway) {
    const bool login = options.user || options.password_file;
    if (options.proxy == "none") {
        if (login) return invalid("the option proxy", "is \"none\": it needs no user or password");
        return std::optional<Proxy>();
    }
    const bool from_environment = !options.proxy;
    if (from_environment &&
        (environment.proxy.empty() || bypasses_proxy(environment.no_proxy, gateway.host)))
        return std::optional<Proxy>();
    auto proxy = from_environment ? parse_proxy(environment.proxy,
                                                "the environment variable " + environment.name)
                                  : parse_proxy(*options.proxy, "the option proxy");
    if (!proxy) return proxy.error();
    if (!from_environment && !proxy->password.empty())
        return invalid(proxy->origin,
                       "holds a password, which everybody who reads the shared "
                       "configuration would see; use proxy_password_file");
    if (options.user) {
        if (!from_environment && !proxy->user.empty() && proxy->user != *options.user)
            return invalid("the option proxy_user", "contradicts the user in the option proxy");
        if (options.user->empty() || !is_user(*options.user))
            return invalid("the option proxy_user", "holds a user that cannot be sent");
        proxy->user = *options.user;
    }
    if (options.password_file) {
        if (proxy->user.empty())
            return invalid("the option proxy_password_file", "needs proxy_user");
        proxy->password_file = *options.password_file;
    }
    return std::optional<Proxy>(std::move(*proxy));
}

Result<std::string> read_proxy_password(const std::string& file) {
    std::ifstream in(file);
    std::string line(proxy_password_max + 2, '\0');
    in.read(line.data(), static_cast<std::streamsize>(line.size()));
    if (in.bad() || (in.fail() && !in.eof()))
        return Error{Errc::unavailable, "cannot read proxy_password_file " + file};
    line.resize(static_cast<std::size_t>(in.gcount()));
    line.resize(std::min(line.find_first_of("\r\n"), line.size()));
    if (line.empty()) return Error{Errc::invalid, "proxy_password_file " + file + " is empty"};
    if (line.size() > proxy_password_max)
        return Error{Errc::invalid, "the password in " + file + " is longer than " +
                                        std::to_string(proxy_password_max) + " bytes"};
    return line;
}

std::string connect_request(const Endpoint& gateway, const Proxy& proxy,
                            const std::string& password) {
    const std::string to = to_text(gateway);
    std::string request = "CONNECT " + to + " HTTP/1.1\r\nHost: " + to + "\r\n";
    if (!proxy.user.empty())
        request += "Proxy-Authorization: Basic " + base64(proxy.user + ":" + password) + "\r\n";
    return request + "\r\n";
}

std::optional<Result<Done>> ConnectAnswer::feed(std::string_view bytes) {
    arrived_ += bytes;
    const Error no_http{Errc::unavailable,
                        "the proxy " + to_text(proxy_.at) + " does not answer like an HTTP proxy"};
    const auto end = arrived_.find("\r\n\r\n");
    if (end == std::string::npos) {
        const auto known = std::min(arrived_.size(), std::string_view("HTTP/1.").size());
        if (arrived_.compare(0, known, "HTTP/1.", known) != 0 || arrived_.size() >= proxy_head_max)
            return Result<Done>(no_http);
        return std::nullopt;
    }
    if (end + 4 > proxy_head_max) return Result<Done>(no_http);
    auto judged = judge(std::string_view(arrived_).substr(0, end + 2));
    // The gateway speaks second: what stands behind the head comes from somebody else.
    if (judged && arrived_.size() > end + 4)
        return Result<Done>(Error{
            Errc::unavailable, "the proxy " + to_text(proxy_.at) + " sent more than its answer"});
    return judged;
}

Result<Done> ConnectAnswer::judge(std::string_view head) const {
    const auto line = head.substr(0, head.find("\r\n"));
    int status = 0;
    const bool shaped =
        line.size() >= 12 && line.starts_with("HTTP/1.") && line[8] == ' ' &&
        std::from_chars(line.data() + 9, line.data() + 12, status).ptr == line.data() + 12;
    if (!shaped)
        return Error{Errc::unavailable,
                     "the proxy " + to_text(proxy_.at) + " does not answer like an HTTP proxy"};
    if (status >= 200 && status < 300) return Done{};
    return Error{Errc::refused,
                 refusal(status, line.substr(std::min<std::size_t>(13, line.size())), head)};
}

std::string ConnectAnswer::refusal(int status, std::string_view reason,
                                   std::string_view head) const {
    const std::string who = "the proxy " + to_text(proxy_.at) + " (of " + proxy_.origin + ")";
    // Tinyproxy answers 401 to a wrong password.
    const bool login = status == 407 || (status == 401 && !proxy_.user.empty());
    if (!login)
        return who + " does not connect to " + to_text(gateway_) + ": " + std::to_string(status) +
               " " + printable(reason);
    std::string offered;
    bool basic = false;
    for (const auto value : values_of(head, "proxy-authenticate")) {
        const auto scheme = value.substr(0, value.find(' '));
        basic |= lower(scheme) == "basic";
        offered += (offered.empty() ? "" : ", ") + printable(scheme);
    }
    if (!basic && !offered.empty())
        return who + " wants a login by " + offered + ", this version knows Basic";
    if (proxy_.user.empty())
        return who + " wants a user and a password: set proxy_user and proxy_password_file";
    return who + " does not accept the password of user " + printable(proxy_.user);
}

}  // namespace umbra::gateway
