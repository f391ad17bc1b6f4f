#pragma once

#include <umbra/sdk/time.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>

namespace umbra::process {

/// Pauses between attempts: doubling from `first` to `most`, each shortened by up to half at
/// random, so that many do not come back at the same moment. Pure.
class Backoff {
public:
    Backoff(Duration first, Duration most) : first_(std::min(first, most)), most_(most) {}

    /// @param random  Any number; decides about the jitter.
    [[nodiscard]] Duration next(std::uint32_t random) {
        const Duration full = attempts_ > doublings_max
                                  ? most_
                                  : std::min(first_ * (std::int64_t{1} << attempts_), most_);
        if (attempts_ <= doublings_max) ++attempts_;
        return full - (full / 2) * (random % 1024) / 1024;
    }
    void reset() { attempts_ = 0; }

private:
    static constexpr std::uint32_t doublings_max = 20;
    Duration first_, most_;
    std::uint32_t attempts_ = 0;
};

/// "250ms", "4s": for people.
inline std::string to_text(Duration duration) {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(duration).count();
    return ms % 1000 == 0 ? std::to_string(ms / 1000) + "s" : std::to_string(ms) + "ms";
}

}  // namespace umbra::process
