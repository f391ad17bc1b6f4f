#pragma once

#include <umbra/gateway/control.hpp>

#include <openssl/ssl.h>

#include <optional>
#include <string>
#include <string_view>

namespace umbra::gateway {

/// What the certificate callback of a connection compares with and writes to. The connection's
/// application data points to it.
struct PinCheck {
    KeyPins expected;  ///< Without a present one: any.
    std::string found;

    [[nodiscard]] bool accepts(std::string_view pin) const {
        return expected.present.empty() || expected.contains(pin);
    }
};

/// The minor version of the protocol that the handshake agreed on; nothing: it is not ours.
[[nodiscard]] std::optional<int> agreed_minor(SSL* ssl);

}  // namespace umbra::gateway
