// When old entries of the log make way for a snapshot, and the snapshots that a shadow asks for.

#include <umbra/core/compaction.hpp>
#include <umbra/core/node.hpp>

#include <algorithm>

namespace umbra::core {

namespace {

using namespace std::chrono_literals;

/// A merge that a shadow offered is answered alike for so long: it asks until it is durable there.
constexpr Duration offer_kept_for{10s};

}  // namespace

std::optional<std::uint64_t> compact_to(const CompactionPolicy& policy,
                                        const CompactionBounds& bounds) {
    const auto entries = bounds.last - bounds.base;
    if (entries < policy.keep + policy.batch) return std::nullopt;
    auto to = std::min(bounds.last - policy.keep, bounds.committed);
    if (bounds.fork) to = std::min(to, *bounds.fork);
    if (bounds.lagging && entries <= policy.keep_for_lagging) to = std::min(to, *bounds.lagging);
    if (to < bounds.base + std::max<std::uint64_t>(policy.batch, 1)) return std::nullopt;
    return to;
}

/// On the master: durable here and on everybody whose disk an edit waits for. On the shadow: what
/// the master said of that, as far as it is durable here. Nothing else can be told.
std::uint64_t Node::committed() const {
    auto seq = durable_.revision.seq;
    if (role() == Role::shadow) return std::min(seq, told_committed_);
    if (serving_ == 0) return 0;
    for (const Member& member : required()) {
        if (member == self()) continue;
        const bool known = session_ && session_->member == member;
        seq = std::min(seq, known ? session_->acked.revision.seq : 0);
    }
    return seq;
}

std::optional<std::uint64_t> Node::unmerged_fork() const {
    std::optional<std::uint64_t> first;
    const auto note = [&](std::uint64_t seq) { first = std::min(first.value_or(seq), seq); };
    for (const auto& divergence : divergences_.list()) {
        const auto& edits = divergence.edits;
        if (divergence.pending() && edits.fork_known) note(edits.fork.revision.seq);
    }
    if (offered_ && now_ < offered_->until) note(offered_->before);
    return first;
}

/// What a merge is made from must not go before the shadow has heard what became of it.
void Node::keep_for_offer(Revision merged) {
    if (merged.seq == 0) return;
    offered_ = OfferKept{merged.seq - 1, now_ + offer_kept_for};
}

/// Where a shadow is that has not everything yet, and may want it: it is connected, or counted on
/// although edits do not wait for it.
std::optional<std::uint64_t> Node::lagging_shadow() const {
    if (role() == Role::shadow) return std::nullopt;
    if (!session_) return in_sync_.size() > 1 ? std::optional<std::uint64_t>{0} : std::nullopt;
    if (!session_alive() && !in_sync_.contains(session_->member)) return std::nullopt;
    const auto fetching = snapshot_bytes_.empty() ? 0 : snapshot_position_.revision.seq;
    return std::max(session_->acked.revision.seq, fetching);
}

void Node::compact_log() {
    const auto& policy = settings_.compaction;
    // Nearly always the case, and cheap to see.
    if (compacting_ || log_.entries().size() < policy.keep + policy.batch) return;
    const auto to = compact_to(policy, {log_.base().revision.seq, log_.last().revision.seq,
                                        committed(), unmerged_fork(), lagging_shadow()});
    if (!to) return;
    // An absent shadow that is outrun says where it stood when it is back.
    log_.compact(*to, session_ ? session_->acked : Position{});
    auto body = log_.snapshot_at(log_.base().revision.seq);
    if (body.size() > Snapshot::bytes_max) {
        alert("snapshot-too-large", true,
              "a snapshot of the shared configuration takes " + std::to_string(body.size()) +
                  " bytes, at most " + std::to_string(Snapshot::bytes_max) +
                  " are stored and sent; the log on disk grows until keys are removed");
        return;
    }
    clear_alert("snapshot-too-large");
    // What is durable does not change by it; the storage completes in the order of the numbers.
    compacting_ = store_op(storing_.empty() ? durable_ : storing_.back().after);
    emit(effect::Compact{*compacting_, log_.base(), std::move(body)});
}

wire::SnapshotReply Node::answer(const wire::FetchSnapshot& fetch) {
    if (role() != Role::master || serving_ == 0) return {};
    if (log_.last().revision.seq == 0 && !edit_obstacle()) {
        // A shadow that has more than nothing needs something to put in its place.
        Entry beginning;
        beginning.author = "umbra";
        beginning.message = "the log begins here; that of the shadow was another one";
        beginning.time_ms = wall_ms_;
        (void)append(std::move(beginning));
    }
    if (durable_.revision.seq == 0) return {};
    // Only what is durable: whoever installs it can cut nothing of it any more.
    if (fetch.offset == 0 && log_.position_at(durable_.revision.seq) == durable_) {
        snapshot_position_ = durable_;
        snapshot_bytes_ = log_.snapshot_at(durable_.revision.seq);
    }
    wire::SnapshotReply r;
    r.position = snapshot_position_;
    r.total = snapshot_bytes_.size();
    if (fetch.offset < snapshot_bytes_.size()) {
        r.chunk = snapshot_bytes_.substr(fetch.offset, settings_.snapshot_chunk);
    }
    if (fetch.offset + r.chunk.size() >= r.total) snapshot_bytes_.clear();
    return r;
}

}  // namespace umbra::core
