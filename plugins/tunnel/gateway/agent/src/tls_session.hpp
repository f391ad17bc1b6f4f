#pragma once

#include <umbra/gateway/wire.hpp>
#include <umbra/sdk/result.hpp>
#include <umbra/sdk/tunnel.hpp>

#include <openssl/types.h>

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace umbra::gateway {

/// Whom to trust: what OpenSSL needs to know of a mapping's `tls_` keys, made once and shared by
/// its connections. Belongs to the loop's thread.
class TlsTrust {
public:
    /// @return the place, key and remedy as an error when a file can not be used.
    [[nodiscard]] Result<std::shared_ptr<SSL_CTX>> context_for(const BackendTls& tls);
    /// The files are read again when they are needed next.
    void forget() { contexts_.clear(); }

private:
    std::map<std::string, std::shared_ptr<SSL_CTX>> contexts_;  ///< By CA file.
};

/// The client's end of one TLS connection to a backend, without a socket: encrypted bytes in and
/// out, plain ones out and in. TLS 1.2 or 1.3, always verified: by a chain to a trusted CA and the
/// name, or by a pinned key.
class TlsSession {
public:
    enum class Step {
        done,
        wants_input,  ///< Feed more.
        ended,        ///< The backend said that nothing will come any more.
        failed,       ///< See `fault()`.
    };

    /// @param host  Of the backend; the name in its certificate unless `tls` has another.
    [[nodiscard]] static Result<std::unique_ptr<TlsSession>> make(SSL_CTX& context,
                                                                  const BackendTls& tls,
                                                                  const std::string& host);
    ~TlsSession();
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;

    /// `done` says that the backend is the right one.
    [[nodiscard]] Step handshake();
    [[nodiscard]] Step read(std::span<char> room, std::size_t& count);
    [[nodiscard]] Step write(std::string_view bytes);
    /// Says that nothing will come from here any more; reading goes on.
    void finish();

    /// Encrypted bytes from the backend.
    void feed(std::span<const char> bytes);
    /// Encrypted bytes towards it.
    [[nodiscard]] std::string take_output();
    [[nodiscard]] const std::string& fault() const noexcept { return fault_; }

private:
    TlsSession(SSL* ssl, BIO* in, BIO* out, std::string pin)
        : ssl_(ssl), in_(in), out_(out), pin_(std::move(pin)) {}
    [[nodiscard]] Step step_after(int result);
    [[nodiscard]] bool key_is_pinned();

    SSL* ssl_;
    BIO *in_, *out_;  ///< Owned by `ssl_`.
    std::string pin_;
    std::string fault_;
};

}  // namespace umbra::gateway
