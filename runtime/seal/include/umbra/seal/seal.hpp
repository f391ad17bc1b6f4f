#pragma once

#include <umbra/sdk/result.hpp>
#include <umbra/seal/secret.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace umbra::seal {

/// What deriving the key from a passphrase takes, by whoever seals and by whoever guesses.
struct Cost {
    std::uint32_t passes = 0;
    std::uint32_t memory_kib = 0;

    bool operator==(const Cost&) const = default;
};

/// About half a second and 256 MiB.
inline constexpr Cost cost_usual{3, 256 * 1024};

/// What a file may ask for: its header is read before anybody has vouched for it.
inline constexpr Cost cost_min{1, 8};
inline constexpr Cost cost_max{8, 1024 * 1024};

/// Bytes of what is sealed; it is held in memory.
inline constexpr std::size_t content_bytes_max = std::size_t{1} << 30;
inline constexpr std::size_t passphrase_bytes_max = 1024;
/// Content is encrypted in parts of this size.
inline constexpr std::size_t chunk_bytes = std::size_t{64} * 1024;
/// In front of the content, and added to each part.
inline constexpr std::size_t header_bytes = 112;
inline constexpr std::size_t chunk_overhead = 17;

/// Bytes that `size` bytes of content become.
[[nodiscard]] constexpr std::size_t sealed_bytes(std::size_t size) {
    const std::size_t chunks = size == 0 ? 1 : (size + chunk_bytes - 1) / chunk_bytes;
    return header_bytes + size + chunks * chunk_overhead;
}

/// Encrypts and authenticates `content` under a passphrase: Argon2id, XChaCha20-Poly1305. The
/// format is in the README of this room.
///
/// Threads: any.
/// Errors: `invalid` for an empty or too long passphrase, or a cost beyond the limits; `exhausted`
/// for too much content, or when there is no memory for the derivation.
[[nodiscard]] Result<std::string> seal(std::string_view content, const Secret& passphrase,
                                       Cost cost = cost_usual);

/// What can be said of a sealed file without its passphrase; errors as of unseal().
[[nodiscard]] Result<Done> check_header(std::string_view sealed);

/// The inverse. Nothing is returned unless all of it is authentic.
///
/// Errors, each a clause that goes behind the name of the file: `invalid` what is no sealed file,
/// or asks for more than `cost_max`; `unsupported` another version of the format; `denied` a wrong
/// passphrase; `data_loss` damage, or an end that comes too early; `exhausted` as for seal().
[[nodiscard]] Result<Secret> unseal(std::string_view sealed, const Secret& passphrase);

}  // namespace umbra::seal
