// Who is master: starting, claims, becoming master, serving, stepping down.

#include "text.hpp"
#include <umbra/core/node.hpp>

#include <algorithm>
#include <utility>

namespace umbra::core {

namespace {

using namespace std::chrono_literals;

/// Pause between two attempts to activate a tunnel that stands by under a granted epoch.
constexpr Duration activate_retry{100ms};
/// The same while the gateway may be out of reach: what was asked waits on the way.
constexpr Duration doubted_retry{1s};
/// Pause between two claims that the gateway refused because it hears the holder.
constexpr Duration refused_claim_retry{1s};

}  // namespace

bool Node::any_tunnel(TunnelState state) const {
    return std::any_of(tunnels_.begin(), tunnels_.end(),
                       [&](const auto& item) { return item.second.state == state; });
}

/// The takeover delay; longer on a link where answers were slow lately, and after repeated changes.
Duration Node::silence_limit() const {
    const Duration delay =
        arbiter() != nullptr ? settings_.takeover_delay : settings_.takeover_delay_unfenced;
    const Duration slow = std::min(slowest_answers * watch_.slowest(), takeover_delays_max * delay);
    return std::max(damping_.factor(now_) * delay, slow);
}

std::string Node::limit_text() const {
    const Duration delay =
        arbiter() != nullptr ? settings_.takeover_delay : settings_.takeover_delay_unfenced;
    std::string text = "limit " + ms(silence_limit());
    if (slowest_answers * watch_.slowest() > delay) {
        text += ", more than the takeover delay because answers took up to " +
                ms(watch_.slowest()) + " lately";
    }
    if (const int factor = damping_.factor(now_); factor > 1) {
        text += ", lengthened " + std::to_string(factor) + " times after " +
                std::to_string(damping_.recent(now_)) + " unplanned changes of master in " +
                std::to_string(
                    std::chrono::duration_cast<std::chrono::minutes>(Damping::window).count()) +
                " min";
    }
    return text;
}

// --- becoming master
// --------------------------------------------------------------------------------

/// A master that (re)starts asks first whether somebody took over meanwhile: the register where
/// there is one, else the peer.
void Node::start_as_master() {
    if (role() != Role::master || claim_ || grant_ || handover_ || stopping_) return;
    // A shadow that was master for a moment followed a higher epoch and would be declined for ever.
    const bool outnumbered = serving_ != 0 && arbiter() == nullptr && peer_pong_ &&
                             !watch_.suspected() && peer_pong_->role == Role::shadow &&
                             peer_pong_->epoch > epoch();
    if (outnumbered) return grant_oneself(peer_name() + " has seen a higher epoch and is shadow");
    if (serving_ != 0 && (arbitrated_ || arbiter() == nullptr)) return;
    if (!tunnels_known_ || now_ < next_claim_) return;
    if (const Tunnel* tunnel = arbiter()) {
        start_with_register(tunnel->view);
    } else if (pairing_known_) {
        start_without_register();
    }
}

bool Node::counts_as_in_sync(const RegisterView& view) const {
    return std::find(view.in_sync.begin(), view.in_sync.end(), self()) != view.in_sync.end();
}

/// A register that knows less than this node has lost its record; asking for more than its next
/// epoch makes it notice.
Epoch Node::next_epoch(const RegisterView& view) const { return std::max(view.epoch, epoch()) + 1; }

void Node::start_with_register(const RegisterView& view) {
    if (!view.known) {
        alert("no-gateway", true,
              "the gateway of tunnel " + *arbiter_name() +
                  " was not reached yet; without it nobody becomes master");
        return;
    }
    clear_alert("no-gateway");
    const auto named = " for epoch " + std::to_string(view.epoch);
    if (view.epoch == 0) {
        claim(*arbiter_name(), next_epoch(view), ClaimReason::first,
              "first start; the register was empty");
    } else if (view.holder == settings_.node && counts_as_in_sync(view)) {
        claim(*arbiter_name(), next_epoch(view), ClaimReason::first,
              "restart; the register still names " + view.holder + named);
    } else if (view.holder == settings_.node) {
        step_down(view.epoch,
                  "the register names " + view.holder + named + ", but with another data directory",
                  Duration{});
    } else if (view.holder.empty() && epoch() >= view.epoch) {
        // It lost its record and asked its nodes. This one was the last master it ever had.
        claim(*arbiter_name(), next_epoch(view), ClaimReason::first,
              "the register lost its holder; this instance held epoch " + std::to_string(epoch()));
    } else {
        step_down(view.epoch,
                  "the register names " + (view.holder.empty() ? "nobody" : view.holder) + named,
                  Duration{});
    }
}

void Node::start_without_register() {
    if (!paired_) {
        grant_oneself("no tunnel provider can arbitrate and no peer is paired");
    } else if (watch_.suspected()) {
        if (watch_.is_refused(now_) || *watch_.silent_for(now_) >= settings_.request_timeout) {
            grant_oneself("start without a gateway that can arbitrate; " + peer_name() +
                          " does not answer");
        }
    } else if (peer_pong_) {
        const bool peer_first =
            peer_pong_->role == Role::master &&
            (peer_pong_->epoch > epoch() ||
             (peer_pong_->epoch == epoch() && peer_pong_->node < settings_.node));
        if (peer_first) {
            step_down(peer_pong_->epoch, peer_name() + " is master too and comes first",
                      Duration{});
        } else {
            grant_oneself("start without a gateway that can arbitrate; " + peer_name() +
                          " is not master");
        }
    }
}

void Node::grant_oneself(std::string why, bool planned) {
    const Epoch seen = peer_pong_ ? peer_pong_->epoch : 0;
    granted(std::max(epoch(), seen) + 1, {self()}, std::move(why), planned);
}

void Node::claim(const std::string& tunnel, Epoch epoch, ClaimReason reason, std::string why) {
    if (claim_ || grant_) return;
    claim_ = PendingClaim{next_ask(), tunnel, epoch, reason, std::move(why)};
    emit(effect::Claim{claim_->ask, claim_->tunnel, epoch, reason});
}

void Node::on(const fact::ClaimAnswered& fact) {
    if (follow_answered(fact)) return;
    if (!claim_ || claim_->ask != fact.ask) return;
    const PendingClaim claimed = *std::exchange(claim_, std::nullopt);
    auto& tunnel = tunnels_.at(claimed.tunnel);
    const bool newer = !tunnel.view.known || fact.view.epoch >= tunnel.view.epoch;
    if (fact.view.known && newer) see(tunnel, fact.view);
    if (fact.granted) {
        const bool planned = claimed.reason != ClaimReason::peer_silent &&
                             claimed.reason != ClaimReason::peer_refused;
        const std::string* record = record_name();
        const bool of_record =
            record == nullptr || *record == claimed.tunnel ||
            (!fact.view.store.empty() && fact.view.store == tunnels_.at(*record).view.store);
        granted(claimed.epoch, fact.view.in_sync, claimed.why, planned,
                of_record ? std::string() : claimed.tunnel);
        return;
    }
    const bool invited = invited_until_ && now_ < *invited_until_;
    const bool patient =
        claimed.reason == ClaimReason::peer_silent || claimed.reason == ClaimReason::handover;
    next_claim_ = now_ + (invited ? claim_retry / 4 : patient ? refused_claim_retry : claim_retry);
    standing_ = "the gateway refused epoch " + std::to_string(claimed.epoch) + ": " + fact.detail;
    if (forced_) reply(*std::exchange(forced_, std::nullopt), Verdict::refused, standing_);
    if (role() == Role::shadow && !invited && !refusal_explained_) {
        refusal_explained_ = true;
        explain(effect::Explain::Kind::unchanged, claimed.why + "; " + standing_ + "; no takeover");
        if (fact.view.holder_alive && watch_.suspected()) {
            alert("peer-link-cut", true,
                  peer_name() + " does not answer, but the gateway hears it: no takeover (" +
                      fact.detail + "). Check the network between the two instances");
        }
    }
}

void Node::on(const fact::ClaimFailed& fact) {
    if (follow_failed(fact)) return;
    if (!claim_ || claim_->ask != fact.ask) return;
    claim_.reset();
    next_claim_ = now_ + claim_retry;
    standing_ = "the gateway did not answer the claim: " + fact.detail;
    if (forced_) reply(*std::exchange(forced_, std::nullopt), Verdict::failed, standing_);
}

void Node::granted(Epoch epoch, std::vector<Member> in_sync, std::string why, bool planned,
                   std::string by) {
    grant_ = Grant{epoch, persist_version_ + 1, std::move(in_sync), std::move(why), std::move(by)};
    if (!planned) damping_.record(now_);
    persist();
}

/// The only place where a node becomes master. The epoch is on disk.
void Node::become_master(const Grant& grant) {
    persistent_.role = Role::master;
    persistent_.epoch = grant.epoch;
    persistent_.yielded = false;
    persistent_.connect = true;  // Should it be shadow again, it follows.
    serving_ = grant.epoch;
    arbitrated_ = arbiter() != nullptr;
    stop_following();
    granted_by_ = grant.by;
    in_sync_ = {grant.in_sync.begin(), grant.in_sync.end()};
    in_sync_.insert(self());
    in_sync_ask_.reset();
    in_sync_doubtful_ = false;
    in_sync_seq_ = 0;
    next_in_sync_ = now_;
    next_beacon_ = now_;
    session_.reset();
    start_over(Duration{});
    in_sync_with_master_ = was_in_sync_ = false;
    drift_ = Drift::none;
    clear_alert("drift");
    invited_until_.reset();
    peer_idle_since_.reset();
    standing_.clear();
    tunnels_lost_.reset();
    lost_at_.reset();
    draining_ = fenced_ = waking_ = false;
    for (auto& [name, tunnel] : tunnels_) tunnel.next_activate = now_;
    for (const char* id :
         {"peer-unreachable", "peer-link-cut", "not-eligible", "no-master", "sync-failed"})
        clear_alert(id);
    explain(effect::Explain::Kind::changed,
            "master of epoch " + std::to_string(grant.epoch) + ": " + grant.why);
    if (forced_) {
        reply(*std::exchange(forced_, std::nullopt), Verdict::done,
              settings_.node + " is master of epoch " + std::to_string(grant.epoch));
    }
    emit(effect::ApplyDocument{});
}

/// Keeps every tunnel active while this node serves; also after a link broke and came back.
void Node::serve_tunnels() {
    if (serving_ == 0) return;
    follow_gateways();
    for (auto& [name, tunnel] : tunnels_) {
        // A tunnel may still be active under the epoch before, which is worth nothing now.
        const bool outdated = tunnel.state == TunnelState::active && tunnel.activated != serving_;
        const bool idle = tunnel.state == TunnelState::standby || outdated;
        if (!idle || now_ < tunnel.next_activate) continue;
        if (follows(name, tunnel) && !holds(tunnel)) continue;
        tunnel.next_activate = now_ + (tunnel.holder_unheard ? doubted_retry : activate_retry);
        tunnel.activated = serving_;
        emit(effect::Activate{name, serving_});
    }
}

// --- tunnels and the register
// -----------------------------------------------------------------------

void Node::on(const fact::TunnelsConfigured& fact) {
    const std::string* record = record_name();
    const auto before = record == nullptr ? std::nullopt : std::optional(*record);
    std::map<std::string, Tunnel> tunnels;
    for (const auto& [name, fences] : fact.fences) {
        const auto known = tunnels_.find(name);
        auto& tunnel = tunnels[name];
        if (known != tunnels_.end()) tunnel = known->second;
        tunnel.fences = fences;
    }
    tunnels_ = std::move(tunnels);
    tunnels_known_ = true;
    record_moved(before ? &*before : nullptr);
    const std::string* name = arbiter_name();
    if (!claim_ || (name != nullptr && *name == claim_->tunnel)) return;
    if (claim_->reason == ClaimReason::forced && tunnels_.contains(claim_->tunnel)) return;
    claim_.reset();
    if (forced_) {
        reply(*std::exchange(forced_, std::nullopt), Verdict::failed,
              "the tunnel that was asked was removed");
    }
}

void Node::on(const fact::TunnelChanged& fact) {
    const auto found = tunnels_.find(fact.tunnel);
    if (found == tunnels_.end()) return;
    auto& tunnel = found->second;
    if (tunnel.state == TunnelState::active) {
        lost_at_ = std::min(now_ - fact.unheard, tunnel.holder_unheard.value_or(now_));
    }
    tunnel.state = fact.state;
    next_report_ = now_;  // Whether this instance could serve is in it.
    if (fact.state == TunnelState::active) tunnel.active_since = now_;
    // Without a link nothing more is heard of it; with the next one comes what is true then.
    if (fact.state != TunnelState::standby) tunnel.holder_unheard.reset();
    // The gateway routes to this node again: it knows of no later epoch.
    const std::string* name = arbiter_name();
    if (fact.state == TunnelState::active && name != nullptr && *name == fact.tunnel) woken();
}

void Node::on(const fact::RegisterSeen& fact) {
    const auto found = tunnels_.find(fact.tunnel);
    if (found == tunnels_.end() || !fact.view.known) return;
    // Links are several, so pushes can overtake each other; while they are up, an older epoch is an
    // older view. After all were down it may be a gateway that lost its record.
    const auto state = found->second.state;
    const bool up = state == TunnelState::standby || state == TunnelState::active ||
                    state == TunnelState::draining;
    if (up && found->second.view.known && fact.view.epoch < found->second.view.epoch) return;
    const bool doubted = found->second.holder_unheard.has_value();
    see(found->second, fact.view);
    if (fact.holder_lost) next_claim_ = std::min(next_claim_, now_);
    if (fact.holder_lost || found->second.holder_unheard.has_value() != doubted) {
        next_report_ = now_;
    }
    const std::string* name = record_name();
    if (name != nullptr && *name == fact.tunnel) return obey_higher_epoch(fact.view);
    obey_gateway(fact.tunnel, found->second);
}

void Node::see(Tunnel& tunnel, const RegisterView& view) const {
    tunnel.view = view;
    if (view.holder == settings_.node) return;  // Whoever hears this does not know it of itself.
    if (view.holder_alive || view.holder.empty()) {
        tunnel.holder_unheard.reset();
    } else {
        // Not since the gateway started, or what was said is said again: the age is that of then.
        const Duration age = std::max(view.holder_heard, Duration{});
        tunnel.holder_unheard = std::min(tunnel.holder_unheard.value_or(now_), now_ - age);
    }
}

void Node::obey_higher_epoch(const RegisterView& view) {
    if (role() == Role::shadow) {
        if (view.holder != settings_.node && view.holder_alive && persistent_.yielded) {
            persistent_.yielded = false;
            persist();
        }
        return;
    }
    if (serving_ == 0 || !arbitrated_ || view.epoch < serving_) return;
    const bool mine = view.holder == settings_.node;
    if (mine && view.epoch == serving_) return;
    if (mine || view.holder.empty()) {
        // Granted, but the answer was lost; or the gateway lost its record: ask again, so that the
        // epoch is stored before it is used.
        serving_ = 0;
        return;
    }
    step_down(view.epoch,
              "the gateway granted epoch " + std::to_string(view.epoch) + " to " + view.holder +
                  ", this instance was of epoch " + std::to_string(serving_),
              Duration{});
}

/// The only place where a master becomes shadow. Tunnels first, then the role.
void Node::step_down(Epoch epoch, const std::string& why, Duration grace) {
    const bool agreed = handover_.has_value();
    if (agreed) grace = policy_.grace_period;
    emit(effect::Drain{grace});
    draining_ = true;
    fenced_ = !agreed && serving_ != 0;
    if (fenced_ && !persistent_.yielded) damping_.record(now_);
    persistent_.role = Role::shadow;
    persistent_.epoch = std::max(persistent_.epoch, epoch);
    grant_.reset();
    claim_.reset();
    persist();
    serving_ = 0;
    stop_following();
    arbitrated_ = waking_ = false;
    tunnels_lost_.reset();
    for (const auto& edit : std::exchange(pending_, {})) {
        if (edit.told_provisional) continue;
        reply(edit.request, Verdict::provisional,
              "this instance lost the role of master before the edit was durable on both",
              edit.revision);
    }
    session_.reset();
    in_sync_.clear();
    in_sync_ask_.reset();
    in_sync_with_master_ = was_in_sync_ = false;
    next_claim_ = now_ + claim_retry;
    for (const char* id : {"shadow-away", "push-failed", "push-recovered", "tunnels-down",
                           "no-gateway", "shadow-declined", "drift"}) {
        clear_alert(id);
    }
    explain(effect::Explain::Kind::changed, "shadow: " + why);
    start_over(Duration{});
    if (agreed) end_handover(true, "the roles are switched: " + why);
}

}  // namespace umbra::core
