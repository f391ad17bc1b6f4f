// Who is master: claims, takeovers, handovers, stepping down.

#include <umbra/core/node.hpp>

#include <algorithm>
#include <utility>

namespace umbra::core {

namespace {

using namespace std::chrono_literals;

/// Pause between two attempts to activate a tunnel that stands by under a granted epoch.
constexpr Duration activate_retry{100ms};
/// How long a gateway may refuse to route a granted epoch of which it knows nothing.
constexpr Duration reclaim_after{1s};
/// Pause between two claims that the gateway refused because it hears the holder.
constexpr Duration refused_claim_retry{1s};

std::string ms(Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) +
           " ms";
}

}  // namespace

const std::string* Node::arbiter_name() const {
    for (const auto& [name, tunnel] : tunnels_) {
        if (tunnel.fences) return &name;
    }
    return nullptr;
}

const Node::Tunnel* Node::arbiter() const {
    const std::string* name = arbiter_name();
    return name == nullptr ? nullptr : &tunnels_.at(*name);
}

bool Node::any_tunnel(TunnelState state) const {
    return std::any_of(tunnels_.begin(), tunnels_.end(),
                       [&](const auto& item) { return item.second.state == state; });
}

Duration Node::silence_limit() const {
    return arbiter() != nullptr ? settings_.takeover_delay : settings_.takeover_delay_unfenced;
}

// --- becoming master
// --------------------------------------------------------------------------------

