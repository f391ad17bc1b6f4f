// Replication as the master does it: edits, acknowledgements, the in-sync set.

#include "text.hpp"
#include <umbra/core/node.hpp>

#include <algorithm>
#include <utility>

namespace umbra::core {

namespace {

using namespace std::chrono_literals;

/// Pause before the gateway is asked again to change the in-sync set.
constexpr Duration in_sync_retry{200ms};
/// A shadow is not called lost earlier than this, however short the check interval: late is not
/// dead.
constexpr Duration lost_floor{1s};
/// How long an edit may wait for the shadow before the push counts as failed.
constexpr Duration push_patience{500ms};

}  // namespace

Duration Node::lost_after() const {
    return std::max<Duration>(3 * settings_.check_interval, lost_floor);
}

bool Node::session_alive() const { return session_ && now_ - session_->heard < lost_after(); }

bool Node::surely_in_sync(const Member& member) const {
    return in_sync_.contains(member) && !in_sync_doubtful_;
}

bool Node::shadow_ready() const {
    return session_ && session_alive() && in_sync_.contains(session_->member);
}

// --- edits
// ------------------------------------------------------------------------------------------

void Node::on(const fact::EditRequested& fact) {
    if (role() == Role::shadow) {
        reply(
            fact.request, Verdict::refused,
            settings_.node + " is the shadow and does not edit; edit on the master " + peer_name());
        return;
    }
    auto obstacle = edit_obstacle();
    if (!obstacle) obstacle = size_obstacle(fact.edit);
    if (obstacle) {
        reply(fact.request, Verdict::refused, *obstacle);
        return;
    }
    if (const auto known = log_.find_op(fact.edit.op_id); known && !fact.edit.op_id.empty()) {
        // Being in this log says nothing yet about the other instance.
        await_commit(fact.request, *known, true);
        return;
    }
    if (const auto part = log_.find_op(in_part(fact.edit.op_id)); part) {
        reply(
            fact.request, Verdict::refused,
            "this edit was made on the losing side of a partition and merged in part as revision " +
                to_string(*part) +
                "; what is left of it is listed by `umbra config divergence list`. To make it all "
                "the same, edit under another operation id");
        return;
    }
    if (fact.if_revision && *fact.if_revision != log_.last().revision) {
        reply(fact.request, Verdict::refused,
              revision_conflict(log_.last().revision, *fact.if_revision));
        return;
    }
    append_edit(fact);
}

std::optional<std::string> Node::edit_obstacle() const {
    if (serving_ == 0) {
        const std::string unsure = settings_.node + " is not sure yet that it is the master";
        const Tunnel* const tunnel = arbiter();
        if (tunnel == nullptr || tunnel->view.known) return unsure + "; try again in a moment";
        return unsure + ": the gateway of tunnel " + *arbiter_name() + " was not reached yet" +
               (epoch() == 0
                    ? "; until it is, the file of [shared] initial counts, and is read again "
                      "at a restart"
                    : "; if its address is wrong, stop the instance and use `umbra config repair`");
    }
    if (waking_) {
        return settings_.node +
               " was held up and asks whether it is still the master; try again in a moment";
    }
    if (handover_) {
        return "a handover to " + peer_name() + " is under way; try again on the new master";
    }
    if (pending_.size() >= pending_edits_max) {
        return "too many edits wait to become durable; try again";
    }
    return std::nullopt;
}

std::optional<std::string> Node::size_obstacle(const Entry& edit) {
    if (edit.changes.size() > Log::changes_max) {
        return "the edit changes " + std::to_string(edit.changes.size()) + " keys, at most " +
               std::to_string(Log::changes_max) + " fit into one; split it into several";
    }
    if (bytes_at_most(edit) > Log::entry_bytes_max) {
        if (const auto bytes = encode(edit).size(); bytes > Log::entry_bytes_max) {
            return "the edit takes " + std::to_string(bytes) + " bytes, at most " +
                   std::to_string(Log::entry_bytes_max) + " fit into one; split it into several";
        }
    }
    const auto ids = lines_of(edit.op_id);
    if (std::any_of(ids.begin(), ids.end(),
                    [](const auto id) { return id.size() > Snapshot::operation_bytes_max; })) {
        return "an operation id may have at most " + std::to_string(Snapshot::operation_bytes_max) +
               " bytes";
    }
    return std::nullopt;
}

/// Answers when `revision` is durable on every member. Kept in the order of the revisions.
void Node::await_commit(RequestId request, Revision revision, bool repeated) {
    const auto later = [&](const PendingEdit& other) { return other.revision > revision; };
    pending_.insert(std::find_if(pending_.begin(), pending_.end(), later),
                    {request, revision, now_, false, repeated});
}

void Node::append_edit(const fact::EditRequested& request) {
    await_commit(request.request, append(request.edit), false);
}

/// To the log, the disk and the shadow.
Revision Node::append(Entry entry) {
    const Logged& logged = log_.append(serving_, std::move(entry));
    emit(effect::Append{store_op(logged.position), {logged}});
    emit(effect::Publish{wire::encode(wire::Update{serving_, {logged.body}})});
    return logged.position.revision;
}

/// Nodes on which an edit must be durable. What was asked but not confirmed counts as it would hurt
/// most: a member to be added already, a member to be removed still.
std::set<Member> Node::required() const {
    std::set<Member> members{self()};
    if (!policy_.acknowledge_both) return members;
    members.insert(in_sync_.begin(), in_sync_.end());
    if (in_sync_ask_) members.insert(in_sync_ask_->members.begin(), in_sync_ask_->members.end());
    return members;
}

/// Everybody else of `members` has it on disk.
bool Node::is_elsewhere(Revision revision, const std::set<Member>& members) const {
    return std::all_of(members.begin(), members.end(), [&](const Member& m) {
        if (m == self()) return true;
        return session_ && session_->member == m && session_->acked.revision.seq >= revision.seq;
    });
}

void Node::try_commit() {
    // Nearly always the case, and cheap to see: they are in the order of the revisions.
    if (pending_.empty() || durable_.revision.seq < pending_.front().revision.seq) return;
    const auto members = required();
    while (!pending_.empty()) {
        PendingEdit& edit = pending_.front();
        if (durable_.revision.seq < edit.revision.seq) return;
        if (!is_elsewhere(edit.revision, members)) break;
        if (!edit.told_provisional) {
            const bool alone = members.size() == 1 && persistent_.ha_enabled && paired_;
            reply(edit.request, Verdict::done,
                  alone && policy_.acknowledge_both
                      ? "durable on this instance only: the shadow is away"
                  : edit.repeated ? "this edit was applied before"
                                  : "",
                  edit.revision);
        }
        pending_.pop_front();
    }
    for (auto& edit : pending_) {
        if (edit.told_provisional || now_ - edit.since < provisional_after) continue;
        if (durable_.revision.seq < edit.revision.seq) continue;
        edit.told_provisional = true;
        reply(edit.request, Verdict::provisional,
              "provisional: durable on this instance, but neither the shadow nor the gateway "
              "confirmed yet; a takeover before that goes on without this edit, also if it "
              "suspends or removes something",
              edit.revision);
    }
}

/// How long an edit waits for the other instance; below `push_patience` that may be for this disk.
/// A shadow that has what this disk has not yet is the last one to give up on.
Duration Node::longest_wait() const {
    Duration longest{};
    for (const auto& edit : pending_) longest = std::max(longest, now_ - edit.since);
    if (longest < push_patience) return longest;
    const auto members = required();
    longest = {};
    for (const auto& edit : pending_) {
        if (!is_elsewhere(edit.revision, members)) longest = std::max(longest, now_ - edit.since);
    }
    return longest;
}

void Node::report_lateness() {
    const bool late = longest_wait() >= push_patience && required().size() > 1;
    if (late && !trouble_) {
        trouble_ = true;
        clear_alert("push-recovered");
        alert("push-failed", true,
              "the push of revision " + to_string(pending_.front().revision) + " to " +
                  peer_name() + " failed; it is retried");
    }
    if (trouble_ && pending_.empty() && shadow_ready() && session_->acked == log_.last()) {
        trouble_ = false;
        clear_alert("push-failed");
        alert("push-recovered", false,
              "pushes to " + session_->member.node + " had failed; revision " +
                  to_string(log_.last().revision) + " arrived now");
    }
}

void Node::publish_beacon() {
    if (serving_ == 0 || now_ < next_beacon_) return;
    next_beacon_ = now_ + beacon_interval;
    emit(effect::Publish{wire::encode(wire::Beacon{serving_, log_.last(), log_.digest()})});
}

// --- the in-sync set
// --------------------------------------------------------------------------------

bool Node::must_drop_absent() const {
    if (pending_.empty()) return false;
    const bool someone_else = in_sync_.size() > 1;
    if (!someone_else) return false;
    const bool waits = longest_wait() >= push_patience;
    return watch_.is_refused(now_) || (waits && !shadow_ready()) ||
           longest_wait() >= 2 * push_patience;
}

void Node::manage_in_sync() {
    if (serving_ == 0 || in_sync_ask_ || now_ < next_in_sync_) return;
    const bool caught_up =
        session_ && session_alive() && session_->acked == log_.last() && durable_ == log_.last();
    const bool drifted = session_ && session_->drifted;
    if (caught_up && !drifted && !surely_in_sync(session_->member)) {
        ask_in_sync({self(), session_->member});
    } else if (must_drop_absent() || (drifted && in_sync_.contains(session_->member))) {
        ask_in_sync({self()});
    }
}

void Node::ask_in_sync(std::set<Member> members) {
    const std::string* name = arbiter_name();
    if (name == nullptr) {
        confirm_in_sync(members);
        return;
    }
    in_sync_ask_ = InSyncAsk{next_ask(), members};
    emit(effect::SetInSync{
        in_sync_ask_->ask, *name, serving_, ++in_sync_seq_, {members.begin(), members.end()}});
}

void Node::on(const fact::InSyncAnswered& fact) {
    if (!in_sync_ask_ || in_sync_ask_->ask != fact.ask) return;
    if (!fact.ok) {
        // The answer may have been lost after the gateway acted, so neither set can be trusted: the
        // larger one stays required, and the question is asked again with a higher number.
        in_sync_.insert(in_sync_ask_->members.begin(), in_sync_ask_->members.end());
        in_sync_ask_.reset();
        in_sync_doubtful_ = true;
        next_in_sync_ = now_ + in_sync_retry;
        return;
    }
    const auto members = in_sync_ask_->members;
    in_sync_ask_.reset();
    confirm_in_sync(members);
}

void Node::confirm_in_sync(const std::set<Member>& members) {
    const bool shrinks = members.size() < in_sync_.size();
    in_sync_ = members;
    in_sync_doubtful_ = false;
    if (shrinks) {
        trouble_ = true;
        clear_alert("push-recovered");
        alert("shadow-away", true,
              "edits are durable on " + settings_.node + " only, because " + peer_name() +
                  (session_ && session_->drifted ? " has another configuration" : " is away"));
        note(peer_name() + " left the in-sync set: edits go on without it");
    } else if (members.size() > 1) {
        clear_alert("shadow-away");
        note(session_ ? session_->member.node + " is in sync at revision " +
                            to_string(log_.last().revision)
                      : "the shadow is in sync");
    }
}

// --- what a shadow asks
// -----------------------------------------------------------------------------

wire::HelloReply Node::answer(const wire::Hello& hello) {
    wire::HelloReply r;
    r.node = settings_.node;
    r.incarnation = settings_.incarnation;
    r.version = settings_.version;
    r.plugins = settings_.plugins;
    r.epoch = epoch();
    const auto declined = [&](std::string reason) {
        if (role() == Role::master && serving_ != 0) {
            alert("shadow-declined", false, "declined " + hello.node + " as shadow: " + reason);
        }
        r.reason = std::move(reason);
        return r;
    };
    if (role() != Role::master) return declined(settings_.node + " is a shadow itself");
    if (serving_ == 0) return declined(settings_.node + " is still starting");
    if (hello.proto != wire::protocol) {
        return declined("protocol " + std::to_string(hello.proto) + " is not spoken by " +
                        settings_.node + " (" + std::to_string(wire::protocol) + ")");
    }
    if (!persistent_.ha_enabled) {
        return declined("high availability is not enabled on " + settings_.node +
                        "; run `umbra peer enable` there or set [peer] enabled = true");
    }
    if (hello.node == settings_.node) {
        return declined("both instances are called " + hello.node + "; give one another name");
    }
    if (!settings_.permitted.empty() && hello.node != settings_.permitted) {
        return declined("only " + settings_.permitted + " may be the shadow of " + settings_.node +
                        ", not " + hello.node);
    }
    if (session_ && session_alive() && session_->member.node != hello.node) {
        return declined(settings_.node + " has a shadow already: " + session_->member.node);
    }
    if (hello.epoch > epoch()) {
        return declined(hello.node + " followed epoch " + std::to_string(hello.epoch) +
                        ", which is higher than " + std::to_string(epoch()) + " of " +
                        settings_.node);
    }
    session_ = Session{{hello.node, hello.incarnation},
                       hello.version,
                       "handshake",
                       hello.plugins,
                       hello.timers,
                       Position{},
                       now_,
                       0,
                       false,
                       false};
    peer_node_ = hello.node;
    peer_version_ = hello.version;
    peer_plugins_ = hello.plugins;
    r.accepted = true;
    clear_alert("shadow-declined");
    // Within one epoch there is one master, so entries of the same epoch and number are equal; the
    // hash that comes with the fetch decides.
    bool found = false;
    for (const Position& theirs : hello.boundaries) {
        const auto& mine = log_.entries();
        std::uint64_t seq = std::min(theirs.revision.seq, log_.last().revision.seq);
        while (seq > log_.base().revision.seq &&
               mine[seq - log_.base().revision.seq - 1].position.revision.epoch >
                   theirs.revision.epoch) {
            --seq;
        }
        const auto place = log_.position_at(seq);
        if (!place || place->revision.epoch != theirs.revision.epoch) continue;
        if (!found || seq > r.common_seq) r.common_seq = seq;
        found = true;
    }
    r.snapshot = !found;
    return r;
}

wire::FetchReply Node::answer(const wire::Fetch& fetch) const {
    wire::FetchReply r;
    if (role() != Role::master || serving_ == 0) {
        r.unavailable = true;
        return r;
    }
    const auto before = log_.position_at(fetch.from_seq - 1);
    if (fetch.from_seq == 0 || !before || before->hash != fetch.previous) {
        r.mismatch = true;
        return r;
    }
    std::size_t bytes = 0;
    for (auto seq = fetch.from_seq; const Logged* logged = log_.at(seq); ++seq) {
        bytes += logged->body.size();
        if (!r.bodies.empty() && bytes > wire::fetch_bytes_max) break;
        r.bodies.push_back(logged->body);
    }
    return r;
}

/// The shadow found that its configuration is not this one, or that it is again.
void Node::show_drift(bool drifted) {
    session_->drifted = drifted;
    if (drifted) {
        alert("drift", true,
              "the configuration of " + session_->member.node +
                  " differs from this one at the same revision; it fetches it anew and cannot "
                  "take over until then");
    } else {
        clear_alert("drift");
    }
}

wire::ReportReply Node::answer(const wire::Report& told) {
    wire::ReportReply r;
    r.epoch = epoch();
    r.last = log_.last();
    if (role() != Role::master || serving_ == 0 || !persistent_.ha_enabled || !session_ ||
        session_->member != Member{told.node, told.incarnation} || told.epoch != serving_) {
        return r;
    }
    const auto mine = log_.position_at(told.durable.revision.seq);
    if (!mine || *mine != told.durable) return r;
    r.known = true;
    session_->acked = told.durable;
    session_->heard = now_;
    session_->state = told.state;
    session_->timers = told.timers;
    session_->rtt_us = told.rtt_us;
    session_->can_serve = told.can_serve;
    doubt_tunnel(told.unheard_ns ? std::optional(Duration{*told.unheard_ns}) : std::nullopt);
    show_drift(told.drifted);
    r.in_sync = surely_in_sync(session_->member) && !told.drifted;
    r.committed = committed();
    return r;
}

}  // namespace umbra::core
