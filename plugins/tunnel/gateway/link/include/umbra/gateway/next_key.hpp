#pragma once

#include <umbra/sdk/result.hpp>

#include <filesystem>
#include <string>

/// The key that will replace the one of a `TlsIdentity`: `tls.next.key` beside it.
///
/// A crash at any moment leaves one whole key under the name that counts: the old one, with the
/// next one still beside it, or the new one.
namespace umbra::gateway {

/// @return its pin; empty when there is none
[[nodiscard]] Result<std::string> next_key_pin(const std::filesystem::path& dir);

/// Makes one and stores it.
/// @return its pin; `conflict` when there is one already
[[nodiscard]] Result<std::string> make_next_key(const std::filesystem::path& dir);

/// Puts it in place of the present one, which is gone then; `TlsIdentity::load_or_create` reads it
/// and makes its certificate.
/// @return `conflict` when there is none; after any other error what is on disk is unknown
[[nodiscard]] Result<Done> use_next_key(const std::filesystem::path& dir);

/// Nothing when there is none.
[[nodiscard]] Result<Done> drop_next_key(const std::filesystem::path& dir);

}  // namespace umbra::gateway
