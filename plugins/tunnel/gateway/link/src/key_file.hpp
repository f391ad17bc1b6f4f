#pragma once

#include <umbra/sdk/result.hpp>

#include <openssl/evp.h>

#include <filesystem>
#include <memory>
#include <string>

namespace umbra::gateway {

template <auto free_function>
struct Free {
    template <class T>
    void operator()(T* pointer) const noexcept {
        free_function(pointer);
    }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;

/// Where the present key of an end is.
inline constexpr const char* key_name = "tls.key";
inline constexpr const char* cert_name = "tls.crt";

/// With OpenSSL's reason, which it takes away.
[[nodiscard]] Error openssl_error(Errc code, const std::string& what);

[[nodiscard]] Result<KeyPtr> read_key(const std::filesystem::path& path);
/// A fresh one of P-256, stored under that name.
[[nodiscard]] Result<KeyPtr> make_key(const std::filesystem::path& path);
/// "sha256:..."
[[nodiscard]] std::string pin_of(EVP_PKEY* key);
/// Of a SubjectPublicKeyInfo, which it frees; empty when there is none.
[[nodiscard]] std::string pin_of_der(unsigned char* der, int length);

}  // namespace umbra::gateway
