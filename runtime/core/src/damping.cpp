#include <umbra/core/damping.hpp>

#include <algorithm>

namespace umbra::core {

Damping::Damping(const std::vector<Instant>& times, Instant now) {
    for (const Instant at : times) record(std::min(at, now));
}

void Damping::record(Instant now) {
    recent_.push_back(now);
    if (recent_.size() > kept) recent_.pop_front();
}

std::size_t Damping::recent(Instant now) const {
    return static_cast<std::size_t>(std::count_if(recent_.begin(), recent_.end(),
                                                  [&](Instant at) { return now - at < window; }));
}

int Damping::factor(Instant now) const {
    const std::size_t count = recent(now);
    if (count <= free_of_charge) return 1;
    return std::min(factor_max, 1 << (count - free_of_charge));
}

}  // namespace umbra::core
