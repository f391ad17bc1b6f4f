#pragma once

#include <umbra/sdk/result.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

typedef struct ssl_ctx_st SSL_CTX;
typedef struct x509_st X509;

namespace umbra::gateway {

/// Which end of a link this process is. The agent dials; the gateway listens.
enum class Side { agent, gateway };

/// Own key and self-signed certificate, ready for links. Copies share it. Any thread.
///
/// TLS 1.3 only, ALPN "umbra/1.1" or "umbra/1", both sides present a certificate. Nobody's
/// certificate is believed for its content: an end is known by the pin of its public key, "sha256:"
/// and 64 hexadecimal digits over the SubjectPublicKeyInfo.
class TlsIdentity {
public:
    /// Reads `tls.key` and `tls.crt` from `dir`, or makes and stores them (mode 0600) when neither
    /// exists.
    /// @param name  Goes into a new certificate, for people who look at it.
    /// @return `Errc::data_loss` when only one exists, or they do not fit or can not be read.
    static Result<TlsIdentity> load_or_create(const std::filesystem::path& dir,
                                              std::string_view name, Side side);

    /// Pin of the own key.
    [[nodiscard]] const std::string& pin() const noexcept { return pin_; }
    [[nodiscard]] SSL_CTX* context() const noexcept { return context_.get(); }
    [[nodiscard]] Side side() const noexcept { return side_; }

private:
    TlsIdentity() = default;

    std::shared_ptr<SSL_CTX> context_;
    std::string pin_;
    Side side_ = Side::agent;
};

/// "sha256:..." of the certificate's public key; empty when there is none.
[[nodiscard]] std::string pin_of(X509* certificate);

/// "sha256:" and 64 lower-case hexadecimal digits.
[[nodiscard]] bool is_pin(std::string_view text) noexcept;

}  // namespace umbra::gateway
