// The shadow's side: when it tries to take over, and when not.

#include "text.hpp"
#include <umbra/core/node.hpp>

#include <algorithm>
#include <utility>

namespace umbra::core {

void Node::consider_takeover() {
    if (claim_ || grant_ || stopping_ || !paired_ || !persistent_.connect) return;
    if (now_ < next_claim_) return;
    if (invited_until_ && now_ >= *invited_until_) invited_until_.reset();
    if (const Tunnel* tunnel = arbiter()) {
        clear_alert("no-master");
        consider_fenced_takeover(*tunnel);
        return;
    }
    // Two shadows that answer each other: an operator made them so, and nothing here undoes it.
    const bool nobody = peer_idle_since_ && now_ - *peer_idle_since_ >= handover_limit &&
                        peer_pong_->role == Role::shadow;
    if (nobody) {
        alert("no-master", true,
              settings_.node + " and " + peer_name() +
                  " are both shadows, and no gateway can decide who serves: run `umbra switch "
                  "--force` on the one whose configuration is to stay (here revision " +
                  to_string(log_.last().revision) + ", there " +
                  to_string(peer_pong_->last.revision) + ")");
    } else {
        clear_alert("no-master");
    }
    if (invited_until_) {
        grant_oneself("handover by " + peer_name());
        return;
    }
    const auto silent = watch_.silent_for(now_);
    if (!silent) clear_alert("not-eligible");
    if (paused() || persistent_.yielded || !silent || *silent < silence_limit()) return;
    if (drift_ != Drift::none) {
        standing_ = drift_obstacle();
        alert("not-eligible", true, standing_);
        return;
    }
    if (!was_in_sync_) {
        standing_ =
            "not taking over: there is no gateway that can arbitrate, and this instance was "
            "not in sync with a master since it started";
        alert("not-eligible", true, standing_);
        return;
    }
    if (!tunnels_.empty() && !any_tunnel(TunnelState::standby)) {
        // The far ends may be out of reach for this instance only, and the master serve them.
        standing_ = "not taking over: no tunnel could be opened";
        alert("not-eligible", true, standing_);
        return;
    }
    grant_oneself(peer_name() + " did not answer for " + ms(*silent) + ", " + limit_text() +
                      "; no gateway can arbitrate",
                  false);
}

void Node::consider_fenced_takeover(const Tunnel& arbiter) {
    const RegisterView& view = arbiter.view;
    const auto silent = watch_.silent_for(now_);
    if (!view.known || arbiter.state == TunnelState::down ||
        arbiter.state == TunnelState::connecting || arbiter.state == TunnelState::refused) {
        standing_ = "cannot take over: the gateway of tunnel " + *arbiter_name() +
                    ", which grants the role, is not connected; an operator can force it";
        return;
    }
    const auto next = next_epoch(view);
    if (view.holder == settings_.node && persistent_.yielded) {
        keep_consenting(view);
        return;
    }
    if (view.holder == settings_.node && counts_as_in_sync(view)) {
        // A grant whose answer was lost, or this node was master and lost its memory of it.
        claim(*arbiter_name(), next, ClaimReason::first, "the register names this instance");
        return;
    }
    if (invited_until_) {
        claim(*arbiter_name(), next, ClaimReason::handover, "handover by " + peer_name());
        return;
    }
    // Whoever answers and does not serve is not fought over: damping has no part in it.
    const bool idle = peer_idle_since_ && now_ - *peer_idle_since_ >= settings_.takeover_delay;
    if (drift_ != Drift::none) {
        standing_ = drift_obstacle();
        if (idle || (silent && *silent >= silence_limit())) alert("not-eligible", true, standing_);
        return;
    }
    if (!counts_as_in_sync(view) || view.holder.empty()) {
        // A register that lost its record does not know which of its nodes has every edit.
        standing_ = view.holder.empty() && view.epoch != 0
                        ? "cannot take over: the gateway lost its record of who is in sync; the "
                          "last master must return, or an operator must force a takeover"
                        : "cannot take over: not in sync with the master as far as the gateway "
                          "knows";
        if (idle || (silent && *silent >= silence_limit())) alert("not-eligible", true, standing_);
        return;
    }
    clear_alert("not-eligible");
    if (view.holder_alive && !silent && !alerts_.contains("declined")) standing_.clear();
    if (paused() || persistent_.yielded) return;
    if (!view.holder_alive && watch_.is_refused(now_)) {
        claim(*arbiter_name(), next, ClaimReason::peer_refused,
              "the host of " + peer_name() + " refuses connections and the gateway lost it");
    } else if (silent && *silent >= silence_limit()) {
        claim(*arbiter_name(), next, ClaimReason::peer_silent,
              peer_name() + " silent for " + ms(*silent) + ", " + limit_text());
    } else if (idle) {
        // It gave up the role, lost its data, or does not get it back: it consents or is gone.
        claim(*arbiter_name(), next,
              view.holder_alive ? ClaimReason::handover : ClaimReason::peer_silent,
              peer_name() + " answers, but did not serve for " + ms(settings_.takeover_delay));
    }
}

std::string Node::drift_obstacle() const {
    return "not taking over: the configuration here differed from that of " + peer_name() +
           " at the same revision; an operator can force it";
}

void Node::note_idle_peer() {
    const bool idle = peer_pong_ && !watch_.suspected() && !peer_is_master();
    if (!idle) {
        peer_idle_since_.reset();
    } else if (!peer_idle_since_) {
        peer_idle_since_ = now_;
    }
}

/// The register names this node, which gave up the role by order of an operator: whoever is in
/// sync may have it, also one that comes later.
void Node::keep_consenting(const RegisterView& view) {
    if (now_ < next_consent_) return;
    next_consent_ = now_ + consent_interval;
    emit(effect::Consent{next_ask(), *arbiter_name(), view.epoch, {}});
}

wire::TakeOverReply Node::answer(const wire::TakeOver& ask) {
    if (role() != Role::shadow) return {false, settings_.node + " is not a shadow"};
    if (stopping_) return {false, settings_.node + " is stopping"};
    if (ask.epoch != follow_epoch_) {
        return {false, settings_.node + " follows epoch " + std::to_string(follow_epoch_) +
                           ", not " + std::to_string(ask.epoch)};
    }
    if (following_ != Following::following || durable_ != ask.last || log_.last() != ask.last) {
        return {false, settings_.node + " is not in sync"};
    }
    if (drift_ != Drift::none) {
        return {false, settings_.node + " has another configuration at the same revision"};
    }
    if (!tunnels_.empty() && !any_tunnel(TunnelState::standby)) {
        return {false, settings_.node + " has no tunnel standing by"};
    }
    invited_until_ = now_ + handover_limit;
    next_claim_ = now_;
    return {true, {}};
}

void Node::switch_from_shadow(const fact::SwitchRequested& fact) {
    if (!fact.force) {
        reply(fact.request, Verdict::refused,
              settings_.node + " is the shadow; switch roles on the master " + peer_name() +
                  ", or use --force to take over against its will");
        return;
    }
    if (forced_ || claim_ || grant_) {
        reply(fact.request, Verdict::refused, "a takeover is already under way");
        return;
    }
    const std::string* name = reachable_gateway();
    const Tunnel* tunnel = name == nullptr ? nullptr : &tunnels_.at(*name);
    if (tunnel != nullptr && !tunnel->view.known) {
        reply(fact.request, Verdict::refused, "the gateway was not reached yet");
        return;
    }
    forced_ = fact.request;
    if (tunnel != nullptr) {
        claim(*name, next_epoch(tunnel->view), ClaimReason::forced,
              "an operator forced the takeover");
    } else {
        grant_oneself("an operator forced the takeover");
    }
}

}  // namespace umbra::core
