#include "sha256.hpp"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <cstdlib>
#include <memory>

namespace umbra::instance {

namespace {

/// Fetched once: the library looks an algorithm up among its providers each time it is named.
const EVP_MD* the_algorithm() {
    static const EVP_MD* const found = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    return found;
}

/// The next of a supply: a call of the generator costs the same for one byte and for many.
unsigned char random_byte() {
    thread_local std::array<unsigned char, 1024> supply;
    thread_local std::size_t left = 0;
    if (left == 0) {
        if (RAND_bytes(supply.data(), static_cast<int>(supply.size())) != 1) std::abort();
        left = supply.size();
    }
    return supply[--left];
}

}  // namespace

core::Hash sha256(std::string_view bytes) {
    thread_local const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{
        EVP_MD_CTX_new(), &EVP_MD_CTX_free};
    core::Hash hash;
    if (EVP_DigestInit_ex2(context.get(), the_algorithm(), nullptr) != 1 ||
        EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) != 1 ||
        EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(hash.data()), nullptr) !=
            1)
        std::abort();
    return hash;
}

std::string random_hex(std::size_t bytes) {
    std::string text;
    text.reserve(2 * bytes);
    for (std::size_t i = 0; i < bytes; ++i) {
        const unsigned char byte = random_byte();
        text += "0123456789abcdef"[byte >> 4];
        text += "0123456789abcdef"[byte & 15];
    }
    return text;
}

}  // namespace umbra::instance
