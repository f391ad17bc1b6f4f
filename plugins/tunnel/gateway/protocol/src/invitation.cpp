#include <umbra/gateway/hex.hpp>
#include <umbra/gateway/invitation.hpp>

#include <algorithm>

namespace umbra::gateway {
namespace {

constexpr std::string_view prefix = "umbra-gw1.";
constexpr std::string_view pin_prefix = "sha256:";
constexpr std::string_view letters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::size_t raw_bytes = 16 + 32 + 32;
constexpr std::size_t text_letters = (raw_bytes * 8 + 5) / 6;

Error invalid() {
    return {Errc::invalid,
            "this is not an invitation of a gateway; copy the whole line that umbra-gateway invite "
            "printed"};
}

Result<Bytes> from_base64url(std::string_view text) {
    Bytes bytes;
    std::uint32_t held = 0;
    unsigned bits = 0;
    for (const char letter : text) {
        const auto value = letters.find(letter);
        if (value == std::string_view::npos) return invalid();
        held = (held << 6) | static_cast<std::uint32_t>(value);
        bits += 6;
        if (bits < 8) continue;
        bits -= 8;
        bytes.push_back(static_cast<std::uint8_t>(held >> bits));
        held &= (1u << bits) - 1u;
    }
    if (held != 0) return invalid();
    return bytes;
}

}  // namespace

std::string to_text(const Invitation& invitation) {
    Writer out;
    out.raw(invitation.id);
    out.raw(invitation.secret);
    out.raw(invitation.gateway_pin);
    std::string text(prefix);
    std::uint32_t held = 0;
    unsigned bits = 0;
    for (const std::uint8_t byte : out.bytes()) {
        held = (held << 8) | byte;
        for (bits += 8; bits >= 6;) {
            bits -= 6;
            text += letters[(held >> bits) & 63u];
        }
        held &= (1u << bits) - 1u;
    }
    if (bits > 0) text += letters[(held << (6 - bits)) & 63u];
    return text;
}

Result<Invitation> parse_invitation(std::string_view text) {
    constexpr std::string_view blank = " \t\r\n";
    text.remove_prefix(std::min(text.find_first_not_of(blank), text.size()));
    text = text.substr(0, text.find_last_not_of(blank) + 1);
    if (!text.starts_with(prefix)) return invalid();
    text.remove_prefix(prefix.size());
    if (text.size() != text_letters) return invalid();
    const auto bytes = from_base64url(text);
    if (!bytes) return invalid();
    Invitation invitation;
    Reader in(bytes.value());
    in.raw(invitation.id);
    in.raw(invitation.secret);
    in.raw(invitation.gateway_pin);
    if (!in.done()) return invalid();
    return invitation;
}

std::string pin_text(const Digest& pin) { return std::string(pin_prefix) + to_hex(pin); }

Result<Digest> parse_pin(std::string_view text) {
    Digest pin{};
    const Error error{Errc::invalid, "a pin is \"sha256:\" and 64 hexadecimal digits"};
    if (!text.starts_with(pin_prefix)) return error;
    text.remove_prefix(pin_prefix.size());
    if (!from_hex(text, pin)) return error;
    return pin;
}

bool well_formed(const KeyPins& pins) {
    return parse_pin(pins.present).ok() && pins.next != pins.present &&
           (pins.next.empty() || parse_pin(pins.next).ok());
}

}  // namespace umbra::gateway
