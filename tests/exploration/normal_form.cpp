// Compiled with -fno-access-control: a normal form is made of what the classes keep to themselves.
// Nothing but the names of times, numbers and texts is changed, and only so that every comparison
// which the classes make has the same outcome.

#include "normal_form.hpp"

#include <algorithm>

namespace umbra::exploration {

namespace {

/// Takes what a node or register knows of time back by what passed.
class Clock {
public:
    explicit Clock(Duration passed) : passed_(passed) {}
    /// A time at which something becomes due: past is past, and after how many leaps is all that
    /// counts of one that is to come.
    void deadline(Instant& at) const {
        const auto left = std::max(at - passed_ - present, Duration{});
        const auto leaps = (left + leap_time - Duration{1}) / leap_time;
        // Just before the leap: then it is past, however it is compared.
        at = present + std::max(leaps * leap_time - Duration{1}, Duration{});
    }
    void deadline(std::optional<Instant>& at) const {
        if (at) deadline(*at);
    }
    /// A time since which something lasts: longer than every limit is long. Time goes in leaps, so
    /// the first number of them that is not below the limit stands for all that are more.
    void since(Instant& at, Duration longest = horizon) const {
        at = std::max(at - passed_, present - longest);
    }
    void since(std::optional<Instant>& at, Duration longest = horizon) const {
        if (at) since(*at, longest);
    }

private:
    Duration passed_;
};

/// Names for questions: what the shell waits for is 1, 2, ...; what nobody will answer is `dead`.
class Names {
public:
    static constexpr core::AskId dead = 99, first_free = 100;

