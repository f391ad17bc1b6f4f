#include "paced.hpp"

#include <algorithm>

namespace umbra::instance {

void Paced::ask() {
    if (timer_) return;
    if (loop_.now() >= not_before_) return now();
    timer_ = loop_.schedule(not_before_, [this] {
        timer_.reset();
        now();
    });
}

void Paced::now() {
    if (timer_) loop_.cancel(*timer_);
    timer_.reset();
    const Instant began = loop_.now();
    work_();
    const Instant ended = loop_.now();
    not_before_ = ended + std::min<Duration>(pause_factor * (ended - began), pause_max);
}

}  // namespace umbra::instance
