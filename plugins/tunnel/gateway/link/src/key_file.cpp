#include "key_file.hpp"

#include <umbra/gateway/invitation.hpp>
#include <umbra/gateway/private_file.hpp>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

namespace umbra::gateway {

namespace fs = std::filesystem;

namespace {

using BioPtr = std::unique_ptr<BIO, Free<BIO_free>>;

}  // namespace

Error openssl_error(Errc code, const std::string& what) {
    Error error{code, what, 0};
    if (const unsigned long reason = ERR_get_error(); reason != 0)
        if (const char* text = ERR_reason_error_string(reason))
            error.message += std::string(": ") + text;
    ERR_clear_error();
    return error;
}

Result<KeyPtr> read_key(const fs::path& path) {
    const BioPtr file(BIO_new_file(path.c_str(), "re"));
    KeyPtr key(file ? PEM_read_bio_PrivateKey(file.get(), nullptr, nullptr, nullptr) : nullptr);
    if (!key) return openssl_error(Errc::data_loss, "cannot read the key " + path.string());
    return key;
}

Result<KeyPtr> make_key(const fs::path& path) {
    KeyPtr key(EVP_EC_gen("P-256"));
    const BioPtr memory(BIO_new(BIO_s_secmem()));
    if (!key || !memory ||
        PEM_write_bio_PrivateKey(memory.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
            1)
        return openssl_error(Errc::exhausted, "cannot make a key");
    char* text = nullptr;
    const long size = BIO_get_mem_data(memory.get(), &text);
    if (auto stored = replace_file(path, {text, static_cast<std::size_t>(size)}); !stored)
        return stored.error();
    return key;
}

std::string pin_of(EVP_PKEY* key) {
    unsigned char* der = nullptr;
    const int length = i2d_PUBKEY(key, &der);
    return pin_of_der(der, length);
}

std::string pin_of_der(unsigned char* der, int length) {
    if (length <= 0) return {};
    Digest digest{};
    unsigned int size = 0;
    const int ok = EVP_Digest(der, static_cast<std::size_t>(length), digest.data(), &size,
                              EVP_sha256(), nullptr);
    OPENSSL_free(der);
    return ok == 1 ? pin_text(digest) : std::string{};
}

}  // namespace umbra::gateway
