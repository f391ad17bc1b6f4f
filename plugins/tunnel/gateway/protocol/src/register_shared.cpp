// The part of the register that deals with other gateways on one record.
#include <umbra/gateway/register.hpp>

#include <algorithm>
#include <utility>

namespace umbra::gateway {

void Register::on(Instant now, const fact::RecordChanged& f, Effects& out) {
    if (f.record == record_) return;
    if (f.record.serial <= record_.serial || f.record.epoch < record_.epoch) {
        out.push_back(effect::Alert{"the shared register went back from epoch " +
                                    std::to_string(record_.epoch) + " to epoch " +
                                    std::to_string(f.record.epoch) +
                                    ": it was restored from a backup, or another pair uses it"});
        return on(now, fact::RecordLost{}, out);
    }
    const Record before = std::exchange(record_, f.record);
    const bool granted = record_.epoch > before.epoch;
    // Whoever is in sync has enrolled at some gateway, and has a report to give.
    for (const auto& member : record_.in_sync)
        if (members_.size() < members_max) members_.insert(member.node);
    rebuilding_ = std::ranges::any_of(
        reports_, [&](const auto& report) { return report.second > record_.epoch; });
    lost_ = false;
    if (!granted) return push_register(now, "", out);
    consent_.reset();
    holder_gone_told_ = false;
    holder_back_until_ = now + settings_.return_grace;
    out.push_back(effect::CutBelow{record_.epoch, f.drain});
    const bool deposed = before.holder.node != record_.holder.node;
    if (deposed && connected(before.holder.node) != nullptr)
        out.push_back(effect::PushFenced{before.holder.node, view(now), f.drain});
    push_register(now, deposed ? before.holder.node : "", out);
}

void Register::on(Instant, const fact::RecordLost&, Effects&) {
    rebuilding_ = lost_ = !members_.empty();
}

void Register::on(Instant, const fact::StoreLost&, Effects&) {
    if (!storing_) return;
    // It came first, so it is decided first. A rebuild is begun anew where it is still needed.
    if (!storing_->request.node.empty()) waiting_.push_front(std::move(storing_->request));
    storing_.reset();
}

void Register::on(Instant now, const fact::StoreUnreachable& f, Effects& out) {
    unreachable_ = f.text;
    if (storing_) waiting_.push_front(std::move(storing_->request));
    storing_.reset();
    for (const auto& request : std::exchange(waiting_, {})) refuse(now, request, f.text, out);
}

void Register::on(Instant now, const fact::StoreReachable& f, Effects& out) {
    if (std::exchange(store_, f.name) != f.name) push_register(now, "", out);
    if (std::exchange(unreachable_, "").empty()) return;
    for (const auto& [name, node] : nodes_) {
        if (!node.connected) continue;
        Waiting known;
        known.request = Request::incarnation;
        known.node = name;
        known.boot = node.boot;
        waiting_.push_back(std::move(known));
    }
}

void Register::on(Instant now, const fact::HeardElsewhere& f, Effects& out) {
    const bool before = heard_elsewhere();
    elsewhere_ = f;
    for (const auto& [node, epoch] : f.reports) note_report(node, epoch);
    if (before == heard_elsewhere() || holder_connected()) return;
    if (before) {
        holder_back_until_ = std::max(holder_back_until_, now + settings_.return_grace);
        holder_gone_told_ = false;
        return push_holder_lost(now, false, out);
    }
    holder_gone_told_ = false;
    push_register(now, record_.holder.node, out);
}

PairNote Register::note(Instant now) const {
    PairNote told;
    told.epoch = record_.epoch;
    // Only what is heard here: what others hear they say themselves.
    told.hears_holder =
        holder_connected() && now < nodes_.at(record_.holder.node).heard + settings_.lease;
    told.consent = consent_ && now < consent_->until;
    if (told.consent) told.successor = consent_->successor;
    told.reports = reports_;
    return told;
}

}  // namespace umbra::gateway
