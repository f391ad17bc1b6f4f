#include "world.hpp"

#include <cstdio>

namespace umbra::simulation {

void World::after(Duration delay, Action action) {
    queue_.push_back({now_ + delay, ++numbers_, std::move(action)});
    std::push_heap(queue_.begin(), queue_.end(), later);
}

void World::run_until(Instant until, const Action& check) {
    while (!queue_.empty() && queue_.front().at <= until) {
        std::pop_heap(queue_.begin(), queue_.end(), later);
        const Event event = std::move(queue_.back());
        queue_.pop_back();
        now_ = event.at;
        ++events;
        event.run();
        check();
    }
    now_ = until;
}

void World::trace(const std::string& who, const std::string& what) const {
    if (!options_.trace) return;
    const double seconds = std::chrono::duration<double>(now_.time_since_epoch() - 1h).count();
    std::printf("%10.6f %-8s %s\n", seconds, who.c_str(), what.c_str());
}

void World::heal(std::size_t a, std::size_t b) {
    cut[a][b] = cut[b][a] = false;
    for (const auto& action : on_heal) action();
}

void World::datagram(std::size_t from, std::size_t to, Action arrive) {
    if (cut[from][to]) return;
    if (random.chance(peer.drop)) return count("fault: message dropped");
    const bool twice = random.chance(peer.duplicate);
    after(random.between(50us, peer.delay_most), arrive);
    if (!twice) return;
    count("fault: message duplicated");
    after(random.between(50us, 20 * peer.delay_most), std::move(arrive));
}

}  // namespace umbra::simulation
