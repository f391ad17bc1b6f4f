#include "mux.hpp"

namespace umbra::ssh_tunnel::mux {

namespace {

enum Type : std::uint32_t {
    type_hello = 0x00000001,
    type_open_forward = 0x10000006,
    type_close_forward = 0x10000007,
    type_stop_listening = 0x10000009,
    type_ok = 0x80000001,
    type_permission_denied = 0x80000002,
    type_failure = 0x80000003,
    type_remote_port = 0x80000007,
};
constexpr std::uint32_t forward_local = 1, forward_remote = 2;

class Writer {
public:
    explicit Writer(std::uint32_t type) { put(type); }
    Writer& put(std::uint32_t number) {
        for (const int shift : {24, 16, 8, 0})
            body_.push_back(static_cast<char>((number >> shift) & 0xff));
        return *this;
    }
    Writer& put(const std::string& text) {
        put(static_cast<std::uint32_t>(text.size()));
        body_ += text;
        return *this;
    }
    [[nodiscard]] std::string message() const {
        Writer length{static_cast<std::uint32_t>(body_.size())};
        return length.body_ + body_;
    }

private:
    std::string body_;
};

class Reader {
public:
    explicit Reader(std::string_view bytes) : bytes_(bytes) {}
    std::optional<std::uint32_t> number() {
        if (bytes_.size() < 4) return std::nullopt;
        std::uint32_t value = 0;
        for (int i = 0; i < 4; ++i)
            value = value << 8 | static_cast<unsigned char>(bytes_[static_cast<std::size_t>(i)]);
        bytes_.remove_prefix(4);
        return value;
    }
    std::optional<std::string> text() {
        const auto size = number();
        if (!size || *size > bytes_.size()) return std::nullopt;
        std::string value{bytes_.substr(0, *size)};
        bytes_.remove_prefix(*size);
        return value;
    }

private:
    std::string_view bytes_;
};

std::string about(std::uint32_t type, std::uint32_t request, const Forward& forward) {
    return Writer{type}
        .put(request)
        .put(forward.kind == Forward::Kind::local ? forward_local : forward_remote)
        .put(forward.listen_host)
        .put(std::uint32_t{forward.listen_port})
        .put(forward.connect_host)
        .put(std::uint32_t{forward.connect_port})
        .message();
}

std::optional<Message> parse(std::string_view body) {
    Reader reader{body};
    const auto type = reader.number();
    const auto first = reader.number();
    if (!type || !first) return std::nullopt;
    switch (*type) {
        case type_hello:
            return Hello{*first};
        case type_ok:
        case type_remote_port:
            return Answer{*first, true, {}};
        case type_permission_denied:
        case type_failure:
            if (auto reason = reader.text()) return Answer{*first, false, std::move(*reason)};
            return std::nullopt;
        default:
            return std::nullopt;
    }
}

}  // namespace

std::string hello() { return Writer{type_hello}.put(version).message(); }

std::string open_forward(std::uint32_t request, const Forward& forward) {
    return about(type_open_forward, request, forward);
}

std::string close_forward(std::uint32_t request, const Forward& forward) {
    return about(type_close_forward, request, forward);
}

std::string stop_listening(std::uint32_t request) {
    return Writer{type_stop_listening}.put(request).message();
}

Result<std::optional<Message>> take(std::string& bytes) {
    const auto size = Reader{bytes}.number();
    if (!size) return std::optional<Message>{};
    if (*size > message_bytes_max)
        return Error{Errc::invalid, "the control socket of ssh speaks another protocol"};
    if (bytes.size() < 4 + *size) return std::optional<Message>{};
    auto message = parse(std::string_view{bytes}.substr(4, *size));
    if (!message)
        return Error{Errc::invalid, "ssh sent a message that this provider does not know"};
    bytes.erase(0, 4 + *size);
    return message;
}

}  // namespace umbra::ssh_tunnel::mux
