#include "identity.hpp"

#include "key_file.hpp"
#include <umbra/gateway/identity.hpp>
#include <umbra/gateway/private_file.hpp>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

namespace umbra::gateway {
namespace {

namespace fs = std::filesystem;

/// What this end speaks, the best first. Each begins with its length.
constexpr unsigned char alpn[] = "\x09umbra/1.1\x07umbra/1";
constexpr unsigned int alpn_bytes = sizeof alpn - 1;
/// TLS reads as many records at once as fit in here.
constexpr std::size_t read_ahead_bytes = 128u << 10;
/// A pinned key does not expire; replacing it is an act of an operator.
constexpr long certificate_seconds = 20L * 365 * 24 * 3600;

using CertPtr = std::unique_ptr<X509, Free<X509_free>>;
using BioPtr = std::unique_ptr<BIO, Free<BIO_free>>;

Result<CertPtr> make_certificate(EVP_PKEY* key, std::string_view name) {
    CertPtr cert(X509_new());
    if (!cert) return openssl_error(Errc::exhausted, "cannot make a certificate");
    X509_set_version(cert.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert.get()), -24L * 3600);
    X509_gmtime_adj(X509_getm_notAfter(cert.get()), certificate_seconds);
    X509_NAME* subject = X509_get_subject_name(cert.get());
    const std::string common_name(name.substr(0, 64));
    const bool ok =
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                   reinterpret_cast<const unsigned char*>(common_name.c_str()), -1,
                                   -1, 0) == 1 &&
        X509_set_issuer_name(cert.get(), subject) == 1 && X509_set_pubkey(cert.get(), key) == 1 &&
        X509_sign(cert.get(), key, EVP_sha256()) > 0;
    if (!ok) return openssl_error(Errc::internal, "cannot make a certificate");
    return cert;
}

Result<CertPtr> read_certificate(const fs::path& path) {
    const BioPtr file(BIO_new_file(path.c_str(), "re"));
    CertPtr cert(file ? PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr) : nullptr);
    if (!cert)
        return openssl_error(Errc::data_loss, "cannot read the certificate " + path.string());
    return cert;
}

Result<Done> write_certificate(const fs::path& path, X509* cert) {
    const BioPtr memory(BIO_new(BIO_s_mem()));
    if (!memory || PEM_write_bio_X509(memory.get(), cert) != 1)
        return openssl_error(Errc::exhausted, "cannot write a certificate");
    char* text = nullptr;
    const long size = BIO_get_mem_data(memory.get(), &text);
    return replace_file(path, {text, static_cast<std::size_t>(size)});
}

int accept_by_pin(X509_STORE_CTX* store, void*) {
    auto* ssl =
        static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto* check = static_cast<PinCheck*>(SSL_get_app_data(ssl));
    check->found = pin_of(X509_STORE_CTX_get0_cert(store));
    const bool accepted = !check->found.empty() && check->accepts(check->found);
    if (!accepted) X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return accepted ? 1 : 0;
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_length,
                    const unsigned char* in, unsigned int in_length, void*) {
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(&chosen, out_length, alpn, alpn_bytes, in, in_length) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

Result<std::shared_ptr<SSL_CTX>> make_context(EVP_PKEY* key, X509* cert, Side side) {
    std::shared_ptr<SSL_CTX> context(
        SSL_CTX_new(side == Side::agent ? TLS_client_method() : TLS_server_method()),
        Free<SSL_CTX_free>{});
    SSL_CTX* ctx = context.get();
    if (ctx == nullptr) return openssl_error(Errc::exhausted, "cannot set up TLS");
    const bool ok = SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
                    SSL_CTX_set_ciphersuites(ctx,
                                             "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                             "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
                    SSL_CTX_use_certificate(ctx, cert) == 1 &&
                    SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1 &&
                    SSL_CTX_set_alpn_protos(ctx, alpn, alpn_bytes) == 0;
    if (!ok) return openssl_error(Errc::data_loss, "cannot set up TLS with the stored key");
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    SSL_CTX_set_cert_verify_callback(ctx, accept_by_pin, nullptr);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, nullptr);
    // A link lives long: a resumed session saves nothing and would have to be revoked as well.
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_mode(ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_default_read_buffer_len(ctx, read_ahead_bytes);
    return context;
}

}  // namespace

std::string pin_of(X509* certificate) {
    if (certificate == nullptr) return {};
    unsigned char* der = nullptr;
    const int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    return pin_of_der(der, length);
}

std::optional<int> agreed_minor(SSL* ssl) {
    const unsigned char* chosen = nullptr;
    unsigned int length = 0;
    SSL_get0_alpn_selected(ssl, &chosen, &length);
    const std::string_view name(reinterpret_cast<const char*>(chosen), length);
    if (name == "umbra/1.1") return 1;
    if (name == "umbra/1") return 0;
    return std::nullopt;
}

bool is_pin(std::string_view text) noexcept {
    constexpr std::string_view prefix = "sha256:";
    return text.size() == prefix.size() + 64 && text.starts_with(prefix) &&
           text.find_first_not_of("0123456789abcdef", prefix.size()) == std::string_view::npos;
}

Result<TlsIdentity> TlsIdentity::load_or_create(const fs::path& dir, std::string_view name,
                                                Side side) {
    const fs::path key_path = dir / key_name;
    const fs::path cert_path = dir / cert_name;
    std::error_code ec;
    const bool has_key = fs::exists(key_path, ec);
    const bool has_cert = fs::exists(cert_path, ec);
    if (!has_key && has_cert)
        return Error{Errc::data_loss, "the key " + key_path.string() +
                                          " is missing but its certificate is there; restore it, "
                                          "or remove tls.crt and enrol again"};
    auto key = has_key ? read_key(key_path) : make_key(key_path);
    if (!key) return key.error();
    // A crash between the two files leaves a key alone: its certificate is simply made again, the
    // pin is that of the key.
    auto cert = has_cert ? read_certificate(cert_path) : make_certificate(key->get(), name);
    if (!cert) return cert.error();
    if (X509_check_private_key(cert->get(), key->get()) != 1)
        return openssl_error(Errc::data_loss, "the certificate " + cert_path.string() +
                                                  " does not belong to the key beside it");
    if (!has_cert)
        if (auto stored = write_certificate(cert_path, cert->get()); !stored) return stored.error();
    auto context = make_context(key->get(), cert->get(), side);
    if (!context) return context.error();
    TlsIdentity identity;
    identity.context_ = std::move(*context);
    identity.pin_ = pin_of(cert->get());
    identity.side_ = side;
    return identity;
}

}  // namespace umbra::gateway
