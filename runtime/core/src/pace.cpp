// When the node wants to be woken next.

#include <umbra/core/node.hpp>

#include <algorithm>

namespace umbra::core {

namespace {

using namespace std::chrono_literals;

constexpr Duration tick_max = 100ms;
/// So that a deadline that has just passed cannot make the shell spin.
constexpr Duration tick_min = 1ms;

}  // namespace

/// In sync, or serving, with nothing under way that ends by time alone: no silence, retry, wait or
/// limit is running. Facts do the rest, and each of them is followed by `next_tick()` anew.
bool Node::is_quiet() const {
    const bool under_way = claim_ || grant_ || handover_ || forced_ || invited_until_ ||
                           in_sync_ask_ || draining_ || stopping_ || fenced_;
    if (!paired_ || under_way || watch_.suspected()) return false;
    const auto wanted = role() == Role::master ? TunnelState::active : TunnelState::standby;
    const bool tunnels_rest = std::ranges::all_of(tunnels_, [&](const auto& named) {
        const Tunnel& tunnel = named.second;
        return tunnel.state == wanted && !tunnel.holder_unheard && !tunnel.follow_ask &&
               (!tunnel.view.known || tunnel.view.holder_alive);
    });
    if (!tunnels_rest) return false;
    if (role() == Role::master) {
        return serving_ != 0 && !waking_ && !tunnels_lost_ && pending_.empty() && session_alive();
    }
    return following_ == Following::following && in_sync_with_master_ && drift_ == Drift::none &&
           !peer_idle_since_;
}

Duration Node::next_tick() const {
    const Duration soon = std::clamp<Duration>(settings_.check_interval / 4, 10ms, tick_max);
    if (!is_quiet()) return soon;
    const Duration rest = std::max(soon, std::min<Duration>(settings_.check_interval, tick_max));
    const auto ping = watch_.next_ping();
    return ping ? std::clamp<Duration>(*ping - now_, tick_min, rest) : rest;
}

}  // namespace umbra::core
