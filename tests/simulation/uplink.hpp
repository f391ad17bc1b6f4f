#pragma once

#include "world.hpp"

#include <memory>
#include <utility>

namespace umbra::simulation {

/// One TLS connection between an instance and the gateway: in order, without loss, and while the
/// way is cut everything waits. Either end may close it; the other hears of that when it can.
class Connection : public std::enable_shared_from_this<Connection> {
public:
    Connection(World& world, std::size_t place, std::uint64_t process, Duration delay_most)
        : node(place),
          life(process),
          world_(world),
          born_in_(world.gateway_life),
          delay_most_(delay_most) {}

    void to_gateway(Action action) { send(node, gateway_place, 0, std::move(action)); }
    void to_node(Action action) { send(gateway_place, node, 1, std::move(action)); }
    /// Delivers what waited for a cut to heal.
    void flush() {
        for (std::size_t side : {0U, 1U}) {
            const bool blocked =
                side == 0 ? world_.cut(node, gateway_place) : world_.cut(gateway_place, node);
            if (blocked) continue;
            for (auto& action : std::exchange(held_[side], {})) {
                if (side == 0 && world_.gateway_life != born_in_) break;
                world_.after(1us, std::move(action));
            }
        }
    }

    const std::size_t node;
    const std::uint64_t life;  ///< Of the instance's process.
    std::string incarnation;   ///< Of its disk.
    bool open_at_node = true, open_at_gateway = true;
    Instant heard_at_node{}, heard_at_gateway{};
    Instant stamp_of_gateway{};  ///< `heard_at_gateway` on the clock of the register.

private:
    void send(std::size_t from, std::size_t to, std::size_t side, Action action) {
        auto& last = arrival_[side];
        last = std::max(last + 1ns, world_.now() + world_.random.between(50us, delay_most_));
        world_.after(last - world_.now(), [self = shared_from_this(), from, to, side,
                                           run = std::move(action)]() mutable {
            if (to == gateway_place && self->world_.gateway_life != self->born_in_) return;
            if (self->world_.cut(from, to) || !self->held_[side].empty()) {
                self->held_[side].push_back(std::move(run));
            } else {
                run();
            }
        });
    }

    World& world_;
    const std::uint64_t born_in_;
    const Duration delay_most_;
    std::array<Instant, 2> arrival_{};
    std::array<std::vector<Action>, 2> held_;
};

}  // namespace umbra::simulation
