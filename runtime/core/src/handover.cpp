// Changing roles by consent: asked for by an operator, by SIGTERM, or because the tunnels are lost.

#include "text.hpp"
#include <umbra/core/node.hpp>

#include <algorithm>
#include <utility>

namespace umbra::core {

namespace {

using namespace std::chrono_literals;

/// How long a gateway may refuse to route a granted epoch of which it knows nothing.
constexpr Duration reclaim_after{1s};

}  // namespace

std::optional<std::string> Node::handover_obstacle() const {
    if (serving_ == 0) return "this instance does not serve yet";
    if (handover_) return "a handover is already under way";
    if (!session_ || !session_alive()) return "no shadow is connected";
    if (!surely_in_sync(session_->member)) {
        return "the shadow " + session_->member.node + " is not in sync";
    }
    if (!tunnels_.empty() && !session_->can_serve) {
        return "the shadow " + session_->member.node + " could open none of the tunnels";
    }
    return std::nullopt;
}

void Node::on(const fact::SwitchRequested& fact) {
    if (role() == Role::shadow) {
        switch_from_shadow(fact);
        return;
    }
    if (fact.force) {
        if (const std::string* name = arbiter_name(); name != nullptr && serving_ != 0) {
            emit(effect::Consent{next_ask(), *name, serving_, {}});
            consent_everywhere(*name);
        }
        persistent_.yielded = true;
        next_consent_ = now_ + consent_interval;
        end_handover(false, "an operator forced this instance to be the shadow");
        step_down(epoch(), "an operator forced it, without a successor", policy_.grace_period);
        reply(fact.request, Verdict::done, settings_.node + " is shadow now");
        return;
    }
    if (const auto obstacle = handover_obstacle()) {
        reply(fact.request, Verdict::refused, "cannot switch roles: " + *obstacle);
        return;
    }
    begin_handover(fact.request, "an operator asked to switch roles");
}

void Node::begin_handover(std::optional<RequestId> request, std::string why) {
    note("handing over to " + session_->member.node + ": " + why);
    handover_ =
        Handover{HandoverStage::freezing, now_ + handover_limit, request, 0, std::move(why)};
}

void Node::drive_handover() {
    if (!handover_) return;
    if (now_ >= handover_->until) {
        end_handover(false, peer_name() + " did not take over within " + ms(handover_limit));
        return;
    }
    if (handover_->stage != HandoverStage::freezing) return;
    if (!session_) {
        end_handover(false, "the shadow is gone");
        return;
    }
    if (!pending_.empty() || session_->acked != log_.last()) return;
    const std::string* name = arbiter_name();
    if (name != nullptr && any_tunnel(TunnelState::active)) {
        handover_->stage = HandoverStage::consenting;
        handover_->ask = next_ask();
        emit(effect::Consent{handover_->ask, *name, serving_, session_->member.node});
        consent_everywhere(*name);
    } else {
        // The gateway is out of reach for this instance and will count it as gone.
        ask_take_over();
    }
}

void Node::ask_take_over() {
    handover_->stage = HandoverStage::asking;
    handover_->ask = ask_peer(wire::TakeOver{serving_, log_.last()});
}

void Node::on(const fact::ConsentAnswered& fact) {
    if (!handover_ || handover_->ask != fact.ask) return;
    if (fact.ok) {
        ask_take_over();
    } else {
        end_handover(false, "the gateway did not accept the consent: " + fact.detail);
    }
}

void Node::on_reply(const wire::TakeOverReply& answer) {
    if (!handover_) return start_over(follow_retry);
    if (answer.accepted) {
        handover_->stage = HandoverStage::waiting;
        watch_.hurry(now_);
    } else {
        end_handover(false, "the shadow declined: " + answer.reason);
    }
}

void Node::end_handover(bool done, const std::string& text) {
    if (!handover_) return;
    const Handover handover = *std::exchange(handover_, std::nullopt);
    if (handover.request) {
        reply(*handover.request, done ? Verdict::done : Verdict::failed,
              done ? text : "the roles were not switched: " + text);
    }
    if (done) return;
    lost_at_.reset();
    tunnels_lost_.reset();  // Counts again from now, so that a failed handover is not a busy loop.
    explain(effect::Explain::Kind::unchanged, "no handover: " + text);
    if (stopping_) emit(effect::Stop{});
}

void Node::on(const fact::Drained&) {
    draining_ = false;
    if (stopping_) emit(effect::Stop{});
}

/// The shadow passes on that the gateway does not hear this instance, which notices a silent cut
/// later by itself. The gateway is asked: its answer keeps the tunnel active, and while there is
/// none the tunnel counts as lost since the gateway's last word of it.
void Node::doubt_tunnel(std::optional<Duration> unheard) {
    const std::string* name = arbiter_name();
    if (name == nullptr || !arbitrated_) return;
    auto& tunnel = tunnels_.at(*name);
    if (tunnel.state != TunnelState::active) return;
    if (!unheard) return tunnel.holder_unheard.reset();
    const Instant since = now_ - *unheard;
    // Older than what the gateway answered last: it was true, or is an old message.
    if (since <= tunnel.active_since || std::exchange(tunnel.holder_unheard, since)) return;
    note("the gateway has not heard this instance for " + ms(*unheard) + ", says " +
         session_->member.node + "; asking it");
    tunnel.next_activate = now_ + std::chrono::seconds{1};
    emit(effect::Activate{*name, serving_});
}

void Node::watch_tunnel_loss() {
    if (serving_ == 0 || tunnels_.empty() || any_tunnel(TunnelState::active)) {
        tunnels_lost_.reset();
        lost_at_.reset();
        clear_alert("tunnels-down");
        return;
    }
    // A cut is noticed after a silence, which was part of the loss already.
    if (!tunnels_lost_) tunnels_lost_ = std::min(now_, lost_at_.value_or(now_));
    const Duration lost = now_ - *tunnels_lost_;
    // A register that knows less than the epoch it granted lost its record before this node could
    // tell it. The epoch counts for nothing there: claim another, and go on meanwhile.
    const Tunnel* tunnel = arbiter();
    if (arbitrated_ && tunnel != nullptr && tunnel->state == TunnelState::standby &&
        tunnel->view.epoch < serving_ && lost >= reclaim_after) {
        arbitrated_ = false;
    }
    if (lost < policy_.on_tunnel_loss) return;
    alert("tunnels-down", true, "no tunnel is active");
    if (!handover_obstacle()) {
        begin_handover(std::nullopt, "no tunnel was active for " + ms(lost) + ", limit " +
                                         ms(policy_.on_tunnel_loss));
    }
}

}  // namespace umbra::core
