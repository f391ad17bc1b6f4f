#pragma once

#include <umbra/sdk/result.hpp>

#include <string>
#include <string_view>

namespace umbra::zeromq {

/// A CURVE key pair, both halves in Z85 (40 characters). The public half is the identity.
struct KeyPair {
    std::string public_key;
    std::string secret_key;
};

constexpr std::size_t z85_key_size = 40;

/// True for 40 characters that decode to a 32-byte key.
[[nodiscard]] bool is_key(std::string_view text);

/// A fresh pair. @throws Failure when libzmq was built without CURVE.
[[nodiscard]] KeyPair make_key_pair();

/// The pair that belongs to a secret half.
[[nodiscard]] Result<KeyPair> key_pair_of(const std::string& secret_key);

/// The pair kept in `<state_dir>/curve.key` (0600), made durably at the first call. A file that
/// others may read, or that is damaged, is an error: a silently replaced identity would unpair the
/// instance.
[[nodiscard]] Result<KeyPair> load_or_make_key_pair(const std::string& state_dir);

}  // namespace umbra::zeromq
