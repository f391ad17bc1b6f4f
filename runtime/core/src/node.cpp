#include "text.hpp"
#include <umbra/core/node.hpp>

#include <algorithm>
#include <cassert>
#include <utility>

namespace umbra::core {

namespace {

using namespace std::chrono_literals;

/// A peer whose main loop has not moved for this long answers its pings in vain.
constexpr Duration hung_loop{2s};

}  // namespace

Node::Node(Settings settings, Persistent persistent, Log log, Instant now)
    : settings_(std::move(settings)),
      persistent_(persistent),
      log_(std::move(log)),
      durable_(log_.last()),
      now_(now),
      started_(now),
      watch_(settings_.check_interval),
      damping_(persistent_.unplanned, now) {
    persistent_.unplanned.clear();  // From here on `damping_` has them.
    // The log may have reached the disk before the epoch under which it grew.
    raised_at_start_ = log_.last().revision.epoch > persistent_.epoch;
    persistent_.epoch = std::max(persistent_.epoch, log_.last().revision.epoch);
    reported_ = durable_;
}

void Node::on(const fact::Ticked& fact) {
    if (fact.wall_ms != 0) wall_ms_ = fact.wall_ms;
}

Effects Node::step(Instant now, const Fact& fact) {
    assert(now >= now_);
    now_ = now;
    out_.list.clear();
    std::visit([this](const auto& f) { on(f); }, fact);
    housekeeping();
    return std::exchange(out_.list, {});
}

/// What is due because of the time or because something changed. Each part does nothing when there
/// is nothing to do, so it may run after every fact.
void Node::housekeeping() {
    if (std::exchange(raised_at_start_, false)) persist();
    show_pause();
    if (paired_ && (persistent_.connect || role() == Role::master) && watch_.due(now_)) {
        const AskId ask = next_ask();
        watch_.sent(now_, ask);
        emit(effect::Ping{ask});
    }
    if (role() == Role::master) {
        start_as_master();
        serve_tunnels();
        watch_tunnel_loss();
        manage_in_sync();
        try_commit();
        report_lateness();
        drive_handover();
        merge_own_divergences();
        publish_beacon();
    } else {
        drive_following();
        note_idle_peer();
        consider_takeover();
    }
    show_divergences();
    compact_log();
    refresh_pong();
}

void Node::refresh_pong() {
    auto pong =
        wire::encode(wire::Pong{settings_.node, settings_.incarnation, settings_.version, role(),
                                epoch(), serving_ != 0, log_.last(), persistent_.pause});
    if (pong == pong_) return;
    pong_ = std::move(pong);
    emit(effect::SetPong{pong_});
}

State Node::state() const {
    if (role() == Role::master) {
        if (handover_) return State::draining;
        if (serving_ == 0 || waking_) return State::starting;
        const bool serves = tunnels_.empty() || any_tunnel(TunnelState::active);
        return serves ? State::active : State::starting;
    }
    if (claim_ || grant_) return State::taking_over;
    if (fenced_) return State::fenced;
    if (!paired_) return State::initial;
    if (!persistent_.connect) {
        return persisted_ < disconnect_version_ ? State::disconnecting : State::disconnected;
    }
    if (watch_.suspected()) return was_in_sync_ ? State::lost : State::disconnected;
    switch (following_) {
        case Following::idle:
            return State::disconnected;
        case Following::greeting:
            return State::handshake;
        case Following::fetching:
        case Following::snapshotting:
            return State::initsync;
        case Following::following:
            return in_sync_with_master_ ? State::ready : State::initsync;
    }
    return State::disconnected;
}

const std::string& Node::peer_name() const {
    static const std::string unknown = "the peer";
    return peer_node_.empty() ? unknown : peer_node_;
}

Node::PeerView Node::peer(Instant now) const {
    PeerView view;
    view.node = peer_node_;
    view.version = peer_version_;
    view.rtt_us = std::chrono::duration_cast<std::chrono::microseconds>(watch_.rtt()).count();
    view.heard = watch_.last_heard();
    if (peer_pong_) view.last = peer_pong_->last;
    if (role() == Role::shadow) {
        view.state = peer_pong_ && !watch_.suspected() ? to_string(peer_pong_->role)
                     : paired_                         ? "lost"
                                                       : "initial";
        view.in_sync = in_sync_with_master_;
        view.detail = standing_;
        return view;
    }
    if (!session_) {
        view.state = paired_ ? "disconnected" : "initial";
        return view;
    }
    view.last = session_->acked;
    view.heard = view.heard ? std::max(*view.heard, session_->heard) : session_->heard;
    if (!watch_.last_heard()) view.rtt_us = session_->rtt_us;
    view.timers = session_->timers;
    view.in_sync = in_sync_.contains(session_->member);
    view.state = now - session_->heard < lost_after() ? session_->state : "lost";
    return view;
}

// --- durability
// -------------------------------------------------------------------------------------

void Node::persist() {
    Persistent state = persistent_;
    state.unplanned = damping_.times();
    if (grant_) {
        // A granted epoch is on its way to disk; nothing written later may take it back.
        state.role = Role::master;
        state.epoch = grant_->epoch;
        state.yielded = false;
        state.connect = true;
    }
    emit(effect::Persist{++persist_version_, state});
}

void Node::on(const fact::Persisted& fact) {
    persisted_ = std::max(persisted_, fact.version);
    if (!grant_ || fact.version < grant_->persist_version) return;
    const Grant grant = *std::exchange(grant_, std::nullopt);
    become_master(grant);
    // While the epoch went to disk the register may have moved on.
    if (const Tunnel* tunnel = arbiter(); tunnel != nullptr && tunnel->view.known) {
        obey_higher_epoch(tunnel->view);
    }
}

std::uint64_t Node::store_op(const Position& after) {
    storing_.push_back({++last_op_, after});
    return last_op_;
}

/// Nothing after `seq` counts as durable any more; what is on its way to disk ends at `at`.
void Node::withdraw_durable(std::uint64_t seq, const Position& at) {
    if (durable_.revision.seq > seq) durable_ = at;
    for (auto& op : storing_) {
        if (op.after.revision.seq > seq) op.after = at;
    }
}

void Node::on(const fact::Stored& fact) {
    bool any = false;
    while (!storing_.empty() && storing_.front().op <= fact.op) {
        durable_ = storing_.front().after;
        storing_.pop_front();
        any = true;
    }
    if (compacting_ && *compacting_ <= fact.op) compacting_.reset();
    if (any) emit(effect::ApplyDocument{});
}

// --- the other instance
// -----------------------------------------------------------------------------

void Node::on(const fact::LoopWasLate& fact) {
    watch_.was_late(now_, fact.gap);
    if (2 * fact.gap >= silence_limit()) wake_up(fact.gap);
}

/// Whoever slept long enough to be suspected may have been replaced. Until somebody who would know
/// was asked, nothing is begun in the old role; the tunnels' own gates hold meanwhile.
void Node::wake_up(Duration gap) {
    if (role() != Role::master || serving_ == 0) return;
    waking_ = true;
    watch_.hurry(now_);
    note("held up for " + ms(gap) + " while master of epoch " + std::to_string(serving_) +
         "; asking whether the role is still its own");
    if (!arbitrated_) return;
    tunnels_.at(*arbiter_name()).next_activate = now_ + claim_retry;
    emit(effect::Activate{*arbiter_name(), serving_});
}

void Node::woken() {
    if (!std::exchange(waking_, false)) return;
    note("the role is still its own");
}

void Node::on(const fact::Paired& fact) {
    const bool joins = pairing_known_ && fact.paired && !paired_;
    pairing_known_ = true;
    if (paired_ == fact.paired) return;
    paired_ = fact.paired;
    if (joins && !persistent_.connect) {
        // Who exchanges keys wants the link, also if the one to the peer before was disconnected.
        persistent_.connect = true;
        persist();
    }
    watch_.reset(now_);
    peer_pong_.reset();
    session_.reset();
    if (!paired_) {
        peer_node_.clear();
        peer_version_.clear();
        peer_plugins_.clear();
    }
    start_over(Duration{});
}

void Node::on(const fact::LinkCameUp&) { watch_.hurry(now_); }

void Node::on(const fact::LinkWasLost&) {
    if (paired_) watch_.link_lost(now_);
}

void Node::on(const fact::PeerRefused& fact) {
    if (!paired_) return;
    if (!watch_.is_refused(now_)) {
        next_claim_ = now_;
        if (role() == Role::shadow) {
            note("connection to " + peer_name() + " was refused (" + fact.detail + ")");
        }
    }
    watch_.refused(now_);
}

void Node::on(const fact::Ponged& fact) {
    const auto message = wire::decode(fact.bytes);
    const auto* pong = message ? std::get_if<wire::Pong>(&*message) : nullptr;
    if (pong == nullptr || fact.loop_age > hung_loop) {
        watch_.failed(fact.ask);
        return;
    }
    const auto silent = watch_.silent_for(now_);
    if (!watch_.answered(now_, fact.ask, fact.rtt)) return;
    if (silent && role() == Role::shadow && was_in_sync_) {
        explain(effect::Explain::Kind::unchanged, pong->node + " answered again after " +
                                                      ms(*silent) + ", " + limit_text() +
                                                      "; no takeover");
    }
    clear_alert("peer-unreachable");
    clear_alert("peer-link-cut");
    refusal_explained_ = false;
    const bool restarted =
        peer_pong_ && (peer_pong_->epoch != pong->epoch || peer_pong_->serving != pong->serving ||
                       peer_pong_->incarnation != pong->incarnation);
    peer_pong_ = *pong;
    peer_node_ = pong->node;
    peer_version_ = pong->version;
    adopt(pong->pause);
    if (role() == Role::master) {
        const bool outranked = pong->role == Role::master && pong->serving && pong->epoch > epoch();
        // Without a register two masters can have taken the same number; the name decides then.
        const bool duel = pong->role == Role::master && pong->serving && serving_ != 0 &&
                          pong->epoch == epoch() && pong->node < settings_.node;
        if (outranked || duel) {
            step_down(pong->epoch,
                      pong->node + " is master of epoch " + std::to_string(pong->epoch) +
                          ", this instance was of epoch " + std::to_string(epoch()),
                      Duration{});
        } else if (!arbitrated_) {
            woken();
        }
        return;
    }
    if (pong->role == Role::master && pong->serving && persistent_.yielded) {
        persistent_.yielded = false;
        persist();
    }
    if (restarted) start_over(Duration{});
    if (peer_is_master()) heard_of(pong->last);
}

void Node::on(const fact::PingFailed& fact) {
    if (!watch_.failed(fact.ask)) return;
    // Nobody else to ask, and nobody that answers.
    if (!arbitrated_) woken();
    if (role() == Role::shadow && was_in_sync_ && !claim_ && !grant_) {
        alert("peer-unreachable", true,
              peer_name() +
                  " does not answer; the takeover delay is running or a takeover is not "
                  "possible");
    }
}

void Node::on(const fact::PeerAsked& fact) {
    const auto message = wire::decode(fact.bytes);
    if (!message) return;  // The asker runs into its timeout; the transport counts the rest.
    watch_.spoke();
    const auto send = [&](const wire::Message& answer_message) {
        emit(effect::AnswerPeer{fact.id, wire::encode(answer_message)});
    };
    if (const auto* hello = std::get_if<wire::Hello>(&*message)) send(answer(*hello));
    if (const auto* ask = std::get_if<wire::Fetch>(&*message)) send(answer(*ask));
    if (const auto* ask = std::get_if<wire::FetchSnapshot>(&*message)) send(answer(*ask));
    if (const auto* ask = std::get_if<wire::Report>(&*message)) send(answer(*ask));
    if (const auto* ask = std::get_if<wire::TakeOver>(&*message)) send(answer(*ask));
    if (const auto* ask = std::get_if<wire::Offer>(&*message)) send(answer(*ask));
}

AskId Node::ask_peer(const wire::Message& message) {
    const AskId ask = next_ask();
    emit(effect::AskPeer{ask, wire::encode(message)});
    return ask;
}

void Node::on(const fact::PeerAnswered& fact) {
    const auto message = wire::decode(fact.bytes);
    if (handover_ && handover_->ask == fact.ask) {
        if (const auto* answer = message ? std::get_if<wire::TakeOverReply>(&*message) : nullptr) {
            on_reply(*answer);
        }
        return;
    }
    if (follow_ask_ != fact.ask) return;
    follow_ask_.reset();
    if (!message) {
        start_over(follow_retry);
        return;
    }
    std::visit([this](const auto& m) { on_reply(m); }, *message);
}

void Node::on(const fact::PeerDidNotAnswer& fact) {
    if (handover_ && handover_->ask == fact.ask) {
        end_handover(false, peer_name() + " did not answer in time");
        return;
    }
    if (follow_ask_ != fact.ask) return;
    follow_ask_.reset();
    next_follow_ = now_ + follow_retry;
    if (following_ != Following::following) start_over(follow_retry);
}

void Node::on(const fact::PeerPublished& fact) {
    const auto message = wire::decode(fact.bytes);
    if (message && role() == Role::shadow) {
        std::visit([this](const auto& m) { on_published(m); }, *message);
    }
}

// --- operators
// --------------------------------------------------------------------------------------

void Node::reply(RequestId request, Verdict verdict, std::string text, Revision revision) {
    emit(effect::Reply{request, verdict, std::move(text), revision});
}

void Node::on(const fact::PauseRequested& fact) {
    adopt(Pause{fact.paused, persistent_.pause.stamp + 1, fact.paused ? fact.until_ms : 0});
    reply(fact.request, Verdict::done, fact.paused ? "paused" : "resumed");
}

/// The later order wins, on whichever instance it was given.
void Node::adopt(const Pause& pause) {
    if (pause.stamp <= persistent_.pause.stamp) return;
    const bool news = pause.on != persistent_.pause.on;
    persistent_.pause = pause;
    if (!pause.on) damping_.forget();
    persist();
    if (!news) return;
    note(pause.on ? "automatic takeovers are paused; fencing stays on"
                  : "automatic takeovers are on again");
}

void Node::show_pause() {
    if (paused()) {
        alert("paused", false,
              "automatic takeovers are paused on both instances; `umbra resume` allows them again");
    } else {
        clear_alert("paused");
    }
}

void Node::on(const fact::ConnectRequested& fact) {
    if (role() == Role::master) {
        reply(fact.request, Verdict::refused,
              settings_.node + " is the master; connect and disconnect belong to the shadow");
        return;
    }
    persistent_.connect = fact.connect;
    persist();
    if (!fact.connect) disconnect_version_ = persist_version_;
    watch_.reset(now_);
    start_over(Duration{});
    reply(fact.request, Verdict::done, fact.connect ? "connecting" : "disconnected");
}

void Node::on(const fact::EnableRequested& fact) {
    persistent_.ha_enabled = fact.enabled;
    persist();
    if (!fact.enabled) session_.reset();
    reply(fact.request, Verdict::done,
          fact.enabled ? "high availability is enabled" : "high availability is disabled");
}

void Node::on(const fact::PolicyChanged& fact) {
    const std::string* record = record_name();
    policy_ = fact.policy;
    record_moved(record);
}

void Node::on(const fact::StopRequested&) {
    if (stopping_) {
        emit(effect::Stop{});
        return;
    }
    stopping_ = true;
    // A handover under way, or streams that may still end, are waited for; their end stops.
    if (handover_ || draining_) return;
    if (role() == Role::master && serving_ != 0 && !handover_obstacle()) {
        begin_handover(std::nullopt, "this instance was asked to stop");
        return;
    }
    emit(effect::Stop{});
}

void Node::alert(const std::string& id, bool error, const std::string& text) {
    auto& present = alerts_[id];
    if (present == text) return;
    present = text;
    emit(effect::RaiseAlert{id, error, text});
}

void Node::clear_alert(const std::string& id) {
    if (alerts_.erase(id) != 0) emit(effect::ClearAlert{id});
}

}  // namespace umbra::core
