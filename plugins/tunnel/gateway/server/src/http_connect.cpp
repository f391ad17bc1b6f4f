#include "http_connect.hpp"

#include <umbra/config/values.hpp>

#include <algorithm>

namespace umbra::gateway {

namespace {

constexpr std::string_view head_end = "\r\n\r\n";
constexpr std::string_view line_end = "\r\n";

/// Seconds after which trying again makes sense; that is how long a change of roles takes.
constexpr std::string_view retry_after = "Retry-After: 1\r\n";

std::string http_answer(std::string_view status, std::string_view text,
                        std::string_view fields = {}) {
    std::string words = "HTTP/1.1 ";
    words.append(status).append("\r\n").append(fields);
    words.append("Content-Type: text/plain\r\nContent-Length: ");
    words += std::to_string(text.size() + 1);
    words.append("\r\nConnection: close\r\n\r\n").append(text).append("\n");
    return words;
}

std::string http_refused(Refusal refusal) {
    const auto text = text_of(refusal);
    switch (refusal) {
        case Refusal::network:
        case Refusal::denied:
            return http_answer("403 Forbidden", text);
        case Refusal::bad_request:
            return http_answer("400 Bad Request", text);
        case Refusal::backend_refused:
            return http_answer("502 Bad Gateway", text);
        case Refusal::backend_timeout:
            return http_answer("504 Gateway Timeout", text);
        case Refusal::per_source:
            return http_answer("429 Too Many Requests", text, retry_after);
        case Refusal::clients:
        case Refusal::streams:
        case Refusal::park_full:
        case Refusal::park_timeout:
            break;
    }
    return http_answer("503 Service Unavailable", text, retry_after);
}

/// RFC 9110, 5.6.2.
bool is_token(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    });
}

bool is_host_field(std::string_view name) {
    constexpr std::string_view host = "host";
    return std::ranges::equal(name, host, [](char a, char b) { return (a | 0x20) == b; });
}

}  // namespace

const Dialect http_connect_dialect{
    .accepted = "HTTP/1.1 200 Connection established\r\n\r\n",
    .refused = http_refused,
    .late = [] { return http_answer("408 Request Timeout", "the request did not come in time"); },
};

std::size_t HttpConnectPreamble::feed(std::string_view arrived) {
    const auto before = head_.size();
    const auto lead = std::min(before, head_end.size() - 1);
    head_.append(arrived.substr(0, http_head_bytes_max - before));
    const auto found = head_.find(head_end, before - lead);
    if (found != std::string::npos) head_.resize(found + head_end.size());
    const auto taken = head_.size() - before;
    if (has_bare_line_end(before - lead)) {
        fail(http_answer("400 Bad Request", "a line ends without CR LF"));
    } else if (found != std::string::npos) {
        read_head();
    } else if (head_.size() == http_head_bytes_max) {
        fail(http_answer("431 Request Header Fields Too Large", "the head is too long"));
    }
    return taken;
}

bool HttpConnectPreamble::has_bare_line_end(std::size_t from) const {
    for (auto at = from; at < head_.size(); ++at) {
        if (head_[at] == '\n' && (at == 0 || head_[at - 1] != '\r')) return true;
        if (head_[at] == '\r' && at + 1 < head_.size() && head_[at + 1] != '\n') return true;
    }
    return false;
}

void HttpConnectPreamble::read_head() {
    const auto head = std::string_view(head_);
    const auto line = head.substr(0, head.find(line_end));
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || last == first || !is_token(line.substr(0, first)))
        return fail(http_answer("400 Bad Request", "this is not HTTP/1.1"));
    const auto version = line.substr(last + 1);
    if (version != "HTTP/1.1" && version != "HTTP/1.0")
        return version.starts_with("HTTP/")
                   ? fail(http_answer("505 HTTP Version Not Supported", "this speaks HTTP/1.1"))
                   : fail(http_answer("400 Bad Request", "this is not HTTP/1.1"));
    if (line.substr(0, first) != "CONNECT")
        return fail(http_answer("405 Method Not Allowed", "only CONNECT host:port is served here",
                                "Allow: CONNECT\r\n"));
    const auto fields = head.substr(line.size() + line_end.size());
    if (!read_fields(fields, version == "HTTP/1.1")) return;
    const auto wanted = config::parse_endpoint(line.substr(first + 1, last - first - 1));
    if (!wanted) return fail(http_answer("400 Bad Request", "CONNECT wants host:port"));
    want(wanted.value().host, wanted.value().port);
}

/// @return false when it has failed.
bool HttpConnectPreamble::read_fields(std::string_view fields, bool host_needed) {
    std::size_t hosts = 0;
    while (!fields.starts_with(line_end)) {
        const auto end = fields.find(line_end);
        const auto line = fields.substr(0, end);
        const auto name = line.substr(0, line.find(':'));
        const bool whole = name.size() < line.size() && is_token(name) &&
                           line.find('\0') == std::string_view::npos;
        if (!whole) {
            fail(http_answer("400 Bad Request", "a header field is malformed"));
            return false;
        }
        if (is_host_field(name)) ++hosts;
        fields.remove_prefix(end + line_end.size());
    }
    if (hosts == 1 || (hosts == 0 && !host_needed)) return true;
    fail(http_answer("400 Bad Request", "exactly one Host field is needed"));
    return false;
}

}  // namespace umbra::gateway
