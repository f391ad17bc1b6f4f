#pragma once

#include <umbra/gateway/wire.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace umbra::fuzz {

using gateway::Bytes;
using gateway::ByteView;

/// One decoder under test.
struct Target {
    std::string name;
    std::vector<Bytes> seeds;  ///< Valid, of every kind.
    /// @return the property that does not hold, as a sentence; empty: all hold.
    std::function<std::string(ByteView)> check;
    /// Makes checksums and the like fit again, so that more than the first test is reached.
    std::function<void(Bytes&)> repair{};
};

[[nodiscard]] std::vector<Target> protocol_targets();
[[nodiscard]] std::vector<Target> server_targets();

/// A small generator, the same everywhere (splitmix64).
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
    /// 0 to `bound` - 1. @pre `bound` > 0
    std::size_t below(std::size_t bound) { return static_cast<std::size_t>(next() % bound); }

private:
    std::uint64_t state_;
};

/// Pieces of `bytes` in order. The cuts follow from the bytes: an input fails again as it did.
inline std::vector<ByteView> cut(ByteView bytes) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const auto byte : bytes) hash = (hash ^ byte) * 0x100000001b3;
    Random random(hash);
    const std::size_t longest = 1 + random.below(bytes.size() < 64 ? 3 : 300);
    std::vector<ByteView> pieces;
    while (!bytes.empty()) {
        const std::size_t size = std::min(bytes.size(), 1 + random.below(longest));
        pieces.push_back(bytes.first(size));
        bytes = bytes.subspan(size);
    }
    return pieces;
}

inline Bytes bytes_of(std::string_view text) { return Bytes(text.begin(), text.end()); }
inline std::string text_of(ByteView bytes) { return std::string(bytes.begin(), bytes.end()); }
inline bool equal(ByteView a, ByteView b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
}
inline std::string hex(ByteView bytes) {
    std::string text;
    for (const auto byte : bytes)
        for (const int digit : {byte >> 4, byte & 15}) text += "0123456789abcdef"[digit];
    return text;
}

}  // namespace umbra::fuzz
