#pragma once

#include <umbra/sdk/time.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <vector>

namespace umbra::core {

/// Makes takeovers after a silence rarer when they repeat: two instances that keep taking the role
/// from each other serve worse than either alone. After `free_of_charge` unplanned changes of
/// master within `window` each further one doubles the wait, up to `factor_max`.
///
/// Never asked where the death of the master is certain, so that it delays no such takeover. What
/// it counts is kept in `Persistent`: a process that is started again and again is part of the
/// flapping.
///
/// Pure. Thread-safety: none.
class Damping {
public:
    static constexpr Duration window{std::chrono::minutes{10}};
    static constexpr std::size_t free_of_charge = 2;
    static constexpr int factor_max = 8;
    /// More changes than these make nothing longer: 2^3 is `factor_max`.
    static constexpr std::size_t kept = free_of_charge + 3;

    Damping() = default;
    /// @param times  As of `times()` of an earlier process. Of more than `kept` the last count; one
    ///               that is still to come counts as now.
    Damping(const std::vector<Instant>& times, Instant now);

    /// The role changed hands and nobody had planned it.
    void record(Instant now);
    /// An operator's word: what was before does not count any more.
    void forget() { recent_.clear(); }
    [[nodiscard]] std::size_t recent(Instant now) const;
    /// By how much a wait is to be multiplied; 1 for none.
    [[nodiscard]] int factor(Instant now) const;

    /// Of the changes that are remembered; at most `kept`, the oldest first.
    [[nodiscard]] std::vector<Instant> times() const { return {recent_.begin(), recent_.end()}; }

    bool operator==(const Damping&) const = default;

private:
    std::deque<Instant> recent_;
};

}  // namespace umbra::core
