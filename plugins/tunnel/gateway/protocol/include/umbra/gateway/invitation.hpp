#pragma once

#include <umbra/gateway/control.hpp>
#include <umbra/sdk/result.hpp>

#include <string>
#include <string_view>

namespace umbra::gateway {

/// What `umbra-gateway invite` prints and a node uses up to enrol: single use, short-lived.
///
/// As text: "umbra-gw1." and the base64url (no padding) of id | secret | pin. The gateway keeps
/// SHA-256(secret) only, which is the HMAC key of `msg::Enrol` on both sides.
struct Invitation {
    InvitationId id{};
    Digest secret{};
    Digest gateway_pin{};  ///< SHA-256 of the gateway's SubjectPublicKeyInfo.

    bool operator==(const Invitation&) const = default;
};

[[nodiscard]] std::string to_text(const Invitation& invitation);
/// Spaces and line ends around the text are forgiven.
/// @return `Errc::invalid`, without a word of the text: it holds a secret.
[[nodiscard]] Result<Invitation> parse_invitation(std::string_view text);

/// "sha256:" and 64 hexadecimal digits, as `Link::peer_pin()` has it.
[[nodiscard]] std::string pin_text(const Digest& pin);
/// @return `Errc::invalid` for anything else.
[[nodiscard]] Result<Digest> parse_pin(std::string_view text);
/// A pin, and another one or none.
[[nodiscard]] bool well_formed(const KeyPins& pins);

}  // namespace umbra::gateway
