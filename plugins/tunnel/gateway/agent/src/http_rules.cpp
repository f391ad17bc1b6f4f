#include "http_rules.hpp"

#include <algorithm>

namespace umbra::gateway {

namespace {

constexpr int decodings_max = 4;

int hex(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/// "..", and what some servers take for it: "..;name=value".
bool has_dot_segment(std::string_view path) {
    while (!path.empty()) {
        path.remove_prefix(1);  // The slash.
        const std::size_t end = std::min(path.find('/'), path.size());
        const std::string_view segment = path.substr(0, end);
        const std::string_view name = segment.substr(0, segment.find(';'));
        if (name == "." || name == "..") return true;
        path.remove_prefix(end);
    }
    return false;
}

/// Longer than it needs to be, which some decoders take for the short form.
bool has_overlong_utf8(std::string_view bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto byte = static_cast<unsigned char>(bytes[i]);
        const auto next = static_cast<unsigned char>(i + 1 < bytes.size() ? bytes[i + 1] : '\xff');
        if (byte == 0xc0 || byte == 0xc1 || (byte == 0xe0 && next < 0xa0) ||
            (byte == 0xf0 && next < 0x90))
            return true;
    }
    return false;
}

/// What one round of percent-decoding makes of a path; a fault when that could be read in two ways.
struct Decoding {
    std::string path;
    bool changed = false;
    const char* fault = nullptr;
};

Decoding decoded(std::string_view path, bool strict) {
    Decoding out;
    for (std::size_t i = 0; i < path.size(); ++i) {
        if (path[i] != '%') {
            out.path += path[i];
            continue;
        }
        const int high = i + 1 < path.size() ? hex(path[i + 1]) : -1;
        const int low = i + 2 < path.size() ? hex(path[i + 2]) : -1;
        if (high < 0 || low < 0) {
            // Decoded text may hold a percent sign of its own.
            if (strict) out.fault = "a malformed percent-encoding";
            out.path += path[i];
            continue;
        }
        const int byte = high * 16 + low;
        if (byte == '/') out.fault = "an encoded slash";
        if (byte == '\\') out.fault = "an encoded backslash";
        if (byte < 0x20 || byte == 0x7f) out.fault = "an encoded control character";
        out.path += static_cast<char>(byte);
        out.changed = true;
        i += 2;
    }
    return out;
}

std::string authority(const Endpoint& at, bool tls) {
    const bool v6 = at.host.find(':') != std::string::npos;
    const std::string host = v6 ? "[" + at.host + "]" : at.host;
    return at.port == (tls ? 443 : 80) ? host : host + ":" + std::to_string(at.port);
}

void set_field(std::vector<HttpField>& fields, std::string_view name, std::string value) {
    std::erase_if(fields, [&](const HttpField& field) { return same_name(field.name, name); });
    fields.push_back({std::string(name), std::move(value)});
}

const char* reason_of(int status) {
    switch (status) {
        case 400:
            return "Bad Request";
        case 403:
            return "Forbidden";
        case 405:
            return "Method Not Allowed";
        case 414:
            return "URI Too Long";
        case 431:
            return "Request Header Fields Too Large";
        case 501:
            return "Not Implemented";
        case 502:
            return "Bad Gateway";
        case 504:
            return "Gateway Timeout";
        case 505:
            return "HTTP Version Not Supported";
        default:
            return "Error";
    }
}

}  // namespace

std::optional<HttpFault> target_fault(std::string_view target) {
    const auto bad = [](const char* what) {
        return HttpFault{400, std::string("a target with ") + what};
    };
    if (target.size() > target_bytes_max) return HttpFault{414, "a target that is too long"};
    if (!target.starts_with('/')) return HttpFault{400, "a target that does not begin with \"/\""};
    for (const char c : target) {
        if (c <= 0x20 || c >= 0x7f) return bad("bytes outside printable ASCII");
        if (c == '\\') return bad("a backslash");
        if (c == '#') return bad("a fragment");
    }
    std::string path(target.substr(0, target.find('?')));
    for (int round = 0;; ++round) {
        if (has_dot_segment(path)) return bad("a dot segment");
        if (has_overlong_utf8(path)) return bad("overlong UTF-8");
        Decoding next = decoded(path, round == 0);
        if (next.fault != nullptr) return bad(next.fault);
        if (!next.changed) return std::nullopt;
        if (round == decodings_max) return bad("too many layers of percent-encoding");
        path = std::move(next.path);
    }
}

bool covers_path(const Resource& resource, std::string_view path) {
    if (path == resource.path) return true;
    if (!resource.sub_paths || !path.starts_with(resource.path)) return false;
    return resource.path.ends_with('/') || path[resource.path.size()] == '/';
}

const Resource* permitting(const Mapping& mapping, std::string_view method, std::string_view path,
                           bool upgrade) {
    const auto permits = [&](const Resource& resource) {
        const bool listed = std::find(resource.methods.begin(), resource.methods.end(), method) !=
                            resource.methods.end();
        const bool any = resource.methods.empty() && method != "TRACE" && method != "CONNECT";
        return resource.active && (listed || any) && (!upgrade || resource.upgrade) &&
               covers_path(resource, path);
    };
    const auto found = std::find_if(mapping.resources.begin(), mapping.resources.end(), permits);
    return found == mapping.resources.end() ? nullptr : &*found;
}

HttpRequest forwarded(HttpRequest request, const Mapping& mapping, const Endpoint& backend,
                      std::string_view client_address) {
    std::string addresses;
    for (const HttpField& field : request.fields)
        if (same_name(field.name, "x-forwarded-for"))
            addresses += (addresses.empty() ? "" : ", ") + field.value;
    addresses += (addresses.empty() ? "" : ", ") + std::string(client_address);
    set_field(request.fields, "X-Forwarded-For", std::move(addresses));
    std::erase_if(request.fields,
                  [](const HttpField& f) { return same_name(f.name, "x-forwarded-host"); });
    if (!request.host.empty()) set_field(request.fields, "X-Forwarded-Host", request.host);
    if (find_field(request.fields, "x-forwarded-proto") == nullptr)
        request.fields.push_back({"X-Forwarded-Proto", "http"});
    if (mapping.rewrite_host)
        set_field(request.fields, "Host", authority(backend, mapping.protocol.ends_with("+tls")));
    return request;
}

void rewrite_locations(HttpResponse& response, const Mapping& mapping, const Endpoint& backend) {
    if (!mapping.rewrite_host) return;
    const bool tls = mapping.protocol.ends_with("+tls");
    const std::string own = (tls ? "https://" : "http://") + authority(backend, tls);
    for (HttpField& field : response.fields) {
        const bool is_location =
            same_name(field.name, "location") || same_name(field.name, "content-location");
        if (!is_location || !field.value.starts_with(own)) continue;
        const std::string rest = field.value.substr(own.size());
        if (rest.empty())
            field.value = "/";
        else if (rest.front() == '/' && !rest.starts_with("//"))
            field.value = rest;
    }
}

std::string own_answer(int status, std::string_view text, bool keep_alive, bool with_body) {
    const std::string body = std::string(text) + "\n";
    std::string out = "HTTP/1.1 " + std::to_string(status) + " " + reason_of(status) +
                      "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " +
                      std::to_string(body.size()) + "\r\nCache-Control: no-store\r\n";
    if (!keep_alive) out += "Connection: close\r\n";
    out += "\r\n";
    return with_body ? out + body : out;
}

}  // namespace umbra::gateway
