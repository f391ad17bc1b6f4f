#pragma once

#include <cstddef>
#include <cstdint>

/// Credit of one direction of a stream: the receiver says how much the sender may still send.
namespace umbra::gateway {

inline constexpr std::uint32_t window_bytes_initial = 256u << 10;  ///< Fixed by yamux.
inline constexpr std::uint32_t window_bytes_max = 16u << 20;

/// Sender's end.
class SendWindow {
public:
    [[nodiscard]] std::uint32_t credit() const noexcept { return credit_; }
    /// @pre `bytes <= credit()`
    void sent(std::uint32_t bytes) noexcept { credit_ -= bytes; }
    /// @return false when the receiver grants more than a window can be: a protocol error.
    [[nodiscard]] bool granted(std::uint32_t bytes) noexcept {
        if (bytes > window_bytes_max - credit_) return false;
        credit_ += bytes;
        return true;
    }

private:
    std::uint32_t credit_ = window_bytes_initial;
};

/// Receiver's end. Gives credit back for bytes that were delivered, half a window at a time.
class ReceiveWindow {
public:
    /// @return false when the sender had no credit for them: a protocol error.
    [[nodiscard]] bool received(std::size_t bytes) noexcept {
        if (bytes > open_) return false;
        open_ -= static_cast<std::uint32_t>(bytes);
        return true;
    }
    /// @pre No more is delivered than was received.
    /// @return Credit to send now; 0 = not yet worth a frame.
    [[nodiscard]] std::uint32_t delivered(std::size_t bytes) noexcept {
        owed_ += static_cast<std::uint32_t>(bytes);
        if (owed_ < window_bytes_initial / 2) return 0;
        const std::uint32_t credit = owed_;
        open_ += credit;
        owed_ = 0;
        return credit;
    }

private:
    std::uint32_t open_ = window_bytes_initial;
    std::uint32_t owed_ = 0;
};

}  // namespace umbra::gateway
