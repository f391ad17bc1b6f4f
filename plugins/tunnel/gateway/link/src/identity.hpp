#pragma once

#include <openssl/ssl.h>

#include <string>

namespace umbra::gateway {

/// What the certificate callback of a connection compares with and writes to. The connection's
/// application data points to it.
struct PinCheck {
    std::string expected;  ///< Empty: any.
    std::string found;
};

/// The handshake agreed on our protocol name.
[[nodiscard]] bool speaks_our_protocol(SSL* ssl);

}  // namespace umbra::gateway
