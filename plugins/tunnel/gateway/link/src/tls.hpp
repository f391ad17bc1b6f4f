#pragma once

#include "identity.hpp"
#include <umbra/gateway/identity.hpp>
#include <umbra/gateway/wire.hpp>
#include <umbra/sdk/result.hpp>

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace umbra::gateway {

/// Plaintext to encrypt at once: with what four records add it fits in one of the kernel's segments
/// (64 KiB with headers), where a few bytes more would be a segment of their own.
inline constexpr std::size_t slab_bytes = (64u << 10) - 160;

/// TLS over a non-blocking socket that somebody else watches and owns.
///
/// Reads straight from the descriptor into OpenSSL's buffer. What is written gathers as ciphertext
/// in one buffer, and `flush()` hands it to the kernel: one send for many records.
class Tls {
public:
    enum class Step {
        done,
        blocked,  ///< The socket has to become readable (read, handshake) or writable (flush).
        ended,    ///< The peer closed.
        failed,   ///< See `why()`.
    };

    Tls(const TlsIdentity& identity, int fd, KeyPins expected);
    Tls(const Tls&) = delete;
    Tls& operator=(const Tls&) = delete;

    [[nodiscard]] Step handshake();
    /// Decrypts at most `out.size()` bytes, `count` of them; `done` also for a partial fill.
    [[nodiscard]] Step read(std::span<std::uint8_t> out, std::size_t& count);
    /// Encrypts all of `bytes` into the unsent buffer.
    [[nodiscard]] Step write(ByteView bytes);
    /// Queues the notice that no more will come.
    void finish();
    [[nodiscard]] Step flush();

    [[nodiscard]] std::size_t unsent() const noexcept { return used_ - head_; }
    [[nodiscard]] const std::string& peer_pin() const noexcept { return check_.found; }
    /// Of the protocol; after the handshake.
    [[nodiscard]] int minor() const noexcept { return minor_; }
    [[nodiscard]] const std::string& why() const noexcept { return why_; }
    /// The peer showed another key than the expected one.
    [[nodiscard]] bool wrong_key() const noexcept {
        return !check_.found.empty() && !check_.accepts(check_.found);
    }
    /// `failed` was the socket's fault, not that of what came over it.
    [[nodiscard]] bool socket_failed() const noexcept { return errno_ != 0; }
    [[nodiscard]] Result<Bytes> exporter(std::string_view label, std::size_t length) const;

    /// For the callbacks of OpenSSL.
    int bio_read(char* data, std::size_t size, std::size_t* count);
    void bio_write(const char* data, std::size_t size);

private:
    struct Free {
        void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
    };
    [[nodiscard]] Step outcome(int result, const char* doing);
    void make_room(std::size_t more);

    std::unique_ptr<SSL, Free> ssl_;
    PinCheck check_;
    int minor_ = 0;
    int fd_;
    bool ended_ = false;
    bool emptied_ = false;  ///< The socket gave less than this read asked for.
    int errno_ = 0;
    std::uint64_t records_ = 0;
    /// Ciphertext from `head_` to `used_`. Not a vector: that would clear what is written over.
    std::unique_ptr<std::uint8_t[]> out_;
    std::size_t room_ = 0, head_ = 0, used_ = 0;
    std::string why_;
};

}  // namespace umbra::gateway
