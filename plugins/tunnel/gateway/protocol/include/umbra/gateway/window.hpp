#pragma once

#include <umbra/sdk/time.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>

/// Credit of one direction of a stream: the receiver says how much the sender may still send.
namespace umbra::gateway {

inline constexpr std::uint32_t window_bytes_initial = 256u << 10;  ///< Fixed by yamux.
inline constexpr std::uint32_t window_bytes_max = 16u << 20;
/// Of a bulk stream, while none is there that sends little. What it keeps under way delays nobody
/// then, and less would let both ends wait for each other by turns.
inline constexpr std::uint32_t window_bytes_bulk = 2u << 20;
/// So much waits here for a user who keeps up.
inline constexpr std::uint32_t held_bytes_high = window_bytes_initial / 4 * 3;

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

/// Receiver's end. Gives credit back for bytes that were delivered, a fifth of the window at a
/// time: at half a window the sender of a short path stands still every other time. Not a quarter:
/// a slab of 64 KiB carries its frame's header too, so the payload is a few bytes less than a
/// quarter of the first window, and credit would come after every second frame, which is half a
/// window.
///
/// The window follows the path: it becomes what is delivered in two of its round trips. A sender
/// whom the window holds up so gets twice as much each round trip; one whom the path holds up stays
/// at twice of what the path holds, and does not fill the queues in between. (The rule "a window
/// was used up within some round trips" either stops early or goes on for ever.) A bulk stream
/// whose user keeps up has `window_bytes_bulk` at least; it loses that at once when one comes that
/// sends little.
class ReceiveWindow {
public:
    /// What is known about the path when bytes are delivered.
    struct Path {
        Instant now{};
        Duration round_trip{};   ///< Shortest that was seen; 0: unknown, the window stays.
        bool may_widen = true;   ///< There is memory for it.
        bool only_bulk = false;  ///< No stream that sends little brings anything.
    };

    /// @return false when the sender had no credit for them: a protocol error.
    [[nodiscard]] bool received(std::size_t bytes) noexcept {
        if (bytes > open_) return false;
        open_ -= static_cast<std::uint32_t>(bytes);
        held_ += static_cast<std::uint32_t>(bytes);
        return true;
    }
    /// @pre No more is delivered than was received.
    /// @return Credit to send now; 0 = not yet worth a frame.
    [[nodiscard]] std::uint32_t delivered(std::size_t bytes, const Path& path) noexcept {
        held_ -= static_cast<std::uint32_t>(bytes);
        const bool wide = path.only_bulk && path.may_widen && held_ <= held_bytes_high;
        const std::uint32_t least = wide ? window_bytes_bulk : 0;
        follow(static_cast<std::uint32_t>(bytes), path, least);
        const std::uint32_t window = std::max(window_, least);
        const std::uint32_t used = open_ + held_;
        if (used > window - window / 5) return 0;
        const std::uint32_t credit = window - used;
        open_ += credit;
        return credit;
    }

    /// While others are there.
    [[nodiscard]] std::uint32_t window() const noexcept { return window_; }

private:
    /// `least` holds as well, so that what it is enough for widens nothing.
    void follow(std::uint32_t bytes, const Path& path, std::uint32_t least) noexcept {
        if (path.round_trip <= Duration::zero()) return;
        round_bytes_ += bytes;
        const Duration round = path.now - round_began_;
        if (round < path.round_trip) return;
        const double wanted =
            2.0 * round_bytes_ *
            (static_cast<double>(path.round_trip.count()) / static_cast<double>(round.count()));
        round_bytes_ = 0;
        round_began_ = path.now;
        if (wanted > std::max(window_, least)) {
            if (path.may_widen)
                window_ = static_cast<std::uint32_t>(std::min<double>(wanted, window_bytes_max));
        } else if (wanted < window_ / 4) {
            // Narrower by giving less back: what was granted stays granted.
            window_ = std::max(window_ / 2, window_bytes_initial);
        }
    }

    std::uint32_t window_ = window_bytes_initial;
    std::uint32_t open_ = window_bytes_initial;  ///< Credit that the sender has.
    std::uint32_t held_ = 0;                     ///< Received, not delivered.
    std::uint32_t round_bytes_ = 0;              ///< Delivered since `round_began_`.
    Instant round_began_{};
};

}  // namespace umbra::gateway
