#include "http_head.hpp"

#include "http_rules.hpp"

#include <algorithm>
#include <charconv>

namespace umbra::gateway {

namespace {

using Kind = BodyFraming::Kind;

constexpr std::string_view crlf = "\r\n";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_token_char(char c) {
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

bool is_value(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return c == '\t' || (byte >= 0x20 && byte != 0x7f);
    });
}

std::string_view trimmed(std::string_view text) {
    const std::size_t from = text.find_first_not_of(" \t");
    if (from == std::string_view::npos) return {};
    return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

/// Elements of a comma-separated list, in lower case.
std::vector<std::string> elements(std::string_view list) {
    std::vector<std::string> out;
    while (!list.empty()) {
        const std::size_t comma = std::min(list.find(','), list.size());
        std::string one(trimmed(list.substr(0, comma)));
        std::transform(one.begin(), one.end(), one.begin(), lower);
        if (!one.empty()) out.push_back(std::move(one));
        list.remove_prefix(std::min(comma + 1, list.size()));
    }
    return out;
}

/// What both kinds of head say about the connection and the body.
struct Meaning {
    std::vector<std::string> connection;
    std::optional<std::string> transfer_encoding;
    std::optional<std::uint64_t> length;
    std::size_t hosts = 0;

    [[nodiscard]] bool says(std::string_view token) const {
        return std::find(connection.begin(), connection.end(), token) != connection.end();
    }
};

/// Some servers read an underscore as a hyphen: what matters must not come in that guise.
bool is_in_disguise(std::string_view name) {
    if (name.find('_') == std::string_view::npos) return false;
    std::string plain(name);
    std::replace(plain.begin(), plain.end(), '_', '-');
    for (const char* known : {"content-length", "transfer-encoding", "host", "connection",
                              "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"})
        if (same_name(plain, known)) return true;
    return false;
}

std::optional<HttpFault> read_field(const HttpField& field, Meaning& meaning) {
    const auto bad = [](std::string text) { return HttpFault{400, std::move(text)}; };
    if (is_in_disguise(field.name))
        return bad("a field name with an underscore looks like another");
    if (same_name(field.name, "host")) ++meaning.hosts;
    if (same_name(field.name, "connection"))
        for (auto& token : elements(field.value)) meaning.connection.push_back(std::move(token));
    if (same_name(field.name, "transfer-encoding")) {
        if (meaning.transfer_encoding) return bad("two Transfer-Encoding fields");
        auto codings = elements(field.value);
        if (codings.size() != 1 || codings[0] != "chunked")
            return HttpFault{501, "a Transfer-Encoding other than chunked"};
        meaning.transfer_encoding = std::move(codings[0]);
    }
    if (same_name(field.name, "content-length")) {
        if (meaning.length) return bad("two Content-Length fields");
        std::uint64_t length = 0;
        const char* const end = field.value.data() + field.value.size();
        const auto [stop, error] = std::from_chars(field.value.data(), end, length);
        const bool digits = std::all_of(field.value.begin(), field.value.end(), is_digit);
        if (field.value.empty() || !digits || error != std::errc{} || stop != end)
            return bad("a Content-Length that is no number");
        meaning.length = length;
    }
    return std::nullopt;
}

/// Fields of a head, after its first line, up to the empty one.
std::optional<HttpFault> read_fields(std::string_view lines, std::vector<HttpField>& fields,
                                     Meaning& meaning) {
    while (lines != crlf) {
        const std::size_t end = lines.find(crlf);
        if (end == std::string_view::npos)
            return HttpFault{400, "a line that does not end in CRLF"};
        auto field = parse_field(lines.substr(0, end));
        if (!field) return HttpFault{400, "a malformed field line"};
        if (fields.size() == http_fields_max) return HttpFault{431, "too many fields"};
        if (auto fault = read_field(*field, meaning)) return fault;
        fields.push_back(std::move(*field));
        lines.remove_prefix(end + crlf.size());
    }
    // Whoever forwards would drop what is named here.
    for (const auto& token : meaning.connection)
        for (const char* needed : {"host", "content-length", "transfer-encoding", "x-forwarded-for",
                                   "x-forwarded-host", "x-forwarded-proto"})
            if (token == needed)
                return HttpFault{400, "a Connection field that names another field"};
    if (meaning.transfer_encoding && meaning.length)
        return HttpFault{400, "both Content-Length and Transfer-Encoding"};
    return std::nullopt;
}

BodyFraming framing_of(const Meaning& meaning) {
    if (meaning.transfer_encoding) return {Kind::chunked, 0};
    if (meaning.length && *meaning.length > 0) return {Kind::length, *meaning.length};
    return {};
}

bool stays_open(const Meaning& meaning, int minor) {
    return minor >= 1 ? !meaning.says("close")
                      : meaning.says("keep-alive") && !meaning.says("close");
}

/// "HTTP/1.0" or "HTTP/1.1" to its minor number.
std::optional<int> minor_of(std::string_view version) {
    if (version == "HTTP/1.1") return 1;
    if (version == "HTTP/1.0") return 0;
    return std::nullopt;
}

std::optional<HttpFault> read_request_line(std::string_view line, HttpRequest& out) {
    const std::size_t first = line.find(' ');
    const std::size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
    if (second == std::string_view::npos) return HttpFault{400, "a malformed request line"};
    const std::string_view method = line.substr(0, first);
    const std::string_view version = line.substr(second + 1);
    const auto minor = minor_of(version);
    if (!minor && version.starts_with("HTTP/") && version.find(' ') == std::string_view::npos)
        return HttpFault{505, "a version of HTTP other than 1.0 and 1.1"};
    if (!minor || !is_token(method)) return HttpFault{400, "a malformed request line"};
    if (method.size() > method_bytes_max) return HttpFault{501, "a method that is too long"};
    out.method = method;
    out.target = line.substr(first + 1, second - first - 1);
    out.minor = *minor;
    if (method == "CONNECT") return HttpFault{405, "the method CONNECT"};
    return target_fault(out.target);
}

/// HTTP/2 after an upgrade would be requests that nobody checks. Clients offer it by the way and
/// live without it, so the offer goes no further; as part of another one it is refused.
std::optional<HttpFault> read_upgrade(HttpRequest& out, const Meaning& meaning) {
    std::size_t http = 0, others = 0;
    for (const HttpField& field : out.fields)
        if (same_name(field.name, "upgrade"))
            for (const auto& protocol : elements(field.value))
                ++(protocol.starts_with("h2") || protocol.starts_with("http") ? http : others);
    if (http > 0 && others > 0) return HttpFault{400, "an upgrade to HTTP among others"};
    out.upgrade = others > 0 || (http == 0 && meaning.says("upgrade"));
    if (http == 0) return std::nullopt;
    std::erase_if(out.fields, [](const HttpField& f) {
        return same_name(f.name, "upgrade") || same_name(f.name, "http2-settings") ||
               same_name(f.name, "connection");
    });
    std::string left;
    for (const auto& token : meaning.connection)
        if (token != "upgrade" && token != "http2-settings")
            left += (left.empty() ? "" : ", ") + token;
    if (!left.empty()) out.fields.push_back({"Connection", left});
    return std::nullopt;
}

bool is_host(std::string_view host) {
    return std::all_of(host.begin(), host.end(), [](char c) {
        return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') ||
               std::string_view("-._~:[]%").find(c) != std::string_view::npos;
    });
}

std::string lines_of(const std::vector<HttpField>& fields) {
    std::string out;
    for (const HttpField& field : fields) {
        out += field.name;
        out += ": ";
        out += field.value;
        out += crlf;
    }
    return out += crlf;
}

}  // namespace

bool same_name(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                              [](char x, char y) { return lower(x) == lower(y); });
}

