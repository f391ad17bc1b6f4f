#pragma once

#include <atomic>
#include <cstddef>

namespace umbra::gateway {

inline constexpr std::size_t budget_bytes_default = 256u << 20;

/// Bytes that the links of a process hold for users who are slower than their streams. Shared by
/// links of several threads.
class MemoryBudget {
public:
    explicit MemoryBudget(std::size_t limit = budget_bytes_default) : limit_(limit) {}

    void add(std::size_t bytes) noexcept { used_.fetch_add(bytes, std::memory_order_relaxed); }
    void remove(std::size_t bytes) noexcept { used_.fetch_sub(bytes, std::memory_order_relaxed); }

    [[nodiscard]] std::size_t used() const noexcept {
        return used_.load(std::memory_order_relaxed);
    }
    /// Windows may widen: less than three quarters are used.
    [[nodiscard]] bool has_room() const noexcept { return used() < limit_ / 4 * 3; }
    /// Somebody has to go for all to stay within memory.
    [[nodiscard]] bool exceeded() const noexcept { return used() > limit_; }

private:
    const std::size_t limit_;
    std::atomic<std::size_t> used_{0};
};

}  // namespace umbra::gateway
