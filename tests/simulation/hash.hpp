#pragma once

#include <umbra/core/types.hpp>

#include <string_view>

namespace umbra::simulation {

/// Stands in for SHA-256: fast, and different inputs of a test get different values. No security.
inline core::Hash quick_hash(std::string_view bytes) {
    std::uint64_t lanes[4] = {1, 2, 3, 4};
    for (const char byte : bytes) {
        for (auto& lane : lanes) {
            lane = (lane ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
            lane ^= lane >> 29;
        }
    }
    core::Hash hash{};
    for (std::size_t i = 0; i < hash.size(); ++i) {
        hash[i] = static_cast<std::byte>(lanes[i / 8] >> (8 * (i % 8)) & 0xff);
    }
    return hash;
}

}  // namespace umbra::simulation
