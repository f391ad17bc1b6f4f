#pragma once

#include <umbra/sdk/time.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace umbra::gateway {

/// Pauses between attempts: none before the first retry, then doubling from `first` to `most`, each
/// shortened by up to half at random, so that many agents do not come back at the same moment.
class Backoff {
public:
    static constexpr Duration first = std::chrono::milliseconds(100);

    explicit Backoff(Duration most) : most_(most) {}

    /// @param random  Any number; decides about the jitter.
    [[nodiscard]] Duration next(std::uint32_t random) {
        const std::uint32_t attempt = attempts_++;
        if (attempt == 0) return Duration::zero();
        const Duration doubled = attempt > 20 ? most_ : first * (1 << (attempt - 1));
        const Duration full = std::min(doubled, most_);
        return full - (full / 2) * (random % 1024) / 1024;
    }
    void reset() { attempts_ = 0; }
    /// Since the last success.
    [[nodiscard]] std::uint32_t attempts() const { return attempts_; }

private:
    Duration most_;
    std::uint32_t attempts_ = 0;
};

}  // namespace umbra::gateway
