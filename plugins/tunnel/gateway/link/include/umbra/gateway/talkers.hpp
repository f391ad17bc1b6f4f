#pragma once

#include <umbra/sdk/time.hpp>

#include <atomic>
#include <chrono>

namespace umbra::gateway {

/// Whether one stream has a process for itself or several bring bytes: they share its processors,
/// whatever links they are on. Shared by links of several threads.
class Talkers {
public:
    /// For so long after another stream brought something, nobody is alone. Longer than readers
    /// that do not read need to fill what the kernel and the first window hold for them: they shall
    /// not get more.
    static constexpr Duration alone_after = std::chrono::milliseconds(100);

    /// `who` brought bytes: anything that tells one stream from another.
    void heard(const void* who, Instant now) noexcept {
        // Nothing to learn, and nothing to write to what other threads read.
        if (now - several_.load(std::memory_order_relaxed) < alone_after / 4) return;
        if (last_.load(std::memory_order_relaxed) == who) return;
        last_.store(who, std::memory_order_relaxed);
        several_.store(now, std::memory_order_relaxed);
    }
    /// Nobody but the last who was heard has brought bytes lately.
    [[nodiscard]] bool one(Instant now) const noexcept {
        return now - several_.load(std::memory_order_relaxed) > alone_after;
    }

private:
    std::atomic<const void*> last_{nullptr};
    std::atomic<Instant> several_{};
};

}  // namespace umbra::gateway
