#include <umbra/config/problem.hpp>
#include <umbra/config/values.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>

namespace umbra::config {

namespace {

Error invalid(std::string message) { return Error{Errc::invalid, std::move(message)}; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

struct Unit {
    std::string_view name;
    std::int64_t factor;
};

constexpr std::array<Unit, 7> time_units{{{"ns", 1},
                                          {"us", 1'000},
                                          {"ms", 1'000'000},
                                          {"s", 1'000'000'000},
                                          {"m", 60'000'000'000},
                                          {"h", 3'600'000'000'000},
                                          {"d", 86'400'000'000'000}}};

constexpr std::int64_t kib = 1024;
constexpr std::array<Unit, 10> size_units{{{"", 1},
                                           {"B", 1},
                                           {"kB", 1'000},
                                           {"MB", 1'000'000},
                                           {"GB", 1'000'000'000},
                                           {"TB", 1'000'000'000'000},
                                           {"KiB", kib},
                                           {"MiB", kib* kib},
                                           {"GiB", kib* kib* kib},
                                           {"TiB", kib* kib* kib* kib}}};

template <std::size_t N>
const Unit* find_unit(const std::array<Unit, N>& units, std::string_view name) {
    const auto found = std::find_if(units.begin(), units.end(),
                                    [name](const Unit& unit) { return unit.name == name; });
    return found == units.end() ? nullptr : &*found;
}

/// Takes digits off the front.
std::optional<std::int64_t> take_number(std::string_view& text) {
    std::int64_t number = 0;
    if (text.empty() || !is_digit(text.front())) return std::nullopt;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return number;
}

std::string lower_case(std::string_view text) {
    std::string out(text);
    for (char& c : out) {
        if (is_upper(c)) c = static_cast<char>(c - 'A' + 'a');
    }
    return out;
}

/// Four decimal numbers of 0 to 255.
bool is_ipv4(std::string_view host) {
    for (int part = 0; part < 4; ++part) {
        const std::size_t before = host.size();
        const auto number = take_number(host);
        if (!number || *number > 255 || before - host.size() > 3) return false;
        if (part == 3) return host.empty();
        if (host.empty() || host.front() != '.') return false;
        host.remove_prefix(1);
    }
    return false;
}

bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

/// RFC 4291 text form; a zone (`%eth0`) may follow.
bool is_ipv6(std::string_view host) {
    const std::size_t zone = host.find('%');
    if (zone != std::string_view::npos) {
        if (zone + 1 == host.size()) return false;
        for (const char c : host.substr(zone + 1)) {
            if (!is_digit(c) && !is_lower(c) && !is_upper(c) && c != '-' && c != '.' && c != '_') {
                return false;
            }
        }
        host = host.substr(0, zone);
    }
    int groups = 0;
    bool gap = false;
    if (host.substr(0, 2) == "::") {
        gap = true;
        host.remove_prefix(2);
        if (host.empty()) return true;
    }
    while (true) {
        if (is_ipv4(host)) {
            groups += 2;
            break;
        }
        std::size_t digits = 0;
        while (digits < host.size() && is_hex(host[digits])) ++digits;
        if (digits == 0 || digits > 4) return false;
        host.remove_prefix(digits);
        ++groups;
        if (host.empty()) break;
        if (host.front() != ':') return false;
        host.remove_prefix(1);
        if (!host.empty() && host.front() == ':') {
            if (gap) return false;
            gap = true;
            host.remove_prefix(1);
            if (host.empty()) break;
        } else if (host.empty()) {
            return false;
        }
    }
    return gap ? groups < 8 : groups == 8;
}

constexpr std::size_t host_bytes_max = 253;
constexpr std::size_t label_bytes_max = 63;

/// Sentence that says what is wrong with a host name or address; empty when nothing is.
std::string host_fault(std::string_view host) {
    if (host.empty()) return "the host is missing";
    if (host.size() > host_bytes_max) return "the host is longer than 253 characters";
    bool number = true;  // Only digits and dots: must be an address then.
    std::size_t label = 0;
    for (std::size_t i = 0; i < host.size(); ++i) {
        const char c = host[i];
        if (c == '.') {
            if (label == 0) return "the host has an empty part";
            label = 0;
            continue;
        }
        if (!is_digit(c)) number = false;
        if (!is_digit(c) && !is_lower(c) && !is_upper(c) && c != '-' && c != '_') {
            return "the host may contain letters, digits, '-', '_' and '.' only";
        }
        if (++label > label_bytes_max) return "a part of the host is longer than 63 characters";
    }
    if (label == 0) return "the host has an empty part";
    if (host.front() == '-' || host.back() == '-') return "the host begins or ends with '-'";
    if (number && !is_ipv4(host)) return "the host is not a valid IPv4 address";
    return {};
}

struct HostAndRest {
    std::string host;
    std::string_view rest;  ///< Behind the colon.
};

Result<HostAndRest> take_host(std::string_view text) {
    if (!text.empty() && text.front() == '[') {
        const std::size_t close = text.find(']');
        if (close == std::string_view::npos) return invalid("the closing ']' is missing");
        const std::string_view host = text.substr(1, close - 1);
        if (!is_ipv6(host)) return invalid("what stands in brackets is not an IPv6 address");
        if (close + 1 >= text.size() || text[close + 1] != ':') {
            return invalid("the port is missing");
        }
        return HostAndRest{lower_case(host), text.substr(close + 2)};
    }
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return invalid("the port is missing");
    const std::string_view host = text.substr(0, colon);
    if (host.find(':') != std::string_view::npos) {
        return invalid("an IPv6 address must stand in brackets");
    }
    if (std::string fault = host_fault(host); !fault.empty()) return invalid(std::move(fault));
    return HostAndRest{lower_case(host), text.substr(colon + 1)};
}

Result<std::uint16_t> whole_port(std::string_view text, PortZero zero) {
    std::string_view rest = text;
    const auto number = take_number(rest);
    if (text.empty()) return invalid("the port is missing");
    if (!rest.empty() || !number || *number > 65535) {
        return invalid("the port must be a number from 1 to 65535");
    }
    if (*number == 0 && zero == PortZero::refused) {
        return invalid("port 0 cannot be connected to");
    }
    return static_cast<std::uint16_t>(*number);
}

std::string bracketed(const std::string& host) {
    return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
    const Error fault =
        invalid("must be a duration such as \"150ms\", \"2s\", \"1m30s\" or \"1h\"");
    if (text.empty()) return fault;
    std::int64_t total = 0;
    std::int64_t last_factor = std::numeric_limits<std::int64_t>::max();
    while (!text.empty()) {
        const auto number = take_number(text);
        if (!number) return fault;
        std::size_t letters = 0;
        while (letters < text.size() && is_lower(text[letters])) ++letters;
        const Unit* unit = find_unit(time_units, text.substr(0, letters));
        // Units fall from left to right: "30s1m" is more likely a slip than a wish.
        if (unit == nullptr || unit->factor >= last_factor) return fault;
        last_factor = unit->factor;
        text.remove_prefix(letters);
        if (*number > (duration_max.count() - total) / unit->factor) {
            return invalid("is longer than the longest duration, \"365d\"");
        }
        total += *number * unit->factor;
    }
    return Duration{total};
}

std::string format_duration(Duration duration) {
    const std::int64_t count = duration.count();
    if (count == 0) return "0s";
    // Days and hours only where they are whole; "90m" would be right, but nobody reads "5400s".
    for (auto unit = time_units.rbegin(); unit != time_units.rend(); ++unit) {
        if (count % unit->factor == 0) {
            return std::to_string(count / unit->factor) + std::string(unit->name);
        }
    }
    return std::to_string(count) + "ns";
}

Result<std::int64_t> parse_size(std::string_view text) {
    const auto number = take_number(text);
    const Unit* unit = find_unit(size_units, text);
    if (!number || unit == nullptr) {
        return invalid("must be a size such as 4096, \"64KiB\", \"16MiB\" or \"1GiB\"");
    }
    if (*number > std::numeric_limits<std::int64_t>::max() / unit->factor) {
        return invalid("is larger than can be counted");
    }
    return *number * unit->factor;
}

std::string format_size(std::int64_t bytes) {
    for (const char* name : {"TiB", "GiB", "MiB", "KiB"}) {
        const Unit* unit = find_unit(size_units, name);
        if (bytes != 0 && bytes % unit->factor == 0) {
            return std::to_string(bytes / unit->factor) + name;
        }
    }
    return std::to_string(bytes);
}

Result<Endpoint> parse_endpoint(std::string_view text, PortZero zero) {
    const auto host = take_host(text);
    if (!host.ok()) return host.error();
    const auto port = whole_port(host->rest, zero);
    if (!port.ok()) return port.error();
    return Endpoint{host->host, *port};
}

std::string to_string(const Endpoint& endpoint) {
    return bracketed(endpoint.host) + ":" + std::to_string(endpoint.port);
}

Result<EndpointRange> parse_endpoint_range(std::string_view text, PortZero zero) {
    const auto host = take_host(text);
    if (!host.ok()) return host.error();
    const std::size_t dash = host->rest.find('-');
    const bool single = dash == std::string_view::npos;
    const auto first = whole_port(host->rest.substr(0, dash), single ? zero : PortZero::refused);
    if (!first.ok()) return first.error();
    if (single) return EndpointRange{host->host, *first, *first};
    const auto last = whole_port(host->rest.substr(dash + 1), PortZero::refused);
    if (!last.ok()) return last.error();
    if (*last < *first) return invalid("the port range ends before it begins");
    return EndpointRange{host->host, *first, *last};
}

std::string to_string(const EndpointRange& range) {
    const std::string first = bracketed(range.host) + ":" + std::to_string(range.first);
    return range.first == range.last ? first : first + "-" + std::to_string(range.last);
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
    constexpr std::string_view unix_scheme = "unix:", https_scheme = "https://";
    if (text.substr(0, unix_scheme.size()) == unix_scheme) {
        const std::string_view path = text.substr(unix_scheme.size());
        if (path.empty() || path.front() != '/' || path.back() == '/') {
            return invalid("unix: must be followed by an absolute path of a socket");
        }
        if (path.find('\0') != std::string_view::npos) return invalid("the path contains NUL");
        if (path.size() > unix_path_max) {
            return invalid("the path of a Unix socket can have at most " +
                           std::to_string(unix_path_max) + " bytes, this one has " +
                           std::to_string(path.size()));
        }
        return ListenAddress{std::string(path), {}};
    }
    if (text.substr(0, https_scheme.size()) == https_scheme) {
        const auto endpoint = parse_endpoint(text.substr(https_scheme.size()), PortZero::allowed);
        if (!endpoint.ok()) return endpoint.error();
        return ListenAddress{{}, *endpoint};
    }
    return invalid("must be \"unix:/path\" or \"https://host:port\"");
}

std::string to_string(const ListenAddress& address) {
    return address.unix_path.empty() ? "https://" + to_string(address.https)
                                     : "unix:" + address.unix_path;
}

Result<std::string> parse_url(std::string_view text) {
    const std::size_t end = text.find("://");
    const std::string_view scheme = text.substr(0, end);
    const bool named = end != std::string_view::npos && !scheme.empty() &&
                       std::all_of(scheme.begin(), scheme.end(), [](char c) {
                           return is_lower(c) || is_digit(c) || c == '+' || c == '.' || c == '-';
                       });
    if (!named || !is_lower(scheme.front())) {
        return invalid("must be a URL such as \"tcp://127.0.0.1:7401\"");
    }
    const std::string_view rest = text.substr(end + 3);
    if (rest.empty()) return invalid("what follows \"" + std::string(scheme) + "://\" is missing");
    for (const char c : rest) {
        if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) {
            return invalid("must not contain spaces or control characters");
        }
    }
    if (scheme == "tcp") {
        if (const auto endpoint = parse_endpoint(rest, PortZero::allowed); !endpoint.ok()) {
            return endpoint.error();
        }
    } else if (scheme == "http" || scheme == "https") {
        std::string authority(rest.substr(0, rest.find_first_of("/?#")));
        const bool has_port = authority.rfind(':') != std::string::npos &&
                              (authority.front() != '[' || authority.back() != ']');
        const auto endpoint = parse_endpoint(has_port ? authority : authority + ":80");
        if (!endpoint.ok()) return endpoint.error();
    }
    return std::string(text);
}

std::string name_fault(std::string_view text) {
    if (text.empty()) return "a name must not be empty";
    if (text.size() > name_bytes_max) {
        return "a name has at most " + std::to_string(name_bytes_max) + " characters, this one " +
               std::to_string(text.size());
    }
    const bool letters = std::all_of(text.begin(), text.end(),
                                     [](char c) { return is_lower(c) || is_digit(c) || c == '-'; });
    if (!letters) return "a name consists of a-z, 0-9 and '-'";
    if (text.front() == '-' || text.back() == '-') {
        return "a name begins and ends with a letter or a digit";
    }
    return {};
}

bool is_name(std::string_view text) { return name_fault(text).empty(); }

}  // namespace umbra::config