const HttpField* find_field(const std::vector<HttpField>& fields, std::string_view name) noexcept {
    const auto found = std::find_if(fields.begin(), fields.end(),
                                    [&](const HttpField& f) { return same_name(f.name, name); });
    return found == fields.end() ? nullptr : &*found;
}

std::optional<std::size_t> head_length(std::string_view bytes, std::size_t searched) {
    std::size_t at = searched < 3 ? 0 : searched - 3;
    for (at = bytes.find('\n', at); at != std::string_view::npos; at = bytes.find('\n', at + 1)) {
        if (at == 0 || bytes[at - 1] != '\r') return at + 1;
        if (at >= 3 && bytes[at - 2] == '\n' && bytes[at - 3] == '\r') return at + 1;
    }
    return std::nullopt;
}

std::optional<HttpField> parse_field(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (!is_token(line.substr(0, colon)) || !is_value(value)) return std::nullopt;
    return HttpField{std::string(line.substr(0, colon)), std::string(value)};
}

HttpParsed<HttpRequest> parse_request(std::string_view head) {
    HttpRequest out;
    Meaning meaning;
    const std::size_t end = head.find(crlf);
    if (end == std::string_view::npos) return HttpFault{400, "a line that does not end in CRLF"};
    if (auto fault = read_request_line(head.substr(0, end), out)) return *fault;
    if (auto fault = read_fields(head.substr(end + crlf.size()), out.fields, meaning))
        return *fault;
    if (meaning.hosts > 1 || (meaning.hosts == 0 && out.minor >= 1))
        return HttpFault{400, "not exactly one Host field"};
    if (const HttpField* host = find_field(out.fields, "host")) out.host = host->value;
    if (!is_host(out.host)) return HttpFault{400, "a malformed Host field"};
    if (out.minor == 0 && meaning.transfer_encoding)
        return HttpFault{400, "Transfer-Encoding in HTTP/1.0"};
    out.body = framing_of(meaning);
    out.keep_alive = stays_open(meaning, out.minor);
    if (auto fault = read_upgrade(out, meaning)) return *fault;
    if (out.upgrade && out.body.kind != Kind::none)
        return HttpFault{400, "an upgrade together with a body"};
    return out;
}

