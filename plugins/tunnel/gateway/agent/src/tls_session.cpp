#include "tls_session.hpp"

#include <umbra/gateway/identity.hpp>

#include <boost/asio/ip/address.hpp>
#include <climits>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

namespace umbra::gateway {

namespace {

std::string last_error() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
    return reason == nullptr ? "unknown reason" : reason;
}

bool is_address(const std::string& host) {
    boost::system::error_code error;
    (void)boost::asio::ip::make_address(host, error);
    return !error;
}

}  // namespace

Result<std::shared_ptr<SSL_CTX>> TlsTrust::context_for(const BackendTls& tls) {
    // A pinned key needs no CA, so such connections share a context that trusts nobody.
    const std::string key = tls.pin.empty() ? "ca:" + tls.ca_file : "pin";
    if (const auto found = contexts_.find(key); found != contexts_.end()) return found->second;
    ERR_clear_error();
    std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_client_method()), &SSL_CTX_free);
    if (!context) return Error{Errc::exhausted, "no memory for TLS"};
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
    if (!tls.pin.empty()) {
        // Verified by hand: TlsSession::key_is_pinned().
        SSL_CTX_set_verify(context.get(), SSL_VERIFY_NONE, nullptr);
    } else {
        SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
        const bool loaded = tls.ca_file.empty()
                                ? SSL_CTX_set_default_verify_paths(context.get()) == 1
                                : SSL_CTX_load_verify_file(context.get(), tls.ca_file.c_str()) == 1;
        if (!loaded)
            return Error{Errc::unavailable,
                         (tls.ca_file.empty() ? "cannot load the system's certificates"
                                              : "cannot use tls_ca_file \"" + tls.ca_file + "\"") +
                             (": " + last_error())};
    }
    contexts_.emplace(key, context);
    return context;
}

Result<std::unique_ptr<TlsSession>> TlsSession::make(SSL_CTX& context, const BackendTls& tls,
                                                     const std::string& host) {
    ERR_clear_error();
    SSL* ssl = SSL_new(&context);
    BIO* in = BIO_new(BIO_s_mem());
    BIO* out = BIO_new(BIO_s_mem());
    if (ssl == nullptr || in == nullptr || out == nullptr) {
        SSL_free(ssl);
        BIO_free(in);
        BIO_free(out);
        return Error{Errc::exhausted, "no memory for TLS"};
    }
    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    std::unique_ptr<TlsSession> session(new TlsSession(ssl, in, out, tls.pin));
    const std::string name = tls.server_name.empty() ? host : tls.server_name;
    const bool address = is_address(name);
    const bool fits = (address || SSL_set_tlsext_host_name(ssl, name.c_str()) == 1) &&
                      (!tls.pin.empty() || (address ? X509_VERIFY_PARAM_set1_ip_asc(
                                                          SSL_get0_param(ssl), name.c_str()) == 1
                                                    : SSL_set1_host(ssl, name.c_str()) == 1));
    if (!fits) return Error{Errc::invalid, "\"" + name + "\" is no name of a TLS server"};
    return session;
}

TlsSession::~TlsSession() { SSL_free(ssl_); }

bool TlsSession::key_is_pinned() {
    const std::string found = pin_of(SSL_get0_peer_certificate(ssl_));
    if (!found.empty() && found == pin_) return true;
    fault_ = "its key is " + (found.empty() ? std::string("unknown") : found) +
             ", but tls_pin is " + pin_;
    return false;
}

TlsSession::Step TlsSession::handshake() {
    ERR_clear_error();
    const Step step = step_after(SSL_do_handshake(ssl_));
    if (step != Step::done) return step;
    if (!pin_.empty()) return key_is_pinned() ? Step::done : Step::failed;
    if (SSL_get_verify_result(ssl_) == X509_V_OK) return Step::done;
    fault_ = "its certificate was not verified";
    return Step::failed;
}

TlsSession::Step TlsSession::read(std::span<char> room, std::size_t& count) {
    ERR_clear_error();
    count = 0;
    return step_after(SSL_read_ex(ssl_, room.data(), room.size(), &count));
}

TlsSession::Step TlsSession::write(std::string_view bytes) {
    if (bytes.empty()) return Step::done;
    ERR_clear_error();
    std::size_t taken = 0;  // Memory takes everything.
    return step_after(SSL_write_ex(ssl_, bytes.data(), bytes.size(), &taken));
}

void TlsSession::finish() {
    ERR_clear_error();
    (void)SSL_shutdown(ssl_);
    ERR_clear_error();
}

TlsSession::Step TlsSession::step_after(int result) {
    if (result == 1) return Step::done;
    switch (SSL_get_error(ssl_, result)) {
        case SSL_ERROR_WANT_READ:
            return Step::wants_input;
        case SSL_ERROR_ZERO_RETURN:
            return Step::ended;
        default:
            break;
    }
    const long verified = SSL_get_verify_result(ssl_);
    if (pin_.empty() && verified != X509_V_OK) {
        ERR_clear_error();
        fault_ = std::string("its certificate is not accepted: ") +
                 X509_verify_cert_error_string(verified);
    } else {
        fault_ = "TLS failed: " + last_error();
    }
    return Step::failed;
}

void TlsSession::feed(std::span<const char> bytes) {
    BIO_write(in_, bytes.data(), static_cast<int>(bytes.size()));
}

std::string TlsSession::take_output() {
    std::string out(BIO_ctrl_pending(out_), '\0');
    if (!out.empty()) {
        const int got = BIO_read(out_, out.data(), static_cast<int>(out.size()));
        out.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    }
    return out;
}

}  // namespace umbra::gateway
