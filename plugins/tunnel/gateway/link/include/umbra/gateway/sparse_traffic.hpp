#pragma once

#include <umbra/sdk/time.hpp>

#include <atomic>
#include <chrono>

namespace umbra::gateway {

/// When a stream that sends little brought something last, on whatever link of the process: it is
/// delayed by what bulk streams keep under way, in the connection and at the processors. Shared by
/// links of several threads.
class SparseTraffic {
public:
    /// So long after it, bulk streams keep small windows.
    static constexpr Duration quiet_after = std::chrono::milliseconds(100);

    void heard(Instant now) noexcept {
        // Not more often than matters: other threads read it for each frame.
        if (now - last_.load(std::memory_order_relaxed) > quiet_after / 4)
            last_.store(now, std::memory_order_relaxed);
    }
    [[nodiscard]] bool is_quiet(Instant now) const noexcept {
        return now - last_.load(std::memory_order_relaxed) > quiet_after;
    }

private:
    std::atomic<Instant> last_{};
};

}  // namespace umbra::gateway
