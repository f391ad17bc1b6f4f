#include "mappings_file.hpp"

#include <umbra/process/spawn.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <string_view>
#include <system_error>
#include <unistd.h>

namespace umbra::exec_tunnel {

namespace {

/// Writes JSON one value after the other; commas come by themselves.
class Json {
public:
    Json& begin(char bracket) {
        separate();
        text_ += bracket;
        first_ = true;
        return *this;
    }
    Json& end(char bracket) {
        text_ += bracket;
        first_ = false;
        return *this;
    }
    Json& key(std::string_view name) {
        put(name);
        text_ += ": ";
        first_ = true;  // No comma before the value.
        return *this;
    }
    Json& put(std::string_view value) {
        separate();
        text_ += '"';
        for (const char c : value) escape(c);
        text_ += '"';
        return *this;
    }
    Json& put(std::uint64_t number) { return raw(std::to_string(number)); }
    Json& put(bool value) { return raw(value ? "true" : "false"); }
    [[nodiscard]] const std::string& text() const { return text_; }

private:
    void separate() {
        if (!first_) text_ += ", ";
        first_ = false;
    }
    Json& raw(std::string_view value) {
        separate();
        text_ += value;
        return *this;
    }
    void escape(char c) {
        constexpr std::string_view digits = "0123456789abcdef";
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            text_ += '\\';
            text_ += c;
        } else if (byte < 0x20) {
            text_ += "\\u00";
            text_ += digits[byte >> 4];
            text_ += digits[byte & 15];
        } else {
            text_ += c;
        }
    }

    std::string text_;
    bool first_ = true;
};

void put(Json& json, const Backend& backend) {
    json.begin('{').key("host").put(backend.host).key("port").put(std::uint64_t{backend.port});
    json.key("down").put(backend.down).end('}');
}

void put(Json& json, const Resource& resource) {
    json.begin('{').key("name").put(resource.name).key("path").put(resource.path);
    json.key("sub_paths").put(resource.sub_paths).key("methods").begin('[');
    for (const auto& method : resource.methods) json.put(method);
    json.end(']').key("upgrade").put(resource.upgrade);
    json.key("active").put(resource.active).end('}');
}

void put(Json& json, const Mapping& mapping) {
    json.begin('{').key("name").put(mapping.name);
    json.key("virtual_host").put(mapping.virtual_host);
    json.key("virtual_port").put(std::uint64_t{mapping.virtual_port});
    json.key("virtual_port_last")
        .put(std::uint64_t{std::max(mapping.virtual_port, mapping.virtual_port_last)});
    json.key("internal_host").put(mapping.internal_host);
    json.key("internal_port").put(std::uint64_t{mapping.internal_port});
    json.key("protocol").put(mapping.protocol).key("active").put(mapping.active);
    json.key("backends").begin('[');
    if (mapping.backends.empty()) put(json, Backend{mapping.internal_host, mapping.internal_port});
    for (const auto& backend : mapping.backends) put(json, backend);
    json.end(']').key("tls").begin('{');
    json.key("server_name").put(mapping.tls.server_name).key("ca_file").put(mapping.tls.ca_file);
    json.key("pin").put(mapping.tls.pin).end('}');
    json.key("proxy_v2").put(mapping.proxy_v2).key("rewrite_host").put(mapping.rewrite_host);
    json.key("resources").begin('[');
    for (const auto& resource : mapping.resources) put(json, resource);
    json.end(']').end('}');
}

Error cannot_write(const std::string& path) {
    const int error = errno;
    return {error == ENOSPC ? Errc::exhausted : Errc::unavailable,
            "cannot write " + path + ": " + std::generic_category().message(error), error};
}

}  // namespace

std::string mappings_json(const std::string& tunnel, const TunnelSpec& spec, std::uint64_t epoch) {
    Json json;
    json.begin('{').key("tunnel").put(tunnel).key("instance").put(spec.node);
    json.key("epoch").put(epoch).key("mappings").begin('[');
    for (const auto& mapping : spec.mappings) put(json, mapping);
    json.end(']').key("channels").begin('[');
    for (const auto& channel : spec.channels) {
        json.begin('{').key("name").put(channel.name).key("listen").put(channel.listen);
        json.key("target").put(channel.target).end('}');
    }
    json.end(']').end('}');
    return json.text() + "\n";
}

Result<Done> replace_file(const std::string& path, const std::string& text) {
    const auto fresh = path + ".tmp";
    {
        const process::Descriptor file{
            ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
        if (!file) return cannot_write(fresh);
        errno = ENOSPC;  // Of a write that is short.
        if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
            return cannot_write(fresh);
    }
    if (std::rename(fresh.c_str(), path.c_str()) != 0) return cannot_write(path);
    return Done{};
}

}  // namespace umbra::exec_tunnel