    void add(core::AskId& ask) {
        known_.emplace_back(ask, known_.size() + 1);
        ask = known_.size();
    }
    void rename(core::AskId& ask) const {
        if (ask == 0) return;
        for (const auto& [from, to] : known_) {
            if (from == ask) {
                ask = to;
                return;
            }
        }
        ask = dead;
    }

private:
    std::vector<std::pair<core::AskId, core::AskId>> known_;
};

/// What is compared with at most 1.2 s, and with at most 2.4 s: the lease and the delays; a silence
/// under the damping, `on_tunnel_loss` and what waits for an edit.
constexpr Duration one_leap = leap_time, two_leaps = 2 * leap_time;

void lower(std::uint64_t& number, std::uint64_t base) { number -= std::min(number, base); }

void normalise_watch(core::PeerWatch& w, const Clock& clock, const Names& names) {
    clock.deadline(w.next_);
    if (w.asked_) names.rename(*w.asked_);
    clock.since(w.suspected_, two_leaps);
    clock.since(w.refused_);
    w.cleared_ = 0;
    clock.since(w.heard_, two_leaps);
    if (w.asked_) {
        clock.since(w.asked_at_, two_leaps);
    } else {
        w.asked_at_ = present;
    }
    // Only a sign of life after the question that is out makes a silence shorter.
    if (!w.asked_ || (w.heard_ && *w.heard_ <= w.asked_at_)) w.heard_.reset();
}

void normalise_roles(core::Node& n, const Clock& clock, const Names& names) {
    for (auto& [name, tunnel] : n.tunnels_) {
        clock.deadline(tunnel.next_activate);
        clock.since(tunnel.active_since, two_leaps);
        clock.since(tunnel.holder_unheard, two_leaps);
    }
    if (n.claim_) {
        names.rename(n.claim_->ask);
        n.claim_->why.clear();
    }
    if (n.grant_) n.grant_->why.clear();
    clock.deadline(n.next_claim_);
    clock.since(n.tunnels_lost_, two_leaps);
    clock.since(n.lost_at_, two_leaps);
    if (n.tunnels_lost_) n.lost_at_.reset();
    clock.since(n.peer_idle_since_, one_leap);
    clock.deadline(n.next_consent_);
    if (n.handover_) {
        clock.deadline(n.handover_->until);
        names.rename(n.handover_->ask);
        n.handover_->why.clear();
    }
    clock.deadline(n.invited_until_);
    // Time goes in leaps, and even the longest wait of the damping (`recent_`) is
    // shorter than one.
    n.damping_ = {};
}

void normalise_replication(core::Node& n, const Clock& clock, const Names& names) {
    if (n.session_) clock.since(n.session_->heard, one_leap);
    for (auto& edit : n.pending_) clock.since(edit.since, two_leaps);
    if (n.in_sync_ask_) names.rename(n.in_sync_ask_->ask);
    clock.deadline(n.next_in_sync_);
    clock.deadline(n.next_beacon_);
    if (n.offered_) clock.deadline(n.offered_->until);
    if (n.follow_ask_) names.rename(*n.follow_ask_);
    clock.deadline(n.next_follow_);
    clock.deadline(n.next_report_);
    for (auto& divergence : n.divergences_.list()) {
        clock.deadline(divergence.next);
        if (divergence.by_hand) clock.deadline(divergence.by_hand->until);
    }
}

/// What the present part of a node does not use, and sets before it uses it again.
void forget_unused(core::Node& n) {
    const bool master = n.role() == core::Role::master;
    using Following = core::Node::Following;
    const bool follows = n.following_ == Following::following;
    if (n.following_ != Following::fetching) n.common_seq_ = 0;
    if (!follows) n.next_report_ = present;
    if (n.following_ == Following::idle || n.following_ == Following::greeting) {
        n.follow_epoch_ = n.follow_version_ = 0;
    }
    // In step with the master, a place at or before the own last one asks for nothing.
    if (follows && n.peer_last_.revision.seq <= n.log_.last().revision.seq) n.peer_last_ = {};
    if (master) {
        n.next_follow_ = present;
    } else {
        n.next_beacon_ = n.next_in_sync_ = present;
        n.in_sync_seq_ = 0;
        n.in_sync_doubtful_ = false;
    }
    for (auto& [name, tunnel] : n.tunnels_) {
        if (n.serving_ == 0 || tunnel.state != TunnelState::active) {
            tunnel.active_since = present - two_leaps;
        }
        if (n.serving_ != 0) continue;
        tunnel.next_activate = present;
        tunnel.activated = 0;
    }
    // No log here is long enough to be compacted, and these are asked for nothing else.
    if (n.log_.entries().size() < n.settings_.compaction.keep) {
        n.told_committed_ = 0;
        n.offered_.reset();
    }
    // Shown to people only.
    n.alerts_.clear();
    n.standing_.clear();
    n.refusal_explained_ = n.trouble_ = false;
    if (n.peer_pong_) n.peer_pong_->last = {};
    if (n.session_) n.session_->state.clear();
}

void normalise_writes(Party& p, core::Node& n) {
    const auto version = n.persisted_;
    for (auto& [number, state] : p.persisting) lower(number, version);
    lower(n.persist_version_, version);
    if (n.grant_) lower(n.grant_->persist_version, version);
    lower(n.follow_version_, version);
    lower(n.disconnect_version_, version);
    n.persisted_ = 0;
    const auto op = n.storing_.empty() ? n.last_op_ : n.storing_.front().op - 1;
    for (auto& write : p.storing) lower(write.op, op);
    for (auto& write : n.storing_) lower(write.op, op);
    if (n.compacting_) lower(*n.compacting_, op);
    lower(n.last_op_, op);
}

void mix_time(std::uint64_t& seed, const std::optional<Instant>& at) {
    mix(seed, at ? static_cast<std::uint64_t>(at->time_since_epoch().count()) : 7);
}
void mix_place(std::uint64_t& seed, const core::Position& p) {
    mix(seed, p.revision.epoch << 8 | p.revision.seq);
    mix(seed, static_cast<std::uint64_t>(p.hash[0]) << 8 | static_cast<std::uint64_t>(p.hash[9]));
}

}  // namespace

void normalise(Party& p, Duration passed) {
    p.durable.unplanned.clear();
    for (auto& [version, state] : p.persisting) state.unplanned.clear();
    if (!p.node) return;
    auto& n = *p.node;
    const Clock clock(passed);
    Names asks;
    for (auto& ask : p.asks) {
        if (ask.ask != 0) asks.add(ask.ask);
    }
    for (auto& ask : p.agent.asks) {
        if (ask.kind != Party::GateKind::none && ask.ask != 0) asks.add(ask.ask);
    }
    n.now_ = n.started_ = present;
    n.last_ask_ = Names::first_free;
    normalise_watch(n.watch_, clock, asks);
    normalise_roles(n, clock, asks);
    normalise_replication(n, clock, asks);
    normalise_writes(p, n);
    forget_unused(n);
    if (n.role() == core::Role::master) p.heard = 0;
}

void forget_unsent_in_sync(core::Node& node) { --node.in_sync_seq_; }

std::uint64_t hash_of(const core::Node& n) {
    std::uint64_t h = 1;
    const auto& p = n.persistent_;
    mix(h, static_cast<std::uint64_t>(p.role) | p.epoch << 8 |
               std::uint64_t{n.grant_.has_value()} << 16 |
               std::uint64_t{n.claim_.has_value()} << 17 | n.serving_ << 18 |
               n.persist_version_ << 26 | n.follow_version_ << 34 | n.last_op_ << 42 |
               std::uint64_t{n.draining_} << 50 | std::uint64_t{n.fenced_} << 51 |
               std::uint64_t{n.in_sync_doubtful_} << 53 | std::uint64_t{n.was_in_sync_} << 54 |
               std::uint64_t{n.in_sync_with_master_} << 55 | std::uint64_t{n.arbitrated_} << 56);
    mix(h, static_cast<std::uint64_t>(n.following_) | n.follow_ask_.value_or(0) << 8 |
               n.follow_epoch_ << 16 | n.common_seq_ << 24 | n.in_sync_seq_ << 32 |
               n.watch_.asked_.value_or(0) << 40 | n.in_sync_.size() << 56);
    for (const auto at : {n.next_claim_, n.next_in_sync_, n.next_beacon_, n.next_follow_,
                          n.next_report_, n.next_consent_, n.watch_.next_}) {
        mix_time(h, at);
    }
    for (const auto& at : {n.tunnels_lost_, n.peer_idle_since_, n.invited_until_,
                           n.watch_.suspected_, n.watch_.refused_, n.watch_.heard_}) {
        mix_time(h, at);
    }
    if (n.session_) {
        mix_place(h, n.session_->acked);
        mix_time(h, n.session_->heard);
        mix(h, n.session_->can_serve ? 1 : 2);
    }
    if (n.handover_) {
        mix(h, static_cast<std::uint64_t>(n.handover_->stage) | n.handover_->ask << 8);
        mix_time(h, n.handover_->until);
    }
    for (const auto& [name, tunnel] : n.tunnels_) {
        const auto& v = tunnel.view;
        mix(h, static_cast<std::uint64_t>(tunnel.state) | v.epoch << 8 | v.in_sync_seq << 16 |
                   tunnel.activated << 24 | std::uint64_t{v.holder_alive} << 32 |
                   v.in_sync.size() << 34);
        mix(h, v.holder);
        mix_time(h, tunnel.next_activate);
        mix_time(h, tunnel.active_since);
        mix_time(h, tunnel.holder_unheard);
    }
    if (n.peer_pong_) {
        mix(h, n.peer_pong_->epoch | std::uint64_t{n.peer_pong_->serving} << 8 |
                   static_cast<std::uint64_t>(n.peer_pong_->role) << 9);
    }
    mix_place(h, n.log_.last());
    mix_place(h, n.durable_);
    mix_place(h, n.reported_);
    mix_place(h, n.peer_last_);
    for (const auto& edit : n.pending_) mix(h, edit.told_provisional ? 3 : 4);
    for (const auto& edit : n.pending_) mix_time(h, edit.since);
    return h;
}

// --- the register --------------------------------------------------------------------------------

void normalise(gateway::Register& reg, Duration passed) {
    const Clock clock(passed);
    // Only the newer of two copies on disk is told by it, and there is one.
    reg.record_.serial = 0;
    if (reg.storing_) reg.storing_->record.serial = 1;
    for (auto& [name, node] : reg.nodes_) {
        // Of a node without a link only people are told when it was heard.
        clock.since(node.heard, one_leap);
        if (!node.connected) node.heard = present;
    }
    clock.deadline(reg.holder_back_until_);
    if (reg.holder_connected()) reg.holder_back_until_ = present;
    if (!reg.consent_) return;
    clock.deadline(reg.consent_->until);
    if (reg.consent_->until == present) reg.consent_.reset();
}

std::uint16_t open_asks(const gateway::Register& reg, const std::string& node) {
    std::uint16_t used = 0;
    const auto note = [&](const auto& waiting) {
        if (waiting.node == node) used = static_cast<std::uint16_t>(used | 1U << waiting.ask);
    };
    for (const auto& waiting : reg.waiting_) note(waiting);
    if (reg.storing_) note(reg.storing_->request);
    return used;
}

bool has_consent(const gateway::Register& reg) { return reg.consent_.has_value(); }

std::uint64_t hash_of(const gateway::Register& r) {
    std::uint64_t h = 2;
    mix(h, r.record_.epoch | r.record_.in_sync_seq << 8 | r.record_.in_sync.size() << 16 |
               std::uint64_t{r.storing_.has_value()} << 24 | r.waiting_.size() << 32 |
               std::uint64_t{r.consent_.has_value()} << 40 |
               std::uint64_t{r.holder_gone_told_} << 41 | std::uint64_t{r.rebuilding_} << 42);
    mix(h, r.record_.holder.node);
    mix_time(h, r.holder_back_until_);
    if (r.consent_) mix_time(h, r.consent_->until);
    for (const auto& [name, node] : r.nodes_) {
        mix(h, std::uint64_t{node.connected} | std::uint64_t{node.boot[0]} << 8 |
                   node.replaced.size() << 16);
        mix_time(h, node.heard);
    }
    for (const auto& [node, epoch] : r.reports_) mix(h, epoch);
    return h;
}

}  // namespace umbra::exploration
