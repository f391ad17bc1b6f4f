#include "world.hpp"

#include <cstdio>

namespace umbra::simulation {

World::World(const Options& options) : random(options.seed), options_(options) {
    for (std::size_t kind = 0; kind < fault_count; ++kind) luck_.emplace_back(options.seed, kind);
}

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

void World::count(std::string_view what) {
    const auto found = counters.find(what);
    if (found != counters.end()) {
        ++found->second;
    } else {
        counters.emplace(what, 1);
    }
}

void World::trace(const std::string& who, const std::string& what) const {
    if (!options_.trace) return;
    const double seconds = std::chrono::duration<double>(now_.time_since_epoch() - 1h).count();
    std::printf("%10.6f %-8s %s\n", seconds, who.c_str(), what.c_str());
}

void World::cut_for(std::size_t from, std::size_t to, Duration time) {
    ++cuts_[from][to];
    after(time, [this, from, to] {
        if (calm_) return;
        --cuts_[from][to];
        for (const auto& action : on_heal) action();
    });
}

void World::clog_for(std::size_t from, std::size_t to, Duration time) {
    clogged_[from][to] = std::max(clogged_[from][to], now_ + time);
}

void World::heal() {
    calm_ = true;
    cuts_ = {};
    clogged_ = {};
    for (const auto& action : on_heal) action();
}

void World::datagram(std::size_t from, std::size_t to, Action arrive) {
    if (cut(from, to)) return;
    if (has(Fault::drop) && luck(Fault::drop).chance(peer.drop)) {
        return count("fault: message dropped");
    }
    auto wait = random.between(50us, 2ms);
    if (has(Fault::delay)) {
        count("fault: message delayed");
        wait += luck(Fault::delay).between(0ns, peer.delay_most);
    }
    if (has(Fault::slow_link)) wait += slowness(from);
    if (clogged_[from][to] > now_) {
        count("fault: message held up");
        wait += clogged_[from][to] - now_;
    }
    if (has(Fault::duplicate) && luck(Fault::duplicate).chance(peer.duplicate)) {
        count("fault: message duplicated");
        auto& luck_of_it = luck(Fault::duplicate);
        const bool late = luck_of_it.chance(50);
        // What heals has no late copies either.
        after(luck_of_it.between(50us, late ? Duration{4s} : Duration{60ms}), [this, arrive] {
            if (!calm_) arrive();
        });
    }
    after(wait, std::move(arrive));
}

Duration World::slowness(std::size_t from) {
    count("fault: slow link");
    auto& way = ways[from];
    auto& luck_of_it = luck(Fault::slow_link);
    const auto calm_since = std::max(ways[0].hiccup_until, ways[1].hiccup_until);
    if (now_ >= calm_since + Way::between_hiccups && luck_of_it.chance(50)) {
        way.hiccup_until = now_ + luck_of_it.between(Way::hiccup_least, Way::hiccup_most);
        way.extra = luck_of_it.between(Duration{}, Way::extra_most);
    }
    const auto wait = luck_of_it.between(way.least, way.most);
    return now_ < way.hiccup_until ? wait + way.extra : wait;
}

std::int64_t World::wall_ms(std::size_t place) const {
    const auto since = clocks[place].read(now_).time_since_epoch() + wall_jumps[place];
    return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

}  // namespace umbra::simulation
