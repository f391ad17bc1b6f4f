#include "checker.hpp"

#include "gateway.hpp"
#include "instance.hpp"

namespace umbra::simulation {

namespace {

/// A node that the gateway does not hear closes its link after that time, on its own clock: three
/// leases, looked at four times in a lease, and drift.
constexpr Duration believes_at_most = 2150ms;
/// From the grant to another until the old master knows, when no pause hides it: its own silence
/// limit, and the time to say so.
constexpr Duration both_at_most = 2500ms;
/// The same while the gateway is heard by both: it tells before anything else what it granted.
constexpr Duration both_heard_at_most = 700ms;
constexpr Duration heard_means = 400ms;
/// An order to take over, of an operator or of the master, counts for that long.
constexpr Duration order_counts = 6s;
/// Facts that wait for a process; more than that is traffic that feeds itself.
constexpr std::size_t backlog_max = 5000;

std::string seconds(Duration time) {
    return std::to_string(std::chrono::duration<double>(time).count()) + " s";
}

}  // namespace

void Checker::look() {
    for (const auto* instance : instances_) {
        if (instance->up()) look_at(*instance);
    }
    if (fenced_) look_at_pair();
}

void Checker::look_at(const Instance& instance) {
    const auto serving = instance.node().serving();
    if (serving != 0) acts(instance, serving);
    if (instance.backlog() > backlog_max) {
        throw Violation("S13: " + std::to_string(instance.backlog()) + " facts wait for " +
                        instance.name());
    }
    if (!fenced_ || instance.paused() || !instance.serves()) return;
    const auto heard = instance.gateway_heard();
    if (!heard || world_.now() - *heard > believes_at_most) {
        throw Violation("S9: " + instance.name() +
                        " believes itself active and has not heard the gateway for " +
                        (heard ? seconds(world_.now() - *heard) : "ever"));
    }
}

void Checker::look_at_pair() {
    const auto believes = [](const Instance* instance) {
        return instance->up() && !instance->paused() && instance->serves();
    };
    if (!believes(instances_[alpha]) || !believes(instances_[beta])) {
        both_since_.reset();
        both_heard_since_.reset();
        return;
    }
    const auto now = world_.now();
    const auto hears = [now](const Instance* instance) {
        const auto heard = instance->gateway_heard();
        return heard && now - *heard < heard_means;
    };
    if (!both_since_) {
        world_.count("two believed themselves active");
        both_since_ = now;
    }
    if (!hears(instances_[alpha]) || !hears(instances_[beta])) {
        both_heard_since_.reset();
    } else if (!both_heard_since_) {
        both_heard_since_ = now;
    }
    const bool both_heard = both_heard_since_ && now - *both_heard_since_ > both_heard_at_most;
    if (both_heard || now - *both_since_ > both_at_most) {
        throw Violation("S9: both instances believe themselves active for " +
                        seconds(now - *both_since_));
    }
}

void Checker::serves_unasked(const Instance& instance) {
    if (!instance.knows_peer() && world_.now() - instance.forced() > order_counts) {
        throw Violation("P11: " + instance.name() +
                        " serves and has not asked whether its peer does");
    }
}

void Checker::promoted(const Instance& instance) {
    world_.count("transition: takeover without a gateway");
    const auto since = [&](Instant when) { return world_.now() - when; };
    const bool ordered = since(instance.forced()) < order_counts;
    if (!ordered) claims(instance, ClaimReason::peer_silent);
    const bool invited = since(instance.invited()) < order_counts;
    if (ordered || invited) return;
    // A clock may run 5 % fast.
    const auto& [silence, tunnel_up] = instance.decision();
    if (silence < Instance::takeover_delay_unfenced * 95 / 100) {
        throw Violation("P8: " + instance.name() + " decided to take over " + seconds(silence) +
                        " after its peer answered");
    }
    if (!tunnel_up) {
        throw Violation("P9: " + instance.name() + " took over and could open no tunnel");
    }
}

void Checker::accepted(std::size_t node, const std::string& incarnation, core::Epoch epoch) {
    const auto who = instances_[node]->name() + " " + incarnation;
    if (epoch < routed_) {
        throw Violation("S1: traffic of epoch " + std::to_string(epoch) + " was accepted after " +
                        std::to_string(routed_));
    }
    if (epoch < granted_ && !record_lost_) {
        throw Violation("S1: traffic of epoch " + std::to_string(epoch) + " was accepted though " +
                        std::to_string(granted_) + " is granted");
    }
    routed_ = epoch;
    const auto [known, fresh] = server_.emplace(epoch, who);
    if (!fresh && known->second != who) {
        throw Violation("S1: epoch " + std::to_string(epoch) + " was served by " + known->second +
                        " and by " + who);
    }
}

void Checker::acts(const Instance& instance, core::Epoch epoch) {
    if (instance.disk.state.epoch < epoch) {
        throw Violation("S2: " + instance.name() + " acts in epoch " + std::to_string(epoch) +
                        ", on its disk is " + std::to_string(instance.disk.state.epoch));
    }
}

void Checker::granting(const Granting& grant) {
    const auto& [before, after, reason, silent, consented] = grant;
    ++grants_;
    // After the loss of the record only an operator may prefer a node to the last master.
    const bool blind = before.epoch != 0 && before.holder.node.empty();
    if (blind && reason == gateway::ClaimReason::forced) {
        operator_gave_up_edits();
        // The one before may acknowledge alone until it hears of it: that is given up as well.
        given_up_below_ = after.epoch;
    }
    if (before.epoch == 0 || before.holder.node.empty()) return;
    const auto& to = *instances_[place_of(after.holder.node)];
    if (!before.in_sync.contains(after.holder)) {
        throw Violation("S7: " + to.name() + " was granted epoch " + std::to_string(after.epoch) +
                        " and is not in sync");
    }
    if (before.holder.node == after.holder.node) return;
    world_.count("transition: takeover");
    const bool refused = reason == gateway::ClaimReason::peer_refused && silent;
    const bool forced = reason == gateway::ClaimReason::forced;
    if (!silent && !consented && !forced && !refused) {
        throw Violation("S7: the holder " + before.holder.node +
                        " was heard, did not consent and nobody forced it");
    }
    const auto of_holder = world_.now() - disturbed_[place_of(before.holder.node)];
    if (of_holder > aftermath) {
        throw Violation("S8: the role went from " + before.holder.node + " to " +
                        after.holder.node + " though nothing had happened to " +
                        before.holder.node + " for " + seconds(of_holder));
    }
    if (reason == gateway::ClaimReason::handover) world_.count("transition: handover");
    if (reason == gateway::ClaimReason::peer_refused) world_.count("transition: instant takeover");
    if (reason == gateway::ClaimReason::peer_silent) world_.count("transition: patient takeover");
    if (forced) world_.count("transition: forced takeover");
}

void Checker::granted(const gateway::Record& before, const gateway::Record& after) {
    if (after.epoch <= granted_ && !record_lost_) {
        throw Violation("S2: epoch " + std::to_string(after.epoch) + " is granted after " +
                        std::to_string(granted_));
    }
    granted_ = std::max(granted_, after.epoch);
    const auto& to = *instances_[place_of(after.holder.node)];
    // Between the claim and the grant its disk may have been lost, and nobody serves with it.
    if (to.incarnation() != after.holder.incarnation) return;
    if (before.holder.node != after.holder.node || before.epoch == 0) {
        holds_everything(to);
    }
}

void Checker::written(const core::Logged& logged) {
    const auto entry = core::decode_entry(logged.body);
    if (!entry) throw Violation("S5: an entry was written that cannot be read");
    Link link{entry->previous, entry->revision, {}};
    for (const auto& change : entry->changes) link.keys.push_back(change.key);
    links_.emplace(logged.position.hash, std::move(link));
}

template <class F>
void Checker::walk_back(const core::Position& last, F visit) const {
    for (auto hash = last.hash; hash != core::Hash{};) {
        const auto found = links_.find(hash);
        if (found == links_.end()) throw Violation("S5: an entry came from nowhere");
        if (!visit(found->second, hash)) return;
        hash = found->second.before;
    }
}

bool Checker::leads_to(const core::Position& last, const core::Position& position) const {
    bool found = position == core::Position{};
    walk_back(last, [&](const Link& link, const core::Hash& hash) {
        found = found || (hash == position.hash && link.revision == position.revision);
        return !found && link.revision.seq > position.revision.seq;
    });
    return found;
}

void Checker::landed(const core::Logged& logged) {
    if (!fenced_) return;  // Two masters of one epoch are possible there (P10).
    const auto [known, fresh] = hashes_.emplace(logged.position.revision, logged.position.hash);
    if (!fresh && known->second != logged.position.hash) {
        throw Violation("S5: revision " + to_string(logged.position.revision) +
                        " has two contents");
    }
    if (const auto entry = core::decode_entry(logged.body);
        entry && entry->op_id.starts_with(core::merge_op_id("", false))) {
        merges_.insert(logged.position.revision);
    }
}

void Checker::acknowledged(const Instance& master, const Edit& edit, core::Revision revision,
                           const gateway::Record& record) {
    const bool repeated = !done_.insert(edit.op).second;
    if (repeated) world_.count("transition: repeated edit recognised");
    if (repeated && revision.seq <= master.node().log().base().revision.seq) {
        world_.count("transition: repeated edit recognised behind a snapshot");
    }
    if (!fenced_ || master.node().serving() < given_up_below_) return;
    const auto& op = edit.op;
    const auto hash = hashes_.find(revision);
    if (hash == hashes_.end()) {
        throw Violation("S3: revision " + to_string(revision) +
                        " was acknowledged and is durable nowhere");
    }
    const core::Position position{revision, hash->second};
    const auto [known, fresh] = acknowledged_.emplace(revision.seq, Acknowledged{op, position});
    // A merge of saved edits stands for each of them, so several may be acknowledged with it.
    const bool another = known->second.op != op && !merges_.contains(revision);
    if (!fresh && (known->second.position != position || another)) {
        throw Violation("S3: " + op + " and " + known->second.op +
                        " were both acknowledged as number " + std::to_string(revision.seq));
    }
    if (edit.first && revision <= edit.known) {
        throw Violation("S6: " + op + " was asked for after revision " + to_string(edit.known) +
                        " was acknowledged and became " + to_string(revision));
    }
    highest_ = std::max(highest_, revision);
    if (edit.base && edit.first && revision.seq != edit.base->seq + 1) {
        throw Violation("S4: " + op + " was to follow revision " + to_string(*edit.base) +
                        " and became " + to_string(revision));
    }
    // A repetition may name a base of which it knows no better; it was applied elsewhere.
    if (edit.base && revision.seq == edit.base->seq + 1) {
        const auto [other, first] = bases_.emplace(*edit.base, op);
        if (!first && other->second != op) {
            throw Violation("S4: " + op + " and " + other->second +
                            " were both acknowledged on top of revision " + to_string(*edit.base));
        }
    }
    // Whoever the register would grant the next epoch to must have it. After the loss of its record
    // it names candidates and leaves the choice among them to the last master or to an operator.
    if (record.holder.node.empty()) return;
    for (const auto& member : record.in_sync) {
        const auto& instance = *instances_[place_of(member.node)];
        if (instance.incarnation() != member.incarnation) continue;
        if (!leads_to(instance.disk.last(), position)) {
            throw Violation("S3: " + op + " was acknowledged by " + master.name() +
                            " as revision " + to_string(revision) + ", but " + member.node +
                            " may become master and does not have it");
        }
    }
}

void Checker::holds_everything(const Instance& instance) const {
    std::map<std::uint64_t, core::Hash> places;
    std::map<std::string, std::size_t> copies;
    walk_back(instance.disk.last(), [&](const Link& link, const core::Hash& hash) {
        places.emplace(link.revision.seq, hash);
        for (const auto& key : link.keys) ++copies[key];
        return true;
    });
    for (const auto& [seq, edit] : acknowledged_) {
        const auto place = places.find(seq);
        if (place == places.end() || place->second != edit.position.hash) {
            throw Violation("S3: " + instance.name() + " became master without " + edit.op +
                            ", which was acknowledged as revision " +
                            to_string(edit.position.revision));
        }
        if (copies[edit.op] > 1) {
            throw Violation("S3: " + edit.op + " is in the log of " + instance.name() +
                            " more than once");
        }
    }
}

/// Nothing that could still be cut, or that somebody in sync lacks, goes into a snapshot.
void Checker::compacts(const Instance& instance, const core::Position& position,
                       const gateway::Record& record) const {
    if (!leads_to(instance.disk.last(), position)) {
        throw Violation("S15: " + instance.name() + " compacts to " + to_string(position.revision) +
                        ", which is not on its disk");
    }
    if (!fenced_ || record.holder.node.empty() || instance.node().epoch() != record.epoch) return;
    for (const auto& member : record.in_sync) {
        const auto& other = *instances_[place_of(member.node)];
        if (other.incarnation() != member.incarnation) continue;
        if (!leads_to(other.disk.last(), position)) {
            throw Violation("S15: " + instance.name() + " compacts to " +
                            to_string(position.revision) + ", which " + member.node +
                            " does not have");
        }
    }
}

/// Who is in sync follows entry by entry; and a snapshot takes nothing back that was compacted.
void Checker::installs(const Instance& instance, const core::Position& position,
                       const gateway::Record& record) const {
    if (!fenced_ || gave_up_ || record_lost_ || instance.alerts().contains("drift")) return;
    if (record.in_sync.contains({instance.name(), instance.incarnation()}) &&
        record.holder.node != instance.name()) {
        throw Violation("S15: " + instance.name() + " is in sync and yet needs a snapshot");
    }
    if (!leads_to(position, instance.disk.base.position)) {
        throw Violation("S15: " + instance.name() + " had compacted to " +
                        to_string(instance.disk.base.position.revision) +
                        ", which is not in the history of its master");
    }
}

void Checker::claims(const Instance& instance, ClaimReason reason) const {
    const bool ordered = reason == ClaimReason::forced || reason == ClaimReason::first;
    if (ordered || !instance.alerts().contains("drift")) return;
    throw Violation("S16: " + instance.name() +
                    " knows that its configuration is not the master's and wants the role");
}

void Checker::nothing_vanished() const {
    for (const auto& op : done_) {
        const bool found =
            instances_[alpha]->disk.remembers(op) || instances_[beta]->disk.remembers(op);
        if (!found) throw Violation("P10: " + op + " was acknowledged and is nowhere any more");
    }
}

}  // namespace umbra::simulation
