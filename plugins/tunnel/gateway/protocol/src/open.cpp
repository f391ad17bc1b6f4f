#include <umbra/gateway/control.hpp>
#include <umbra/gateway/open.hpp>

namespace umbra::gateway {
namespace {

constexpr std::uint8_t open_version = 1;

/// Puts the length in front of what `body` holds.
Bytes framed(Writer body) {
    Writer out;
    out.u16(static_cast<std::uint16_t>(body.size()));
    out.raw(body.bytes());
    return std::move(out).take();
}

Error invalid(std::string what) { return {Errc::invalid, "stream refused: " + std::move(what)}; }

/// The body behind the length in front, or nothing while it is incomplete.
Result<std::optional<ByteView>> body_of(ByteView bytes, std::size_t limit) {
    if (bytes.size() < 2) return std::optional<ByteView>{};
    const std::size_t length = Reader{bytes.first(2)}.u16();
    if (length > limit)
        return invalid("preamble of " + std::to_string(length) + " bytes, the limit is " +
                       std::to_string(limit));
    if (bytes.size() < 2 + length) return std::optional<ByteView>{};
    return std::optional{bytes.subspan(2, length)};
}

}  // namespace

const char* name_of(StatusCode code) noexcept {
    switch (code) {
        case StatusCode::ok:
            return "ok";
        case StatusCode::denied:
            return "denied";
        case StatusCode::refused:
            return "refused";
        case StatusCode::timeout:
            return "timeout";
        case StatusCode::stale_epoch:
            return "stale epoch";
        case StatusCode::limit:
            return "limit";
        case StatusCode::draining:
            return "draining";
    }
    return "unknown";
}

Bytes encode(const OpenRequest& request) {
    Writer body;
    body.u8(open_version);
    body.u64(request.epoch);
    body.u16(request.port);
    body.text(request.host, host_bytes_max);
    body.text(request.client, client_bytes_max);
    return framed(std::move(body));
}

Bytes encode(const OpenStatus& status) {
    Writer body;
    body.u8(static_cast<std::uint8_t>(status.code));
    body.text(status.text, text_bytes_max);
    return framed(std::move(body));
}

Result<std::optional<Decoded<OpenRequest>>> decode_open(ByteView bytes) {
    auto body = body_of(bytes, open_bytes_max);
    if (!body) return body.error();
    if (!body->has_value()) return std::optional<Decoded<OpenRequest>>{};
    Reader reader{**body};
    Decoded<OpenRequest> found;
    const std::uint8_t version = reader.u8();
    if (reader.ok() && version != open_version)
        return invalid("OPEN of version " + std::to_string(version));
    found.value.epoch = reader.u64();
    found.value.port = reader.u16();
    found.value.host = reader.text(host_bytes_max);
    found.value.client = reader.text(client_bytes_max);
    if (!reader.done()) return invalid("malformed OPEN");
    found.taken = 2 + (*body)->size();
    return std::optional{std::move(found)};
}

Result<std::optional<Decoded<OpenStatus>>> decode_status(ByteView bytes) {
    auto body = body_of(bytes, 1 + 2 + text_bytes_max);
    if (!body) return body.error();
    if (!body->has_value()) return std::optional<Decoded<OpenStatus>>{};
    Reader reader{**body};
    Decoded<OpenStatus> found;
    const std::uint8_t code = reader.u8();
    found.value.text = reader.text(text_bytes_max);
    if (!reader.done() || code > static_cast<std::uint8_t>(StatusCode::draining))
        return invalid("malformed STATUS");
    found.value.code = static_cast<StatusCode>(code);
    found.taken = 2 + (*body)->size();
    return std::optional{std::move(found)};
}

}  // namespace umbra::gateway
