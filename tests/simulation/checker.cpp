#include "checker.hpp"

#include "gateway.hpp"
#include "instance.hpp"

namespace umbra::simulation {

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
    // After the loss of the record only an operator may prefer a node to the last master.
    const bool blind = before.epoch != 0 && before.holder.node.empty();
    if (blind && reason == gateway::ClaimReason::forced) operator_gave_up_edits();
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
                        before.holder.node + " for " +
                        std::to_string(std::chrono::duration<double>(of_holder).count()) + " s");
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

void Checker::landed(const core::Logged& logged) {
    const auto [known, fresh] = hashes_.emplace(logged.position.revision, logged.position.hash);
    if (!fresh && known->second != logged.position.hash) {
        throw Violation("S5: revision " + to_string(logged.position.revision) +
                        " has two contents");
    }
}

void Checker::acknowledged(const Instance& master, const std::string& op, core::Revision revision,
                           std::optional<core::Revision> base, const gateway::Record& record) {
    const auto hash = hashes_.find(revision);
    if (hash == hashes_.end()) {
        throw Violation("S3: revision " + to_string(revision) +
                        " was acknowledged and is durable nowhere");
    }
    const core::Position position{revision, hash->second};
    const auto [edit, fresh] = acknowledged_.emplace(revision.seq, Edit{op, position});
    if (!fresh && (edit->second.position != position || edit->second.op != op)) {
        throw Violation("S3: " + op + " and " + edit->second.op +
                        " were both acknowledged as number " + std::to_string(revision.seq));
    }
    if (!done_.insert(op).second) world_.count("transition: repeated edit recognised");
    // A repetition may name a base of which it knows no better; it was applied elsewhere.
    if (base && revision.seq == base->seq + 1) {
        const auto [other, first] = bases_.emplace(*base, op);
        if (!first && other->second != op) {
            throw Violation("S4: " + op + " and " + other->second +
                            " were both acknowledged on top of revision " + to_string(*base));
        }
    }
    // Whoever the register would grant the next epoch to must have it. After the loss of its record
    // it names candidates and leaves the choice among them to the last master or to an operator.
    if (record.holder.node.empty()) return;
    for (const auto& member : record.in_sync) {
        const auto& instance = *instances_[place_of(member.node)];
        if (instance.incarnation() != member.incarnation) continue;
        if (!instance.disk.holds(position)) {
            throw Violation("S3: " + op + " was acknowledged by " + master.name() +
                            " as revision " + to_string(revision) + ", but " + member.node +
                            " may become master and does not have it");
        }
    }
}

void Checker::holds_everything(const Instance& instance) const {
    const auto copies = instance.disk.copies();
    for (const auto& [seq, edit] : acknowledged_) {
        if (!instance.disk.holds(edit.position)) {
            throw Violation("S3: " + instance.name() + " became master without " + edit.op +
                            ", which was acknowledged as revision " +
                            to_string(edit.position.revision));
        }
        const auto found = copies.find(edit.op);
        // A snapshot holds no ids of edits, so what was repeated across one cannot be recognised.
        const bool forgot = world_.counters.contains("transition: snapshot installed");
        if (!forgot && found != copies.end() && found->second > 1) {
            throw Violation("S3: " + edit.op + " is in the log of " + instance.name() +
                            " more than once");
        }
    }
}

}  // namespace umbra::simulation
