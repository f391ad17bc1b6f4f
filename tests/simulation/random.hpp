#pragma once

#include <umbra/sdk/time.hpp>

#include <cstdint>

namespace umbra::simulation {

/// SplitMix64: the same numbers from the same seed on every platform and compiler.
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    /// Another stream of the same seed.
    Random(std::uint64_t seed, std::uint64_t stream) : state_(seed) {
        state_ = next() ^ (stream + 1) * 0xd1342543de82ef95ULL;
    }

    std::uint64_t next() {
        state_ += 0x9e3779b97f4a7c15ULL;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
    /// 0 .. limit - 1. @pre `limit != 0`
    std::uint64_t below(std::uint64_t limit) { return next() % limit; }
    bool chance(std::uint64_t per_mille) { return below(1000) < per_mille; }
    Duration between(Duration least, Duration most) {
        const auto range = static_cast<std::uint64_t>((most - least).count()) + 1;
        return least + Duration{static_cast<std::int64_t>(below(range))};
    }

private:
    std::uint64_t state_;
};

}  // namespace umbra::simulation
