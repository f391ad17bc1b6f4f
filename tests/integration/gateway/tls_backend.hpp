#pragma once

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <arpa/inet.h>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace umbra::gateway::testing {

/// A certificate of a certification authority of the test's own.
class TestCa {
public:
    struct Issued {
        std::shared_ptr<EVP_PKEY> key;
        std::shared_ptr<X509> certificate;
    };
    explicit TestCa(const std::filesystem::path& dir) : file_((dir / "ca.pem").string()) {
        own_ = issue("Test CA", "", true);
        std::FILE* out = std::fopen(file_.c_str(), "w");
        if (out == nullptr || PEM_write_X509(out, own_.certificate.get()) != 1)
            throw std::runtime_error("cannot write " + file_);
        std::fclose(out);
    }
    [[nodiscard]] const std::string& file() const { return file_; }
    /// @param alternative  For example "DNS:db.internal" or "IP:127.0.0.1".
    [[nodiscard]] Issued issue(const std::string& name, const std::string& alternative,
                               bool authority = false) const {
        Issued made{{EVP_EC_gen("P-256"), &EVP_PKEY_free}, {X509_new(), &X509_free}};
        X509* x = made.certificate.get();
        X509_set_version(x, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(x), authority ? 1 : 2);
        X509_gmtime_adj(X509_getm_notBefore(x), -3600);
        X509_gmtime_adj(X509_getm_notAfter(x), 3600);
        X509_set_pubkey(x, made.key.get());
        X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
        X509* issuer = authority ? x : own_.certificate.get();
        X509_set_issuer_name(x, X509_get_subject_name(issuer));
        add(x, NID_basic_constraints, authority ? "critical,CA:TRUE" : "CA:FALSE");
        if (!alternative.empty()) add(x, NID_subject_alt_name, alternative.c_str());
        EVP_PKEY* signer = authority ? made.key.get() : own_.key.get();
        if (X509_sign(x, signer, EVP_sha256()) == 0) throw std::runtime_error("cannot sign");
        return made;
    }

private:
    static void add(X509* x, int what, const char* value) {
        X509V3_CTX context;
        X509V3_set_ctx_nodb(&context);
        X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, what, value);
        if (extension == nullptr) throw std::runtime_error(value);
        X509_add_ext(x, extension, -1);
        X509_EXTENSION_free(extension);
    }
    std::string file_;
    Issued own_;
};

/// An internal system that speaks TLS, with a thread of its own: sends back what it gets; when the
/// client ends its direction it says "bye" and ends its own.
class TlsBackend {
public:
    explicit TlsBackend(const TestCa::Issued& identity)
        : context_(SSL_CTX_new(TLS_server_method())) {
        SSL_CTX_use_certificate(context_, identity.certificate.get());
        SSL_CTX_use_PrivateKey(context_, identity.key.get());
        listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        auto* address = reinterpret_cast<sockaddr*>(&at);
        if (::bind(listener_, address, size) != 0 || ::listen(listener_, 16) != 0 ||
            ::getsockname(listener_, address, &size) != 0)
            throw std::runtime_error("cannot listen");
        port_ = ntohs(at.sin_port);
        thread_ = std::thread([this] {
            // OpenSSL writes without MSG_NOSIGNAL, also to clients that are gone.
            sigset_t broken_pipe;
            ::sigemptyset(&broken_pipe);
            ::sigaddset(&broken_pipe, SIGPIPE);
            ::pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
            run();
        });
    }
    TlsBackend(const TlsBackend&) = delete;
    TlsBackend& operator=(const TlsBackend&) = delete;
    ~TlsBackend() {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
        SSL_CTX_free(context_);
    }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    std::atomic<int> connections = 0, handshakes = 0;
    std::atomic<bool> cuts = false;  ///< After the first bytes: closes TCP without ending TLS.

private:
    void run() {
        for (int fd = 0; (fd = ::accept(listener_, nullptr, nullptr)) >= 0;) {
            ++connections;
            SSL* ssl = SSL_new(context_);
            SSL_set_fd(ssl, fd);
            if (SSL_accept(ssl) == 1) {
                ++handshakes;
                serve(ssl);
            }
            SSL_free(ssl);
            ::close(fd);
        }
    }
    void serve(SSL* ssl) {
        char room[16384];
        int got = 0;
        while ((got = SSL_read(ssl, room, sizeof room)) > 0) {
            if (SSL_write(ssl, room, got) <= 0) return;
            if (cuts) return;
        }
        if (SSL_get_error(ssl, got) != SSL_ERROR_ZERO_RETURN) return;
        SSL_write(ssl, "bye", 3);
        SSL_shutdown(ssl);
    }
    SSL_CTX* context_;
    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

}  // namespace umbra::gateway::testing
