#include "url.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

namespace umbra::http_probe {

namespace {

constexpr unsigned status_min = 100, status_max = 599;

std::string in_quotes(std::string_view text) { return "\"" + std::string{text} + "\""; }

std::optional<unsigned> number(std::string_view text) {
    unsigned value = 0;
    const auto* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, value);
    if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
    return value;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
    return text;
}

bool is_printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](unsigned char c) { return c > ' ' && c < 127; });
}

}  // namespace

std::string Url::authority() const {
    const bool brackets = host.find(':') != std::string::npos;
    const auto name = brackets ? "[" + host + "]" : host;
    return port == (tls ? "443" : "80") ? name : name + ":" + port;
}

Result<Url> parse_url(std::string_view text) {
    const Error wrong{Errc::invalid, in_quotes(text) +
                                         " is no URL to probe; write for example "
                                         "http://127.0.0.1:8000/health or https://crm.internal/"};
    Url url;
    std::string_view rest = text;
    if (rest.starts_with("http://")) {
        rest.remove_prefix(7);
    } else if (rest.starts_with("https://")) {
        rest.remove_prefix(8);
        url.tls = true;
    } else {
        return wrong;
    }
    if (!is_printable(rest) || rest.find('#') != std::string_view::npos) return wrong;
    const auto slash = rest.find_first_of("/?");
    auto authority = rest.substr(0, slash);
    url.target = slash == std::string_view::npos ? "/" : std::string{rest.substr(slash)};
    if (url.target.front() == '?') url.target.insert(0, "/");
    if (authority.find('@') != std::string_view::npos) return wrong;

    url.port = url.tls ? "443" : "80";
    const auto bracket = authority.find(']');
    const auto colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
    if (colon != std::string_view::npos) {
        const auto port = number(authority.substr(colon + 1));
        if (!port || *port == 0 || *port > 65535) return wrong;
        url.port = std::to_string(*port);
        authority = authority.substr(0, colon);
    }
    if (authority.starts_with('[')) {
        if (authority.size() < 3 || !authority.ends_with(']')) return wrong;
        authority = authority.substr(1, authority.size() - 2);
    }
    if (authority.empty()) return wrong;
    url.host = std::string{authority};
    return url;
}

Result<ExpectedStatus> ExpectedStatus::parse(std::string_view text) {
    const Error wrong{Errc::invalid, "expect = " + in_quotes(text) +
                                         " is no list of status codes; write for example "
                                         "\"200-299\" or \"200, 404\""};
    ExpectedStatus expected;
    for (bool more = true; more;) {
        const auto comma = text.find(',');
        more = comma != std::string_view::npos;
        const auto part = trimmed(text.substr(0, comma));
        if (more) text.remove_prefix(comma + 1);
        const auto dash = part.find('-');
        const auto first = number(trimmed(part.substr(0, dash)));
        const auto last =
            dash == std::string_view::npos ? first : number(trimmed(part.substr(dash + 1)));
        if (!first || !last || *first < status_min || *last > status_max || *first > *last)
            return wrong;
        expected.ranges_.emplace_back(*first, *last);
    }
    return expected;
}

bool ExpectedStatus::contains(unsigned status) const {
    return std::any_of(ranges_.begin(), ranges_.end(), [&](const auto& range) {
        return status >= range.first && status <= range.second;
    });
}

Result<Header> parse_header(std::string_view text) {
    const auto colon = text.find(':');
    const auto name = text.substr(0, colon);
    const bool sound =
        colon != std::string_view::npos && colon > 0 && is_printable(name) &&
        std::none_of(text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 127; });
    if (!sound)
        return Error{Errc::invalid, "headers: " + in_quotes(text) + " is not \"Name: value\""};
    return Header{std::string{name}, std::string{trimmed(text.substr(colon + 1))}};
}

}  // namespace umbra::http_probe
