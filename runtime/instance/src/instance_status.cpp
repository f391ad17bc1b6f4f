// What `umbra status` shows. Built on the loop, read from any thread.

#include "instance.hpp"
#include <umbra/base/clock.hpp>

#include <chrono>
#include <memory>
#include <utility>

namespace umbra::instance {

namespace {

std::int64_t ms(Duration duration) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

/// A status is made with every edit, and its names seldom change.
const SharedNames& shared(SharedNames& kept, const std::vector<std::string>& names) {
    if (!kept || *kept != names) kept = std::make_shared<const std::vector<std::string>>(names);
    return kept;
}

}  // namespace

Timers Instance::timers() const {
    return {config_.peer.check_interval, config_.peer.connect_timeout, config_.peer.request_timeout,
            config_.peer.takeover_delay_for(applied_ && tunnels_->any_fences())};
}

void Instance::publish_status() {
    if (!node_) return;
    const Instant now = loop_.now();
    auto status = std::make_shared<Status>();
    status->instance = config_.name;
    status->version = UMBRA_VERSION;
    status->role = core::to_string(node_->role());
    status->state = core::to_string(node_->state());
    status->epoch = node_->epoch();
    status->revision = core::to_string(node_->log().last().revision);
    status->paused = node_->paused();
    status->profile = config_.peer.profile;
    status->timers = timers();

    auto peer = node_->peer(now);
    status->peer.instance = peer.node;
    status->peer.version = peer.version;
    status->peer.state = peer.state;
    status->peer.revision = core::to_string(peer.last.revision);
    status->peer.in_sync = peer.in_sync;
    status->peer.plugins = shared(peer_plugins_, node_->peer_plugins());
    status->peer.detail = peer.detail;
    if (peer_link_) {
        if (status->peer.instance.empty() && peer_link_->peer()) {
            status->peer.instance = peer_link_->peer()->name;
        }
        const bool quiet = !peer.heard || now - *peer.heard > std::chrono::seconds{1};
        if (status->peer.detail.empty() && quiet && !peer_link_->linked() && peer_link_->peer()) {
            status->peer.detail = peer_link_->detail();
        }
        status->strangers = peer_link_->strangers();
    }
    if (node_->role() == core::Role::master && peer.timers.check_interval != 0) {
        // P7: these are the shadow's, shown on the master.
        status->timers = {
            Duration{peer.timers.check_interval}, Duration{peer.timers.connect_timeout},
            Duration{peer.timers.request_timeout}, Duration{peer.timers.takeover_delay}};
    }
    if (peer.heard) status->peer.rtt_us = peer.rtt_us;
    status->tunnels = tunnels_->status();
    status->probes = probes_->status();
    status->alerts = alerts_.list();
    status->plugins = shared(plugins_, node_->settings().plugins);
    status->suspicions = node_->watch().cleared();
    status->last_change = journal_.last_change();

    const std::lock_guard lock(status_mutex_);
    status_ = std::move(status);
    heard_ = peer.heard;
}

Status Instance::status() const {
    std::shared_ptr<const Status> latest;
    std::optional<Instant> heard;
    {
        const std::lock_guard lock(status_mutex_);
        latest = status_;
        heard = heard_;
    }
    Status status = latest ? *latest : Status{};
    const Instant now = base::boot_now();
    status.uptime_s = std::chrono::duration<double>(now - started_).count();
    if (heard) status.peer.last_seen_ms = ms(now - *heard);
    return status;
}

}  // namespace umbra::instance
