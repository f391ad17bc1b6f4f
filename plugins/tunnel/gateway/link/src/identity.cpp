#include "identity.hpp"

#include <umbra/gateway/identity.hpp>
#include <umbra/gateway/invitation.hpp>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace umbra::gateway {
namespace {

namespace fs = std::filesystem;

constexpr unsigned char alpn[] = {7, 'u', 'm', 'b', 'r', 'a', '/', '1'};
/// TLS reads as many records at once as fit in here.
constexpr std::size_t read_ahead_bytes = 128u << 10;
/// A pinned key does not expire; replacing it is an act of an operator.
constexpr long certificate_seconds = 20L * 365 * 24 * 3600;

template <auto free_function>
struct Free {
    template <class T>
    void operator()(T* pointer) const noexcept {
        free_function(pointer);
    }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using CertPtr = std::unique_ptr<X509, Free<X509_free>>;
using FilePtr = std::unique_ptr<std::FILE, Free<std::fclose>>;

Error failed(Errc code, const std::string& what) {
    Error error{code, what, 0};
    if (const unsigned long reason = ERR_get_error(); reason != 0)
        if (const char* text = ERR_reason_error_string(reason))
            error.message += std::string(": ") + text;
    ERR_clear_error();
    return error;
}

Error file_error(const fs::path& path, const char* what) {
    const int number = errno;
    const bool full = number == ENOSPC || number == EDQUOT;
    return {full ? Errc::exhausted : Errc::unavailable,
            std::string("cannot ") + what + " " + path.string() + ": " + std::strerror(number),
            number};
}

Result<CertPtr> make_certificate(EVP_PKEY* key, std::string_view name) {
    CertPtr cert(X509_new());
    if (!cert) return failed(Errc::exhausted, "cannot make a certificate");
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
    if (!ok) return failed(Errc::internal, "cannot make a certificate");
    return cert;
}

/// Writes beside the final name and renames, so that a crash leaves no half file.
template <class Write>
Result<Done> store(const fs::path& path, Write write) {
    const fs::path fresh = path.string() + ".new";
    const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return file_error(fresh, "create");
    FilePtr file(::fdopen(fd, "w"));
    if (!file) {
        ::close(fd);
        return file_error(fresh, "open");
    }
    const bool ok = write(file.get()) == 1 && std::fflush(file.get()) == 0 && ::fsync(fd) == 0;
    if (!ok) return file_error(fresh, "write");
    if (::rename(fresh.c_str(), path.c_str()) != 0) return file_error(path, "replace");
    const int dir = ::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0 || ::fsync(dir) != 0) {
        const Error error = file_error(path.parent_path(), "store");
        if (dir >= 0) ::close(dir);
        return error;
    }
    ::close(dir);
    return Done{};
}

template <class Read>
auto load(const fs::path& path, Read read) {
    FilePtr file(std::fopen(path.c_str(), "re"));
    return file ? read(file.get()) : nullptr;
}

int accept_by_pin(X509_STORE_CTX* store, void*) {
    auto* ssl =
        static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    auto* check = static_cast<PinCheck*>(SSL_get_app_data(ssl));
    check->found = pin_of(X509_STORE_CTX_get0_cert(store));
    const bool accepted =
        !check->found.empty() && (check->expected.empty() || check->expected == check->found);
    if (!accepted) X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return accepted ? 1 : 0;
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_length,
                    const unsigned char* in, unsigned int in_length, void*) {
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(&chosen, out_length, alpn, sizeof alpn, in, in_length) !=
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
    if (ctx == nullptr) return failed(Errc::exhausted, "cannot set up TLS");
    const bool ok = SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
                    SSL_CTX_set_ciphersuites(ctx,
                                             "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                             "TLS_CHACHA20_POLY1305_SHA256") == 1 &&
                    SSL_CTX_use_certificate(ctx, cert) == 1 &&
                    SSL_CTX_use_PrivateKey(ctx, key) == 1 && SSL_CTX_check_private_key(ctx) == 1 &&
                    SSL_CTX_set_alpn_protos(ctx, alpn, sizeof alpn) == 0;
    if (!ok) return failed(Errc::data_loss, "cannot set up TLS with the stored key");
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
    if (length <= 0) return {};
    Digest digest{};
    unsigned int size = 0;
    const int ok = EVP_Digest(der, static_cast<std::size_t>(length), digest.data(), &size,
                              EVP_sha256(), nullptr);
    OPENSSL_free(der);
    if (ok != 1) return {};
    return pin_text(digest);
}

bool speaks_our_protocol(SSL* ssl) {
    const unsigned char* chosen = nullptr;
    unsigned int length = 0;
    SSL_get0_alpn_selected(ssl, &chosen, &length);
    return length == sizeof alpn - 1 && std::memcmp(chosen, alpn + 1, length) == 0;
}

bool is_pin(std::string_view text) noexcept {
    constexpr std::string_view prefix = "sha256:";
    return text.size() == prefix.size() + 64 && text.starts_with(prefix) &&
           text.find_first_not_of("0123456789abcdef", prefix.size()) == std::string_view::npos;
}

Result<TlsIdentity> TlsIdentity::load_or_create(const fs::path& dir, std::string_view name,
                                                Side side) {
    const fs::path key_path = dir / "tls.key";
    const fs::path cert_path = dir / "tls.crt";
    std::error_code ec;
    const bool has_key = fs::exists(key_path, ec);
    const bool has_cert = fs::exists(cert_path, ec);
    KeyPtr key;
    CertPtr cert;
    if (has_key) {
        key.reset(load(key_path, [](std::FILE* f) {
            return PEM_read_PrivateKey(f, nullptr, nullptr, nullptr);
        }));
        if (!key) return failed(Errc::data_loss, "cannot read the key " + key_path.string());
    } else if (has_cert) {
        return Error{Errc::data_loss, "the key " + key_path.string() +
                                          " is missing but its certificate is there; restore it, "
                                          "or remove tls.crt and enrol again"};
    } else {
        key.reset(EVP_EC_gen("P-256"));
        if (!key) return failed(Errc::exhausted, "cannot make a key");
        auto stored = store(key_path, [&key](std::FILE* f) {
            return PEM_write_PrivateKey(f, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
        });
        if (!stored) return stored.error();
    }
    // A crash between the two files leaves a key alone: its certificate is simply made again, the
    // pin is that of the key.
    if (has_key && has_cert) {
        cert.reset(load(cert_path,
                        [](std::FILE* f) { return PEM_read_X509(f, nullptr, nullptr, nullptr); }));
        if (!cert)
            return failed(Errc::data_loss, "cannot read the certificate " + cert_path.string());
        if (X509_check_private_key(cert.get(), key.get()) != 1)
            return failed(Errc::data_loss, "the certificate " + cert_path.string() +
                                               " does not belong to the key beside it");
    } else {
        auto made = make_certificate(key.get(), name);
        if (!made) return made.error();
        cert = std::move(*made);
        auto stored =
            store(cert_path, [&cert](std::FILE* f) { return PEM_write_X509(f, cert.get()); });
        if (!stored) return stored.error();
    }
    auto context = make_context(key.get(), cert.get(), side);
    if (!context) return context.error();
    TlsIdentity identity;
    identity.context_ = std::move(*context);
    identity.pin_ = pin_of(cert.get());
    identity.side_ = side;
    return identity;
}

}  // namespace umbra::gateway
