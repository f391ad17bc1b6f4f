// A tunnel whose far end does not arbitrate: it takes whoever comes, and tells nobody.

#include "checker.hpp"
#include "gateway.hpp"
#include "instance.hpp"

namespace umbra::simulation {

namespace {

constexpr Duration watch_interval = 50ms;

}  // namespace

/// The link is up while the far end can be reached both ways.
void Instance::watch_far_end() {
    const bool reachable =
        gateway_.up() && !gateway_.paused() && !world_.cut_between(place_, gateway_place);
    if (reachable != agent_.up) {
        agent_.up = reachable;
        stop_serving();
        changed();
    }
    world_.after(real(watch_interval),
                 [this, life = life_] { when_running(life, [this] { watch_far_end(); }); });
}

void Instance::activate_plain(core::Epoch epoch) {
    if (!agent_.up) return;
    agent_.draining = false;
    agent_.active = epoch;
    agent_.confirmed = false;
    checker_.serves_unasked(*this);
    world_.after(world_.random.between(1ms, 10ms), [this, epoch, life = life_] {
        when_running(life, [this, epoch] {
            if (agent_.active != epoch || !agent_.up) return;
            agent_.confirmed = true;
            changed();
        });
    });
}

}  // namespace umbra::simulation
