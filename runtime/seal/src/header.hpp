#pragma once

#include <umbra/seal/seal.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace umbra::seal {

inline constexpr std::uint32_t format_version = 1;
inline constexpr std::size_t salt_bytes = 16;
inline constexpr std::size_t nonce_bytes = 24;
inline constexpr std::size_t check_bytes = 32;
/// What the check covers: everything that stands before it.
inline constexpr std::size_t header_checked_bytes = 64;

/// The first bytes of a sealed file. Nothing in them is secret.
struct Header {
    Cost cost;
    std::array<unsigned char, salt_bytes> salt{};
    std::array<unsigned char, nonce_bytes> nonce{};
    /// Keyed hash of what stands before it: tells a wrong passphrase without touching the content.
    std::array<unsigned char, check_bytes> check{};

    bool operator==(const Header&) const = default;
};

/// `header_bytes` bytes, the last of them a checksum, which tells damage from a wrong passphrase.
[[nodiscard]] std::string encode(const Header& header);
/// Errors as of unseal(), without those that need the passphrase.
[[nodiscard]] Result<Header> decode(std::string_view sealed);
/// Whether somebody may ask for this.
[[nodiscard]] bool is_allowed(Cost cost);

}  // namespace umbra::seal
