#pragma once

#include <umbra/sdk/time.hpp>

#include <chrono>
#include <cstddef>
#include <deque>

namespace umbra::core {

/// Makes takeovers after a silence rarer when they repeat: two instances that keep taking the role
/// from each other serve worse than either alone. After `free_of_charge` unplanned changes of
/// master within `window` each further one doubles the wait, up to `factor_max`.
///
/// Never asked where the death of the master is certain, so that it delays no such takeover. Counts
/// what this process saw; a restart forgets.
///
/// Pure. Thread-safety: none.
class Damping {
public:
    static constexpr Duration window{std::chrono::minutes{10}};
    static constexpr std::size_t free_of_charge = 2;
    static constexpr int factor_max = 8;

    /// The role changed hands and nobody had planned it.
    void record(Instant now);
    /// An operator's word: what was before does not count any more.
    void forget() { recent_.clear(); }
    [[nodiscard]] std::size_t recent(Instant now) const;
    /// By how much a wait is to be multiplied; 1 for none.
    [[nodiscard]] int factor(Instant now) const;

    bool operator==(const Damping&) const = default;

private:
    std::deque<Instant> recent_;
};

}  // namespace umbra::core