/// A master that (re)starts asks first whether somebody took over meanwhile: the register where
/// there is one, else the peer.
void Node::start_as_master() {
    if (role() != Role::master || claim_ || grant_ || handover_ || stopping_) return;
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
              "the gateway was not reached yet; without it nobody becomes master");
        return;
    }
    clear_alert("no-gateway");
    const auto named = " for epoch " + std::to_string(view.epoch);
    if (view.epoch == 0) {
        claim(next_epoch(view), ClaimReason::first, "first start; the register was empty");
    } else if (view.holder == settings_.node && counts_as_in_sync(view)) {
        claim(next_epoch(view), ClaimReason::first,
              "restart; the register still names " + view.holder + named);
    } else if (view.holder == settings_.node) {
        step_down(view.epoch,
                  "the register names " + view.holder + named + ", but with another data directory",
                  Duration{});
    } else if (view.holder.empty() && epoch() >= view.epoch) {
        // It lost its record and asked its nodes. This one was the last master it ever had.
        claim(next_epoch(view), ClaimReason::first,
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

void Node::grant_oneself(std::string why) {
    const Epoch seen = peer_pong_ ? peer_pong_->epoch : 0;
    granted(std::max(epoch(), seen) + 1, {self()}, std::move(why));
}

void Node::claim(Epoch epoch, ClaimReason reason, std::string why) {
    if (claim_ || grant_) return;
    claim_ = PendingClaim{next_ask(), *arbiter_name(), epoch, reason, std::move(why)};
    emit(effect::Claim{claim_->ask, claim_->tunnel, epoch, reason});
}

void Node::on(const fact::ClaimAnswered& fact) {
    if (!claim_ || claim_->ask != fact.ask) return;
    const PendingClaim claimed = *std::exchange(claim_, std::nullopt);
    auto& view = tunnels_.at(claimed.tunnel).view;
    if (fact.view.known && (!view.known || fact.view.epoch >= view.epoch)) view = fact.view;
    if (fact.granted) {
        granted(claimed.epoch, fact.view.in_sync, claimed.why);
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
        explain(claimed.why + "; " + standing_ + "; no takeover");
        if (fact.view.holder_alive && watch_.suspected()) {
            alert("peer-link-cut", true,
                  peer_name() + " does not answer, but the gateway hears it: no takeover (" +
                      fact.detail + "). Check the network between the two instances");
        }
    }
}

void Node::on(const fact::ClaimFailed& fact) {
    if (!claim_ || claim_->ask != fact.ask) return;
    claim_.reset();
    next_claim_ = now_ + claim_retry;
    standing_ = "the gateway did not answer the claim: " + fact.detail;
    if (forced_) reply(*std::exchange(forced_, std::nullopt), Verdict::failed, standing_);
}

void Node::granted(Epoch epoch, std::vector<Member> in_sync, std::string why) {
    grant_ = Grant{epoch, persist_version_ + 1, std::move(in_sync), std::move(why)};
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
    invited_until_.reset();
    peer_idle_since_.reset();
    standing_.clear();
    tunnels_lost_.reset();
    draining_ = fenced_ = false;
    for (auto& [name, tunnel] : tunnels_) tunnel.next_activate = now_;
    for (const char* id : {"peer-unreachable", "peer-link-cut", "not-eligible"}) clear_alert(id);
    explain("master of epoch " + std::to_string(grant.epoch) + ": " + grant.why);
    if (forced_) {
        reply(*std::exchange(forced_, std::nullopt), Verdict::done,
              settings_.node + " is master of epoch " + std::to_string(grant.epoch));
    }
    emit(effect::ApplyDocument{});
}

/// Keeps every tunnel active while this node serves; also after a link broke and came back.
void Node::serve_tunnels() {
    if (serving_ == 0) return;
    for (auto& [name, tunnel] : tunnels_) {
        // A tunnel may still be active under the epoch before, which is worth nothing now.
        const bool outdated = tunnel.state == TunnelState::active && tunnel.activated != serving_;
        const bool idle = tunnel.state == TunnelState::standby || outdated;
        if (!idle || now_ < tunnel.next_activate) continue;
        tunnel.next_activate = now_ + activate_retry;
        tunnel.activated = serving_;
        emit(effect::Activate{name, serving_});
    }
}

// --- the shadow's side
// ------------------------------------------------------------------------------

void Node::consider_takeover() {
    if (claim_ || grant_ || stopping_ || !paired_ || !persistent_.connect) return;
    if (now_ < next_claim_) return;
    if (invited_until_ && now_ >= *invited_until_) invited_until_.reset();
    if (const Tunnel* tunnel = arbiter()) {
        consider_fenced_takeover(*tunnel);
        return;
    }
    if (invited_until_) {
        grant_oneself("handover by " + peer_name());
        return;
    }
    const auto silent = watch_.silent_for(now_);
    if (paused_ || persistent_.yielded || !silent || *silent < silence_limit()) return;
    if (!was_in_sync_) {
        standing_ =
            "not taking over: there is no gateway that can arbitrate, and this instance was "
            "not in sync with a master since it started";
        alert("not-eligible", true, standing_);
        return;
    }
    grant_oneself(peer_name() + " did not answer for " + ms(*silent) + ", limit " +
                  ms(silence_limit()) + "; no gateway can arbitrate");
}

void Node::consider_fenced_takeover(const Tunnel& arbiter) {
    const RegisterView& view = arbiter.view;
    const auto silent = watch_.silent_for(now_);
    if (!view.known || arbiter.state == TunnelState::down ||
        arbiter.state == TunnelState::connecting || arbiter.state == TunnelState::refused) {
        standing_ = "cannot take over: the gateway is not connected";
        return;
    }
    const auto next = next_epoch(view);
    if (view.holder == settings_.node && persistent_.yielded) {
        keep_consenting(view);
        return;
    }
    if (view.holder == settings_.node && counts_as_in_sync(view)) {
        // A grant whose answer was lost, or this node was master and lost its memory of it.
        claim(next, ClaimReason::first, "the register names this instance");
        return;
    }
    if (invited_until_) {
        claim(next, ClaimReason::handover, "handover by " + peer_name());
        return;
    }
    const bool idle = peer_idle_since_ && now_ - *peer_idle_since_ >= silence_limit();
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
    if (paused_ || persistent_.yielded) return;
    if (!view.holder_alive && watch_.is_refused(now_)) {
        claim(next, ClaimReason::peer_refused,
              "the host of " + peer_name() + " refuses connections and the gateway lost it");
    } else if (silent && *silent >= silence_limit()) {
        claim(next, ClaimReason::peer_silent,
              peer_name() + " silent for " + ms(*silent) + ", limit " + ms(silence_limit()));
    } else if (idle) {
        // It gave up the role, lost its data, or does not get it back: it consents or is gone.
        claim(next, view.holder_alive ? ClaimReason::handover : ClaimReason::peer_silent,
              peer_name() + " answers, but did not serve for " + ms(silence_limit()));
    }
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
    if (following_ != Following::following || durable_ != ask.last || log_.last() != ask.last) {
        return {false, settings_.node + " is not in sync"};
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
    const Tunnel* tunnel = arbiter();
    if (tunnel != nullptr && !tunnel->view.known) {
        reply(fact.request, Verdict::refused, "the gateway was not reached yet");
        return;
    }
    forced_ = fact.request;
    if (tunnel != nullptr) {
        claim(next_epoch(tunnel->view), ClaimReason::forced, "an operator forced the takeover");
    } else {
        grant_oneself("an operator forced the takeover");
    }
}

// --- tunnels and the register
// -----------------------------------------------------------------------

void Node::on(const fact::TunnelsConfigured& fact) {
    std::map<std::string, Tunnel> tunnels;
    for (const auto& [name, fences] : fact.fences) {
        const auto known = tunnels_.find(name);
        auto& tunnel = tunnels[name];
        if (known != tunnels_.end()) tunnel = known->second;
        tunnel.fences = fences;
    }
    tunnels_ = std::move(tunnels);
    tunnels_known_ = true;
    const std::string* name = arbiter_name();
    if (!claim_ || (name != nullptr && *name == claim_->tunnel)) return;
    claim_.reset();
    if (forced_) {
        reply(*std::exchange(forced_, std::nullopt), Verdict::failed,
              "the tunnel that was asked was removed");
    }
}

void Node::on(const fact::TunnelChanged& fact) {
    const auto found = tunnels_.find(fact.tunnel);
    if (found == tunnels_.end()) return;
    found->second.state = fact.state;
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
    found->second.view = fact.view;
    if (fact.holder_lost) next_claim_ = std::min(next_claim_, now_);
    const std::string* name = arbiter_name();
    if (name != nullptr && *name == fact.tunnel) obey_higher_epoch(fact.view);
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
    persistent_.role = Role::shadow;
    persistent_.epoch = std::max(persistent_.epoch, epoch);
    grant_.reset();
    claim_.reset();
    persist();
    serving_ = 0;
    arbitrated_ = false;
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
                           "no-gateway", "shadow-declined"}) {
        clear_alert(id);
    }
    explain("shadow: " + why);
    start_over(Duration{});
    if (agreed) end_handover(true, "the roles are switched: " + why);
}

// --- handover by consent
// ----------------------------------------------------------------------------

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
    explain("handing over to " + session_->member.node + ": " + why);
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
    tunnels_lost_.reset();  // Counts again from now, so that a failed handover is not a busy loop.
    explain("no handover: " + text);
    if (stopping_) emit(effect::Stop{});
}

void Node::on(const fact::Drained&) {
    draining_ = false;
    if (stopping_) emit(effect::Stop{});
}

void Node::watch_tunnel_loss() {
    if (serving_ == 0 || tunnels_.empty() || any_tunnel(TunnelState::active)) {
        tunnels_lost_.reset();
        clear_alert("tunnels-down");
        return;
    }
    if (!tunnels_lost_) tunnels_lost_ = now_;
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
