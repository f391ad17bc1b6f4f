// What the agent tells the host by itself: its state, and what it denied.

#include "agent.hpp"

namespace umbra::gateway {

using namespace std::chrono_literals;

namespace {

/// What changes with every stream is told to the host at most this often.
constexpr Duration report_pause = 250ms;
/// Pause between two lines in the log about users of service channels.
constexpr Duration calls_refused_pause = 1s;

}  // namespace

umbra::RegisterView to_host(const RegisterView& view, bool known) {
    umbra::RegisterView host{known, view.epoch, view.holder, view.holder_alive, view.in_sync_seq,
                             {},    {}};
    host.holder_heard = Duration(view.holder_heard_ns);
    host.store = view.store;
    for (const Member& member : view.in_sync)
        host.in_sync.push_back({member.node, member.incarnation});
    return host;
}

std::uint32_t Agent::links_up() const {
    std::uint32_t up = 0;
    for (const auto& uplink : uplinks_) up += uplink->is_up() ? 1 : 0;
    return up;
}

TunnelState Agent::state() const {
    if (!spec_ || stopping_) return TunnelState::down;
    if (!enrolled_) return TunnelState::refused;
    if (links_up() == 0) {
        for (const auto& uplink : uplinks_)
            if (uplink->is_refused()) return TunnelState::refused;
        return TunnelState::connecting;
    }
    if (draining_) return TunnelState::draining;
    return epoch_active_ != 0 && confirmed_ ? TunnelState::active : TunnelState::standby;
}

std::string Agent::detail() const {
    if (!spec_) return "not open";
    if (stopping_) return "stopping";
    if (!enrolled_) return trouble_;
    const Uplink* worst = nullptr;
    for (const auto& uplink : uplinks_)
        if (!uplink->is_up() &&
            (worst == nullptr || (uplink->is_refused() && !worst->is_refused())))
            worst = uplink.get();
    if (worst == nullptr) {
        const std::string ports = channels_.trouble();
        return ports.empty() ? renewal_.trouble() : ports;
    }
    const std::uint32_t up = links_up();
    if (up == 0) return worst->trouble();
    const std::string ports = channels_.trouble();
    return std::to_string(up) + " of " + std::to_string(uplinks_.size()) +
           " links up: " + worst->trouble() + (ports.empty() ? "" : "; ") + ports;
}

TunnelEvent Agent::event(TunnelEvent::Type type) const {
    TunnelEvent event;
    event.type = type;
    event.state = state();
    event.links = links_up();
    event.streams = static_cast<std::uint32_t>(streams());
    event.reg = to_host(view_, view_known_);
    if (event.links == 0) {
        Instant heard{};
        for (const auto& uplink : uplinks_) heard = std::max(heard, uplink->last_heard());
        if (heard != Instant{}) event.unheard = boot_now() - heard;
    }
    return event;
}

void Agent::changed() {
    if (stopping_) return;
    if (state() != state_reported_ || links_up() != links_reported_ || detail() != detail_reported_)
        return report_state();
    if (streams() == streams_reported_ || report_armed_) return;
    report_armed_ = true;
    report_timer_.expires_after(report_pause);
    report_timer_.async_wait([this](boost::system::error_code error) {
        report_armed_ = false;
        if (error) return;
        if (streams() != streams_reported_) report_state();
        report_denied();
    });
}

void Agent::report_state() {
    const TunnelState before = state_reported_;
    const std::string detail_before = std::exchange(detail_reported_, detail());
    state_reported_ = state();
    links_reported_ = links_up();
    streams_reported_ = streams();
    TunnelEvent now = event(TunnelEvent::Type::state);
    now.detail = detail_reported_;
    if (state_reported_ != before &&
        (state_reported_ == TunnelState::connecting || state_reported_ == TunnelState::refused))
        context_.warn("the tunnel is down: " + detail_reported_);
    else if (detail_reported_ != detail_before && !detail_reported_.empty())
        context_.debug(detail_reported_);
    events_.push(std::move(now));
}

void Agent::on_denied(std::string text) {
    ++denied_;
    denied_text_ = std::move(text);
    if (report_armed_) return;
    report_denied();
    report_armed_ = true;
    report_timer_.expires_after(report_pause);
    report_timer_.async_wait([this](boost::system::error_code error) {
        report_armed_ = false;
        if (error) return;
        report_denied();
        changed();
    });
}

void Agent::on_call_refused(const std::string& text) {
    const Instant now = boot_now();
    if (now - calls_refused_told_ < calls_refused_pause) {
        ++calls_refused_;
        return;
    }
    calls_refused_told_ = now;
    context_.warn(text + " (" + std::to_string(std::exchange(calls_refused_, 0)) +
                  " more like it)");
}

void Agent::report_denied() {
    if (denied_ == 0) return;
    TunnelEvent denied = event(TunnelEvent::Type::denied);
    denied.count = std::exchange(denied_, 0);
    denied.detail = denied_text_;
    context_.warn("denied " + std::to_string(denied.count) +
                  " streams or requests, the last one of " + denied.detail);
    events_.push(std::move(denied));
}

}  // namespace umbra::gateway
