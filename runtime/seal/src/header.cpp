#include "header.hpp"

#include <algorithm>
#include <sodium.h>

namespace umbra::seal {

namespace {

constexpr std::string_view magic = "UMBRABAK";
/// Argon2id 1.3, the number that libsodium gives it.
constexpr std::uint32_t derivation = crypto_pwhash_ALG_ARGON2ID13;
constexpr std::size_t checksum_bytes = 16;
constexpr std::size_t version_at = 8, derivation_at = 12, passes_at = 16, memory_at = 20,
                      salt_at = 24, nonce_at = 40, check_at = 64, checksum_at = 96;
static_assert(nonce_at + nonce_bytes == check_at && check_at == header_checked_bytes);
static_assert(check_at + check_bytes == checksum_at);
static_assert(checksum_at + checksum_bytes == header_bytes);
static_assert(nonce_bytes == crypto_secretstream_xchacha20poly1305_HEADERBYTES);
static_assert(salt_bytes == crypto_pwhash_SALTBYTES);

void put(std::string& out, std::uint32_t value) {
    for (int i = 0; i < 4; ++i, value >>= 8) out.push_back(static_cast<char>(value & 0xff));
}

std::uint32_t number_at(std::string_view in, std::size_t at) {
    std::uint32_t value = 0;
    for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(in[at + i]);
    return value;
}

template <std::size_t size>
void put(std::string& out, const std::array<unsigned char, size>& bytes) {
    out.append(bytes.begin(), bytes.end());
}

template <std::size_t size>
std::array<unsigned char, size> bytes_at(std::string_view in, std::size_t at) {
    std::array<unsigned char, size> bytes{};
    std::copy_n(in.begin() + static_cast<std::ptrdiff_t>(at), size, bytes.begin());
    return bytes;
}

std::array<unsigned char, checksum_bytes> checksum_of(std::string_view covered) {
    std::array<unsigned char, checksum_bytes> sum{};
    crypto_generichash(sum.data(), sum.size(),
                       reinterpret_cast<const unsigned char*>(covered.data()), covered.size(),
                       nullptr, 0);
    return sum;
}

}  // namespace

bool is_allowed(Cost cost) {
    return cost.passes >= cost_min.passes && cost.passes <= cost_max.passes &&
           cost.memory_kib >= cost_min.memory_kib && cost.memory_kib <= cost_max.memory_kib;
}

std::string encode(const Header& header) {
    std::string out{magic};
    put(out, format_version);
    put(out, derivation);
    put(out, header.cost.passes);
    put(out, header.cost.memory_kib);
    put(out, header.salt);
    put(out, header.nonce);
    put(out, header.check);
    put(out, checksum_of(out));
    return out;
}

Result<Header> decode(std::string_view sealed) {
    if (!sealed.starts_with(magic)) {
        return Error{Errc::invalid, "is not a file that \"umbra backup\" wrote"};
    }
    const auto early = [&] {
        return Error{Errc::data_loss, "ends after " + std::to_string(sealed.size()) +
                                          " bytes, in its header; use another copy of it"};
    };
    if (sealed.size() < derivation_at) return early();
    if (const auto version = number_at(sealed, version_at); version != format_version) {
        return Error{Errc::unsupported, "has format " + std::to_string(version) +
                                            ", this program reads " +
                                            std::to_string(format_version) +
                                            "; use the version of umbra that wrote it"};
    }
    if (sealed.size() < header_bytes) return early();
    if (checksum_of(sealed.substr(0, checksum_at)) !=
        bytes_at<checksum_bytes>(sealed, checksum_at)) {
        return Error{Errc::data_loss, "is damaged in its header; use another copy of it"};
    }
    Header header;
    header.cost = {number_at(sealed, passes_at), number_at(sealed, memory_at)};
    if (number_at(sealed, derivation_at) != derivation || !is_allowed(header.cost)) {
        return Error{Errc::invalid,
                     "asks for " + std::to_string(header.cost.passes) + " passes over " +
                         std::to_string(header.cost.memory_kib) + " KiB by method " +
                         std::to_string(number_at(sealed, derivation_at)) +
                         " to derive its key, which is not allowed; use another copy of it"};
    }
    header.salt = bytes_at<salt_bytes>(sealed, salt_at);
    header.nonce = bytes_at<nonce_bytes>(sealed, nonce_at);
    header.check = bytes_at<check_bytes>(sealed, check_at);
    return header;
}

}  // namespace umbra::seal