HttpParsed<HttpResponse> parse_response(std::string_view head, std::string_view method) {
    HttpResponse out;
    Meaning meaning;
    const HttpFault malformed{502, "a malformed status line"};
    const std::size_t end = head.find(crlf);
    if (end == std::string_view::npos) return malformed;
    const std::string_view line = head.substr(0, end);
    constexpr std::size_t shortest = 12;  // "HTTP/1.1 200"
    const auto minor = minor_of(line.substr(0, 8));
    if (line.size() < shortest || !minor || line[8] != ' ' || !is_digit(line[9]) ||
        !is_digit(line[10]) || !is_digit(line[11]) || line[9] == '0' || !is_value(line) ||
        (line.size() > shortest && line[shortest] != ' '))
        return malformed;
    out.minor = *minor;
    out.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
    if (line.size() > shortest) out.reason = line.substr(shortest + 1);
    if (auto fault = read_fields(head.substr(end + crlf.size()), out.fields, meaning))
        return HttpFault{502, fault->text};
    if (out.minor == 0 && meaning.transfer_encoding)
        return HttpFault{502, "Transfer-Encoding in HTTP/1.0"};
    out.keep_alive = stays_open(meaning, out.minor);
    const bool bodiless =
        method == "HEAD" || out.status < 200 || out.status == 204 || out.status == 304;
    if (bodiless) return out;
    out.body = framing_of(meaning);
    if (!meaning.transfer_encoding && !meaning.length) {
        out.body.kind = Kind::until_close;
        out.keep_alive = false;
    }
    return out;
}

std::string to_head(const HttpRequest& request) {
    return request.method + " " + request.target + " HTTP/1." + std::to_string(request.minor) +
           std::string(crlf) + lines_of(request.fields);
}

std::string to_head(const HttpResponse& response) {
    return "HTTP/1." + std::to_string(response.minor) + " " + std::to_string(response.status) +
           " " + response.reason + std::string(crlf) + lines_of(response.fields);
}

}  // namespace umbra::gateway
