#pragma once

#include "loop.hpp"

#include <functional>
#include <optional>

namespace umbra::instance {

/// Work that is the same for one ask and for many: run at once, and while it is asked for again and
/// again, no more than a third of the time.
///
/// Threads: the loop's. The loop must outlive it.
class Paced {
public:
    /// After the work the next begins no sooner than this many times as long as it took,
    static constexpr int pause_factor = 2;
    /// but is never put off for longer.
    static constexpr Duration pause_max = std::chrono::milliseconds{100};

    Paced(Loop& loop, std::function<void()> work) : loop_(loop), work_(std::move(work)) {}
    ~Paced() {
        if (timer_) loop_.cancel(*timer_);
    }
    Paced(const Paced&) = delete;
    Paced& operator=(const Paced&) = delete;

    /// Runs the work now, or once for all asks when the pause is over.
    void ask();
    /// Runs the work now. What was asked for before is settled by it.
    void now();
    /// Asked for and not begun.
    [[nodiscard]] bool due() const { return timer_.has_value(); }

private:
    Loop& loop_;
    std::function<void()> work_;
    std::optional<Loop::Id> timer_;
    Instant not_before_{};
};

}  // namespace umbra::instance
