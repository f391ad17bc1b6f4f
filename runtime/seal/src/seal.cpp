#include "header.hpp"
#include <umbra/seal/seal.hpp>

#include <algorithm>
#include <sodium.h>

namespace umbra::seal {

namespace {

static_assert(chunk_overhead == crypto_secretstream_xchacha20poly1305_ABYTES);
constexpr std::size_t key_bytes = crypto_secretstream_xchacha20poly1305_KEYBYTES;

const unsigned char* raw(std::string_view bytes) {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

/// One key for the content and one for the check of the header; overwritten at the end.
class Keys {
public:
    Keys() = default;
    Keys(const Keys&) = delete;
    Keys& operator=(const Keys&) = delete;
    ~Keys() { sodium_memzero(bytes_.data(), bytes_.size()); }

    Result<Done> derive(const Secret& passphrase, const Header& header) {
        if (sodium_init() < 0) return Error{Errc::unavailable, "there is no random source"};
        const auto text = passphrase.view();
        const std::size_t memory = std::size_t{header.cost.memory_kib} * 1024;
        if (crypto_pwhash(bytes_.data(), bytes_.size(), text.data(), text.size(),
                          header.salt.data(), header.cost.passes, memory,
                          crypto_pwhash_ALG_ARGON2ID13) == 0) {
            return Done{};
        }
        return Error{Errc::exhausted, "deriving the key takes " +
                                          std::to_string(header.cost.memory_kib / 1024) +
                                          " MiB of memory, which are not there"};
    }
    [[nodiscard]] const unsigned char* content() const { return bytes_.data(); }

    [[nodiscard]] std::array<unsigned char, check_bytes> check(std::string_view covered) const {
        std::array<unsigned char, check_bytes> sum{};
        crypto_generichash(sum.data(), sum.size(), raw(covered), covered.size(),
                           bytes_.data() + key_bytes, key_bytes);
        return sum;
    }

private:
    std::array<unsigned char, 2 * key_bytes> bytes_{};
};

/// State of the cipher; overwritten at the end.
struct Stream {
    Stream() = default;
    Stream(const Stream&) = delete;
    Stream& operator=(const Stream&) = delete;
    ~Stream() { sodium_memzero(&state, sizeof state); }
    crypto_secretstream_xchacha20poly1305_state state{};
};

Result<Done> check_passphrase(const Secret& passphrase) {
    const std::size_t size = passphrase.view().size();
    if (size != 0 && size <= passphrase_bytes_max) return Done{};
    return Error{Errc::invalid, "a passphrase has 1 to " + std::to_string(passphrase_bytes_max) +
                                    " bytes, not " + std::to_string(size)};
}

Error damaged_from(std::size_t at) {
    return {Errc::data_loss, "is damaged or cut off, from byte " + std::to_string(at) +
                                 " on; use another copy of it"};
}

}  // namespace

Result<std::string> seal(std::string_view content, const Secret& passphrase, Cost cost) {
    if (auto fit = check_passphrase(passphrase); !fit) return fit.error();
    if (!is_allowed(cost)) return Error{Errc::invalid, "such a cost is not allowed"};
    if (content.size() > content_bytes_max) {
        return Error{Errc::exhausted, "there are " + std::to_string(content.size()) +
                                          " bytes to seal, at most " +
                                          std::to_string(content_bytes_max) + " are possible"};
    }
    Header header{.cost = cost};
    randombytes_buf(header.salt.data(), header.salt.size());
    Keys keys;
    if (auto derived = keys.derive(passphrase, header); !derived) return derived.error();
    Stream stream;
    crypto_secretstream_xchacha20poly1305_init_push(&stream.state, header.nonce.data(),
                                                    keys.content());
    header.check = keys.check(std::string_view{encode(header)}.substr(0, header_checked_bytes));

    std::string sealed = encode(header);
    const std::string front = sealed;
    sealed.resize(sealed_bytes(content.size()));
    std::size_t at = header_bytes;
    for (bool first = true, last = false; !last; first = false) {
        const auto part = content.substr(0, chunk_bytes);
        content.remove_prefix(part.size());
        last = content.empty();
        // The header belongs to the first part, so that the two cannot be taken from two files.
        crypto_secretstream_xchacha20poly1305_push(
            &stream.state, reinterpret_cast<unsigned char*>(sealed.data() + at), nullptr, raw(part),
            part.size(), first ? raw(front) : nullptr, first ? front.size() : 0,
            last ? crypto_secretstream_xchacha20poly1305_TAG_FINAL : 0);
        at += part.size() + chunk_overhead;
    }
    return sealed;
}

Result<Done> check_header(std::string_view sealed) {
    const auto header = decode(sealed);
    if (!header) return header.error();
    return Done{};
}

Result<Secret> unseal(std::string_view sealed, const Secret& passphrase) {
    if (auto fit = check_passphrase(passphrase); !fit) return fit.error();
    const auto header = decode(sealed);
    if (!header) return header.error();
    if (sealed.size() > sealed_bytes(content_bytes_max)) {
        return Error{Errc::exhausted, "is larger than the " +
                                          std::to_string(sealed_bytes(content_bytes_max)) +
                                          " bytes that are possible"};
    }
    Keys keys;
    if (auto derived = keys.derive(passphrase, *header); !derived) return derived.error();
    const auto check = keys.check(sealed.substr(0, header_checked_bytes));
    if (sodium_memcmp(check.data(), header->check.data(), check.size()) != 0) {
        return Error{Errc::denied, "does not open with this passphrase"};
    }
    Stream stream;
    if (crypto_secretstream_xchacha20poly1305_init_pull(&stream.state, header->nonce.data(),
                                                        keys.content()) != 0) {
        return damaged_from(0);
    }
    const auto front = sealed.substr(0, header_bytes);
    std::string content(sealed.size() - header_bytes, '\0');
    std::size_t filled = 0;
    std::size_t at = header_bytes;
    for (bool first = true, last = false; !last; first = false) {
        const auto part = sealed.substr(at, chunk_bytes + chunk_overhead);
        unsigned char tag = 0;
        const bool authentic =
            part.size() >= chunk_overhead &&
            crypto_secretstream_xchacha20poly1305_pull(
                &stream.state, reinterpret_cast<unsigned char*>(content.data() + filled), nullptr,
                &tag, raw(part), part.size(), first ? raw(front) : nullptr,
                first ? front.size() : 0) == 0;
        last = tag == crypto_secretstream_xchacha20poly1305_TAG_FINAL;
        // The end is marked, and it is the end of the file: nothing is missing, nothing was added.
        if (!authentic || last != (at + part.size() == sealed.size())) {
            wipe(content);
            return damaged_from(at);
        }
        filled += part.size() - chunk_overhead;
        at += part.size();
    }
    content.resize(filled);
    return Secret{std::move(content)};
}

}  // namespace umbra::seal
