// Replication as the shadow does it: hello, catch up, follow, report.

#include <umbra/core/node.hpp>

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

namespace umbra::core {

namespace {

/// A fourth of the least time after which a shadow is called lost.
constexpr Duration report_at_rest = std::chrono::milliseconds{250};

}  // namespace

bool Node::peer_is_master() const {
    return peer_pong_ && peer_pong_->role == Role::master && peer_pong_->serving;
}

void Node::start_over(Duration delay) {
    following_ = Following::idle;
    follow_ask_.reset();
    next_follow_ = now_ + delay;
    snapshot_in_.clear();
    peer_last_ = {};
    in_sync_with_master_ = false;
    told_committed_ = 0;
}

void Node::drive_following() {
    if (!paired_ || !persistent_.connect || grant_ || stopping_) return;
    if (follow_ask_ || now_ < next_follow_ || !peer_is_master()) return;
    switch (following_) {
        case Following::idle:
            greet();
            return;
        case Following::following:
            if (peer_last_.revision.seq > log_.last().revision.seq) {
                fetch();
            } else if (durable_ != reported_ || now_ >= next_report_) {
                report();
            } else {
                offer_divergence();
            }
            return;
        case Following::greeting:
            greet();
            return;
        case Following::fetching:
            fetch();
            return;
        case Following::snapshotting:
            follow_ask_ = ask_peer(wire::FetchSnapshot{snapshot_in_.size()});
            return;
    }
}

void Node::greet() {
    following_ = Following::greeting;
    wire::Hello hello;
    hello.node = settings_.node;
    hello.incarnation = settings_.incarnation;
    hello.version = settings_.version;
    hello.plugins = settings_.plugins;
    hello.epoch = epoch();
    hello.boundaries = log_.boundaries();
    hello.timers = {settings_.check_interval.count(), settings_.connect_timeout.count(),
                    settings_.request_timeout.count(), silence_limit().count()};
    follow_ask_ = ask_peer(hello);
}

void Node::on_reply(const wire::HelloReply& answer) {
    if (following_ != Following::greeting) return start_over(follow_retry);
    if (!answer.accepted) {
        standing_ = "declined: " + answer.reason;
        alert("declined", true, peer_name() + " declined this shadow: " + answer.reason);
        start_over(std::max<Duration>(5 * follow_retry, settings_.check_interval));
        return;
    }
    clear_alert("declined");
    standing_.clear();
    fenced_ = false;
    peer_node_ = answer.node;
    peer_version_ = answer.version;
    peer_plugins_ = answer.plugins;
    follow_epoch_ = answer.epoch;
    if (answer.epoch > persistent_.epoch) {
        persistent_.epoch = answer.epoch;
        persist();
    }
    follow_version_ = persist_version_;
    common_seq_ = std::min(answer.common_seq, log_.last().revision.seq);
    if (answer.snapshot || common_seq_ < log_.base().revision.seq) {
        begin_snapshot();
    } else {
        following_ = Following::fetching;
    }
}

/// Asks for what follows the last shared entry. While catching up that may be before our own last
/// one; what is ours alone is cut only when the answer proves the fork.
void Node::fetch() {
    if (following_ == Following::following) common_seq_ = log_.last().revision.seq;
    following_ = Following::fetching;
    follow_ask_ = ask_peer(wire::Fetch{common_seq_ + 1, log_.position_at(common_seq_)->hash});
}

void Node::on_reply(const wire::FetchReply& answer) {
    if (following_ != Following::fetching) return start_over(follow_retry);
    if (answer.unavailable) return start_over(follow_retry);
    if (answer.mismatch) {
        begin_snapshot();
        return;
    }
    if (common_seq_ < log_.last().revision.seq) {
        // Entries of ours that the master also has are not cut; the first difference is the fork.
        std::size_t same = 0;
        while (same < answer.bodies.size()) {
            const Logged* mine = log_.at(common_seq_ + 1);
            if (mine == nullptr || mine->body != answer.bodies[same]) break;
            ++common_seq_;
            ++same;
        }
        // An answer is bounded in size: one that ends without a difference proves no fork yet.
        if (same == answer.bodies.size() && same != 0) return;
        if (common_seq_ < log_.last().revision.seq) cut_fork();
        if (!take_bodies(std::span{answer.bodies}.subspan(same)))
            return cannot_take("what follows revision " + to_string(log_.last().revision));
    } else if (!take_bodies(answer.bodies)) {
        return cannot_take("what follows revision " + to_string(log_.last().revision));
    }
    common_seq_ = log_.last().revision.seq;
    if (answer.bodies.empty()) peer_last_ = log_.last();
    if (answer.bodies.empty() || log_.last().revision.seq >= peer_last_.revision.seq) follow();
}

/// Everything was fetched; news are published and reported from here on.
void Node::follow() {
    following_ = Following::following;
    next_report_ = now_;
    clear_alert("sync-failed");
}

/// Tried again, because it may have been damaged on the way; an operator has to hear of it all the
/// same: this instance gets no further.
void Node::cannot_take(const std::string& what) {
    alert("sync-failed", true,
          what + " that " + peer_name() +
              " sent cannot be read; until it can, this instance is not in sync and takes nothing "
              "over by itself. If it lasts, run the same version of umbra on both");
    start_over(follow_retry);
}

/// Cuts what is after `common_seq_`; the shell saves it first.
void Node::cut_fork() {
    const Document mine = log_.document();
    auto cut = log_.truncate(common_seq_);
    auto edits = summarize(log_.last(), true, log_.document(), mine, cut);
    note(std::to_string(cut.size()) + " entries after revision " + to_string(log_.last().revision) +
         " are not in the log of " + peer_name() + "; they are saved and cut");
    keep_divergence(edits);
    withdraw_durable(common_seq_, log_.last());
    emit(effect::Truncate{store_op(log_.last()), common_seq_, std::move(cut), std::move(edits)});
}

void Node::begin_snapshot() {
    following_ = Following::snapshotting;
    snapshot_in_.clear();
}

bool Node::take_bodies(std::span<const std::string> bodies) {
    std::vector<Logged> taken;
    bool all = true;
    for (const auto& body : bodies) {
        if (!log_.push(body)) {
            all = false;
            break;
        }
        taken.push_back(log_.entries().back());
    }
    if (!taken.empty()) {
        const std::uint64_t op = store_op(log_.last());
        emit(effect::Append{op, std::move(taken)});
    }
    return all;
}

/// The last place here that the history of `theirs` has as well; nothing when that cannot be told.
/// Within one epoch that a gateway granted there is one master, so what has an epoch in common and
/// is not beyond its end there is shared, and with it everything before.
std::optional<std::uint64_t> Node::shared_with(const Snapshot& theirs) const {
    std::map<Epoch, std::uint64_t> ends;
    std::set<std::uint64_t> places;
    const auto note = [&](const Position& place) {
        ends[place.revision.epoch] = place.revision.seq;
        if (log_.position_at(place.revision.seq) == place) places.insert(place.revision.seq);
    };
    for (const Position& mark : theirs.marks) note(mark);
    note(theirs.position);
    for (auto seq = log_.last().revision.seq; seq >= log_.base().revision.seq && seq != 0; --seq) {
        if (places.contains(seq)) return seq;
        const auto end = ends.find(log_.position_at(seq)->revision.epoch);
        if (arbiter() != nullptr && end != ends.end() && seq <= end->second) return seq;
    }
    return std::nullopt;
}

void Node::on_reply(const wire::SnapshotReply& answer) {
    if (following_ != Following::snapshotting) return start_over(follow_retry);
    if (snapshot_in_.empty()) {
        snapshot_in_position_ = answer.position;
        snapshot_in_total_ = answer.total;
    }
    if (answer.total > Snapshot::bytes_max) {
        note("the snapshot of " + peer_name() + " has " + std::to_string(answer.total) +
             " bytes, at most " + std::to_string(Snapshot::bytes_max) + " are taken");
        start_over(std::max<Duration>(5 * follow_retry, settings_.check_interval));
        return;
    }
    // Chunks of another snapshot do not complete this one.
    const bool other =
        answer.position != snapshot_in_position_ || answer.total != snapshot_in_total_;
    const bool nothing = answer.chunk.empty() && snapshot_in_.size() < answer.total;
    snapshot_in_ += answer.chunk;
    if (other || nothing || snapshot_in_.size() > answer.total) {
        start_over(follow_retry);
        return;
    }
    if (snapshot_in_.size() < answer.total) return;  // The next chunk is asked for by housekeeping.
    auto snapshot = decode_snapshot(answer.position, snapshot_in_);
    if (!snapshot) return cannot_take("the snapshot");
    install(std::move(*snapshot), std::exchange(snapshot_in_, {}));
}

/// Puts the master's log in the place of the own one. What is not known to be in it is saved.
void Node::install(Snapshot snapshot, std::string body) {
    const auto shared = shared_with(snapshot);
    const Document mine = log_.document();
    auto saved = log_.truncate(shared.value_or(log_.base().revision.seq));
    SavedEdits edits;
    if (!shared && log_.base().revision.seq != 0) {
        edits = summarize_alien(snapshot, mine, saved);
    } else if (!saved.empty()) {
        edits = summarize(log_.last(), shared.has_value(), log_.document(), mine, saved);
    }
    if (!edits.id.empty()) keep_divergence(edits);
    withdraw_durable(0, Position{});
    const Position position = snapshot.position;
    log_.install(std::move(snapshot));
    const std::uint64_t op = store_op(position);
    emit(effect::Install{op, position, std::move(body), std::move(saved), std::move(edits)});
    if (drift_ == Drift::found) drift_ = Drift::fetched;
    follow();
}

/// Of a log whose base is not known to be in the master's history: edits before that base, too, may
/// be in no other log, and nobody can name them any more. Whatever differs is kept, under the ids
/// that the master does not know.
SavedEdits Node::summarize_alien(const Snapshot& theirs, const Document& mine,
                                 const std::vector<Logged>& saved) const {
    auto edits = summarize(log_.last(), false, theirs.document, mine, saved);
    if (saved.empty() && edits.keys.empty()) return {};
    std::set<std::string_view> known;
    for (const auto& operation : theirs.operations) known.insert(operation.id);
    SavedOp before;
    for (const auto& operation : log_.operations()) {
        if (known.contains(operation.id)) continue;
        before.op_id += (before.op_id.empty() ? "" : "\n") + operation.id;
    }
    for (const auto& key : edits.keys) before.keys.push_back(key.key);
    if (!before.op_id.empty()) edits.ops.insert(edits.ops.begin(), std::move(before));
    return edits;
}

/// News go out at once. Without any the master has to hear that this instance lives, several times
/// before it would call it lost.
Duration Node::report_interval() const {
    const Tunnel* tunnel = arbiter();
    const bool in_doubt = tunnel != nullptr && tunnel->holder_unheard;
    if (!in_sync_with_master_ || drift_ != Drift::none || in_doubt) return settings_.check_interval;
    return std::max<Duration>(settings_.check_interval, report_at_rest);
}

void Node::report() {
    // Nothing is said under an epoch that is not on disk, nor about a log that is being replaced.
    if (persisted_ < follow_version_ || log_.position_at(durable_.revision.seq) != durable_) return;
    next_report_ = now_ + report_interval();
    reported_ = durable_;
    wire::Report told;
    told.node = settings_.node;
    told.incarnation = settings_.incarnation;
    told.epoch = follow_epoch_;
    told.durable = durable_;
    told.state = to_string(state());
    told.can_serve = tunnels_.empty() || any_tunnel(TunnelState::standby);
    told.timers = {settings_.check_interval.count(), settings_.connect_timeout.count(),
                   settings_.request_timeout.count(), silence_limit().count()};
    told.rtt_us = std::chrono::duration_cast<std::chrono::microseconds>(watch_.rtt()).count();
    told.drifted = drift_ != Drift::none;
    // Only what the gateway still says: of a link that is down here nothing is known of the other.
    const Tunnel* tunnel = arbiter();
    const bool current = tunnel != nullptr && tunnel->state == TunnelState::standby &&
                         tunnel->view.epoch == follow_epoch_ && tunnel->view.holder == peer_node_;
    if (current && tunnel->holder_unheard) {
        told.unheard_ns = (now_ - *tunnel->holder_unheard).count();
    }
    follow_ask_ = ask_peer(told);
}

void Node::on_reply(const wire::ReportReply& answer) {
    if (following_ != Following::following) return start_over(follow_retry);
    if (!answer.known) {
        start_over(follow_retry);
        return;
    }
    told_committed_ = answer.committed;
    if (drift_ == Drift::found) {
        // Told, so that nobody counts on this instance meanwhile.
        begin_snapshot();
        return;
    }
    const bool in_sync = answer.in_sync && drift_ == Drift::none;
    if (in_sync && !in_sync_with_master_) {
        note("in sync with " + peer_name() + " at revision " + to_string(durable_.revision));
    }
    in_sync_with_master_ = in_sync;
    was_in_sync_ = was_in_sync_ || in_sync;
    heard_of(answer.last);
}

void Node::on_published(const wire::Update& update) {
    if (following_ != Following::following || update.epoch != follow_epoch_ || follow_ask_) {
        // While a question is out, its answer and the next fetch bring the same entries in order.
        if (update.epoch == follow_epoch_ && !update.bodies.empty()) {
            if (const auto revision = revision_of(update.bodies.back())) {
                heard_of(Position{*revision, {}});
            }
        }
        if (following_ != Following::following || update.epoch != follow_epoch_) return;
    }
    const std::span bodies{update.bodies};
    const auto is_known = [&](const std::string& body) {
        const auto revision = revision_of(body);
        return revision && revision->seq <= log_.last().revision.seq;
    };
    const auto fresh = std::find_if_not(bodies.begin(), bodies.end(), is_known);
    if (fresh == bodies.end() || take_bodies({fresh, bodies.end()})) return;
    if (const auto last = revision_of(bodies.back())) heard_of(Position{*last, {}});
}

void Node::on_published(const wire::Beacon& beacon) {
    if (following_ != Following::following || beacon.epoch != follow_epoch_) return;
    // Made by the master's main loop: a sign of life, also when its answers come too late.
    if (beacon.last.revision >= log_.last().revision) watch_.lived(now_);
    heard_of(beacon.last);
    if (beacon.last != log_.last()) return;
    if (beacon.digest == log_.digest()) {
        if (std::exchange(drift_, Drift::none) != Drift::none) {
            note("the configuration is that of " + peer_name() + " again");
            next_report_ = now_;
        }
        clear_alert("drift");
        return;
    }
    alert("drift", true,
          "the configuration differs from that of " + peer_name() +
              " at the same revision; it is fetched anew, and this instance does not take over "
              "until then");
    drift_ = Drift::found;
    in_sync_with_master_ = false;
    invited_until_.reset();
    next_report_ = now_;
}

/// The master's log reaches at least this far. The same number with another hash is a fork.
void Node::heard_of(const Position& last) {
    if (last.revision.seq > peer_last_.revision.seq || !follow_ask_) peer_last_ = last;
    const bool fork = following_ == Following::following && last.hash != Hash{} &&
                      last.revision.seq == log_.last().revision.seq && last != log_.last();
    if (fork) start_over(Duration{});
}

}  // namespace umbra::core
