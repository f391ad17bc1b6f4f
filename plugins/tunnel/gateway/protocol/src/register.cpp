#include <umbra/gateway/register.hpp>

#include <algorithm>
#include <cassert>
#include <type_traits>

namespace umbra::gateway {
namespace {

std::string milliseconds(Duration duration) {
    return std::to_string(std::chrono::ceil<std::chrono::milliseconds>(duration).count()) + " ms";
}

std::string joined(const std::set<std::string>& names) {
    std::string text;
    for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
    return text;
}

}  // namespace

Register::Register(const Settings& settings, Record record, bool lost,
                   std::set<std::string> members, Instant now)
    : settings_(settings),
      record_(std::move(record)),
      members_(std::move(members)),
      holder_back_until_(now + std::max(settings.restart_grace, settings.lease)),
      unreachable_(settings.shared ? "the shared register was not read yet" : ""),
      rebuilding_(lost && !members_.empty()),
      lost_(rebuilding_) {}

std::vector<Effect> Register::step(Instant now, const Fact& fact) {
    Effects out;
    std::visit([&](const auto& f) { on(now, f, out); }, fact);
    work(now, out);
    holder_checks(now, out);
    return out;
}

// --- links --------------------------------------------------------------------------------------

void Register::on(Instant now, const fact::Connected& f, Effects& out) {
    const auto refuse_link = [&](std::string text) {
        out.push_back(effect::Alert{text});
        out.push_back(effect::Refuse{f.node, f.boot, std::move(text)});
    };
    if (f.node.empty() || f.node.size() > name_bytes_max || f.incarnation.empty() ||
        f.incarnation.size() > name_bytes_max || f.epoch_known > epoch_max)
        return refuse_link("a node said hello with a name or an epoch that can not be");
    if (!members_.contains(f.node) && members_.size() >= members_max)
        return refuse_link("the pair has " + std::to_string(members_max) +
                           " members already; remove one to let " + f.node + " in");
    auto& node = nodes_[f.node];
    if (node.connected && node.incarnation != f.incarnation)
        return refuse_link("node " + f.node +
                           " is connected already from another data directory; stop one of the "
                           "two, or enrol the other under its own name");
    if (std::ranges::find(node.replaced, f.boot) != node.replaced.end())
        return refuse_link("two processes run as node " + f.node +
                           " on copies of one data directory; stop one of them");

    members_.insert(f.node);
    const bool restarted = node.boot != f.boot;
    const bool returned = !node.connected;
    if (restarted && node.connected) {
        out.push_back(effect::CutLinks{f.node, node.boot});
        node.replaced.push_back(node.boot);
        if (node.replaced.size() > replaced_max) node.replaced.pop_front();
    }
    node.incarnation = f.incarnation;
    node.boot = f.boot;
    node.connected = true;
    node.heard = now;
    if (restarted && record_.holder.node == f.node) consent_.reset();

    Waiting known;
    known.request = Request::incarnation;
    known.node = f.node;
    known.boot = f.boot;
    if (returned || restarted) waiting_.push_back(std::move(known));
    note_report(f.node, f.epoch_known);
    out.push_back(effect::Welcome{f.node, f.boot, view(now)});
    if (returned && is_holder(f.node)) {
        holder_gone_told_ = false;
        push_register(now, f.node, out);
    }
}

void Register::on(Instant now, const fact::Disconnected& f, Effects& out) {
    const auto found = nodes_.find(f.node);
    if (found == nodes_.end() || !found->second.connected || found->second.boot != f.boot) return;
    const bool held = is_holder(f.node);
    found->second.connected = false;
    if (!held) return;
    // What its host does with a connection tells a claimant sooner than any timer here whether it
    // is worth claiming at once, so the others are told now and the grace runs beside that.
    holder_back_until_ = now + settings_.return_grace;
    holder_gone_told_ = false;
    if (!heard_elsewhere()) push_holder_lost(now, false, out);
}

void Register::on(Instant now, const fact::Heard& f, Effects& out) {
    const auto found = nodes_.find(f.node);
    if (found == nodes_.end() || !found->second.connected) return;
    auto& heard = found->second.heard;
    heard = std::max(heard, std::min(f.at, now));
    if (is_holder(f.node) && holder_gone_told_ && now < gone_at()) {
        holder_gone_told_ = false;
        push_register(now, f.node, out);
    }
}

void Register::on(Instant now, const fact::Stalled& f, Effects&) {
    for (auto& [name, node] : nodes_)
        if (node.connected) node.heard = std::min(now, node.heard + f.gap);
    holder_back_until_ += f.gap;
}

void Register::on(Instant, const fact::Ticked&, Effects&) {}

// --- members ------------------------------------------------------------------------------------

void Register::on(Instant, const fact::Enrolled& f, Effects&) {
    if (members_.size() < members_max) members_.insert(f.node);
}

void Register::on(Instant now, const fact::Removed& f, Effects& out) {
    if (const auto found = nodes_.find(f.node); found != nodes_.end()) {
        on(now, fact::Disconnected{f.node, found->second.boot}, out);
        nodes_.erase(f.node);
    }
    members_.erase(f.node);
    reports_.erase(f.node);
}

void Register::on(Instant now, const fact::Admitted& f, Effects& out) {
    const Node* node = connected(f.node);
    if (node == nullptr) {
        out.push_back(effect::AnswerAdmit{f.ask, false, "node " + f.node + " is not connected"});
        return;
    }
    Waiting request;
    request.request = Request::admit;
    request.node = f.node;
    request.boot = node->boot;
    request.ask = f.ask;
    submit(now, std::move(request), out);
}

// --- requests -----------------------------------------------------------------------------------

void Register::on(Instant now, const fact::Claimed& f, Effects& out) {
    const Node* node = connected(f.node);
    if (node == nullptr) return;
    Waiting request;
    request.request = Request::claim;
    request.node = f.node;
    request.boot = node->boot;
    request.ask = f.ask;
    request.epoch = f.epoch;
    request.reason = f.reason;
    submit(now, std::move(request), out);
}

void Register::on(Instant now, const fact::InSyncAsked& f, Effects& out) {
    const Node* node = connected(f.node);
    if (node == nullptr) return;
    Waiting request;
    request.request = Request::in_sync;
    request.node = f.node;
    request.boot = node->boot;
    request.ask = f.ask;
    request.epoch = f.epoch;
    request.seq = f.seq;
    request.members = f.members;
    submit(now, std::move(request), out);
}

void Register::on(Instant now, const fact::Consented& f, Effects& out) {
    if (connected(f.node) == nullptr) return;
    const auto answer = [&](bool ok, std::string text) {
        out.push_back(effect::AnswerConsent{f.node, f.ask, ok, std::move(text)});
    };
    if (!is_holder(f.node) || f.epoch != record_.epoch)
        return answer(false, f.node + " does not hold epoch " + std::to_string(f.epoch) + ": " +
                                 holder_sentence(now));
    if (f.successor == f.node) return answer(false, "the holder can not be its own successor");
    const auto named = [&](const Member& member) { return member.node == f.successor; };
    if (!f.successor.empty() && std::ranges::none_of(record_.in_sync, named))
        return answer(false, "successor " + f.successor + " is not in sync");
    consent_ = Consent{f.successor, now + settings_.consent_ttl};
    answer(true, "");
}

void Register::submit(Instant now, Waiting request, Effects& out) {
    const auto same = [&](const Waiting& other) {
        return other.node == request.node && other.request != Request::incarnation;
    };
    if (std::ranges::count_if(waiting_, same) >= static_cast<std::ptrdiff_t>(waiting_max))
        return refuse(now, request, "too many requests of this node wait for the disk", out);
    if (!unreachable_.empty()) return refuse(now, request, unreachable_, out);
    waiting_.push_back(std::move(request));
}

void Register::refuse(Instant now, const Waiting& request, std::string text, Effects& out) const {
    switch (request.request) {
        case Request::incarnation:
            return;
        case Request::claim:
            out.push_back(
                effect::AnswerClaim{request.node, request.ask, false, view(now), std::move(text)});
            return;
        case Request::in_sync:
            out.push_back(effect::AnswerInSync{request.node, request.ask, false, std::move(text)});
            return;
        case Request::admit:
            out.push_back(effect::AnswerAdmit{request.ask, false, std::move(text)});
            return;
    }
}

// --- one decision at a time ---------------------------------------------------------------------

void Register::work(Instant now, Effects& out) {
    while (!storing_ && unreachable_.empty()) {
        if (rebuilding_ && missing_reports().empty()) {
            rebuild(out);
            continue;
        }
        if (waiting_.empty()) return;
        const Waiting request = std::move(waiting_.front());
        waiting_.pop_front();
        // The process that asked is gone, and with it whoever waits for the answer.
        const Node* node = connected(request.node);
        if (node == nullptr || node->boot != request.boot) {
            if (request.request == Request::admit)
                refuse(now, request, "node " + request.node + " is not connected any more", out);
            continue;
        }
        decide(now, request, out);
    }
}

void Register::decide(Instant now, const Waiting& request, Effects& out) {
    Record next = record_;
    const Member member{request.node, nodes_.at(request.node).incarnation};
    switch (request.request) {
        case Request::incarnation: {
            auto& known = next.incarnations[request.node];
            // A rebuilt record takes them all; before it nothing may be stored, so that a restart
            // still finds the record lost.
            if (known == member.incarnation || rebuilding_) return;
            if (!known.empty())
                out.push_back(effect::Alert{"node " + request.node +
                                            " came back with another data directory"});
            known = member.incarnation;
            return store(std::move(next), request, false, out);
        }
        case Request::claim:
            return decide_claim(now, request, out);
        case Request::in_sync:
            return decide_in_sync(now, request, out);
        case Request::admit:
            if (rebuilding_ || record_.epoch == 0)
                return refuse(now, request, holder_sentence(now), out);
            if (next.in_sync.size() >= members_max)
                return refuse(now, request, "the in-sync set is full", out);
            next.in_sync.insert(member);
            return store(std::move(next), request, false, out);
    }
}

void Register::decide_claim(Instant now, const Waiting& claim, Effects& out) {
    const bool follows = claim.reason == ClaimReason::follow;
    if (claim.epoch > record_.epoch + 1 && claim.epoch <= epoch_max && !rebuilding_ && !follows) {
        // Who asks for more than the next epoch knows of one that this register never granted.
        auto text = "this gateway granted epoch " + std::to_string(record_.epoch) + " last and " +
                    claim.node + " asks for " + std::to_string(claim.epoch) +
                    "; it grants nothing until every member has reported its epoch";
        refuse(now, claim, std::move(text), out);
        note_report(claim.node, claim.epoch - 1);
        return;
    }
    if (auto text = follows ? objection_to_follow(now, claim) : objection(now, claim))
        return refuse(now, claim, std::move(*text), out);
    const Member member{claim.node, nodes_.at(claim.node).incarnation};
    Record next = record_;
    // The first holder ever, or the first after the record was lost: then nobody knows whether the
    // others have what this node acknowledged alone, so it has to let them in again.
    if (next.holder.node.empty()) next.in_sync = {member};
    // Who is in sync is known where the epoch was granted.
    if (follows) next.in_sync.insert(member);
    next.epoch = claim.epoch;
    // Its own successor keeps its streams: no other node carries any.
    const bool drain = consents_to(now, claim.node) || is_holder(claim.node);
    next.holder = member;
    next.in_sync_seq = 0;
    store(std::move(next), claim, drain, out);
}

void Register::decide_in_sync(Instant now, const Waiting& ask, Effects& out) {
    const auto no = [&](std::string text) { refuse(now, ask, std::move(text), out); };
    if (rebuilding_ || !is_holder(ask.node) || ask.epoch != record_.epoch)
        return no("only the holder changes who is in sync: " + holder_sentence(now));
    if (ask.seq == record_.in_sync_seq && ask.members == record_.in_sync) {
        out.push_back(effect::AnswerInSync{ask.node, ask.ask, true, ""});
        return;
    }
    if (ask.seq <= record_.in_sync_seq)
        return no("change " + std::to_string(ask.seq) + " is older than change " +
                  std::to_string(record_.in_sync_seq) + ", which is in force");
    if (ask.members.size() > members_max) return no("too many members");
    if (!ask.members.contains(record_.holder)) return no("the holder itself is missing");
    const auto unfit = [](const Member& m) {
        return m.node.empty() || m.incarnation.empty() || m.node.size() > name_bytes_max ||
               m.incarnation.size() > name_bytes_max;
    };
    if (std::ranges::any_of(ask.members, unfit)) return no("a member has no name or incarnation");
    Record next = record_;
    next.in_sync = ask.members;
    next.in_sync_seq = ask.seq;
    store(std::move(next), ask, false, out);
}

void Register::rebuild(Effects& out) {
    Record next = record_;
    Epoch highest = 0;
    for (const auto& [node, epoch] : reports_) highest = std::max(highest, epoch);
    // A record that knows as much as the nodes do is believed; only its in-flight change is lost.
    if (highest > record_.epoch) {
        next.epoch = highest;
        next.holder = {};
        next.in_sync.clear();
        next.in_sync_seq = 0;
        for (const auto& [node, epoch] : reports_)
            if (epoch == highest && nodes_.contains(node))
                next.in_sync.insert(Member{node, nodes_.at(node).incarnation});
    }
    for (const auto& [name, node] : nodes_) next.incarnations[name] = node.incarnation;
    Waiting request;
    request.request = Request::incarnation;
    store(std::move(next), std::move(request), false, out);
}

void Register::store(Record next, Waiting request, bool drain, Effects& out) {
    next.serial = record_.serial + 1;
    // Where gateways share the record, others may know nodes that are not enrolled here.
    if (!settings_.shared)
        std::erase_if(next.incarnations,
                      [&](const auto& known) { return !members_.contains(known.first); });
    out.push_back(effect::Store{next, drain});
    storing_ = Storing{std::move(next), std::move(request), drain};
}

void Register::on(Instant now, const fact::Stored&, Effects& out) {
    assert(storing_);
    if (!storing_) return;
    const Storing done = std::move(*storing_);
    storing_.reset();
    const Record before = std::exchange(record_, done.record);
    const auto& request = done.request;
    if (rebuilding_ && request.node.empty()) {
        rebuilding_ = lost_ = false;
        for (const auto& [node, epoch] : reports_) rebuilding_ |= epoch > record_.epoch;
        out.push_back(effect::CutBelow{record_.epoch, false});
        out.push_back(
            effect::Alert{"the register was rebuilt from the reports of its nodes, at epoch " +
                          std::to_string(record_.epoch)});
        push_register(now, "", out);
        return;
    }
    switch (request.request) {
        case Request::incarnation:
            return;
        case Request::claim:
            return granted(now, done, before, out);
        case Request::in_sync:
            out.push_back(effect::AnswerInSync{request.node, request.ask, true, ""});
            push_register(now, request.node, out);
            return;
        case Request::admit:
            out.push_back(effect::AnswerAdmit{request.ask, true, ""});
            push_register(now, "", out);
            return;
    }
}

void Register::granted(Instant now, const Storing& done, const Record& before, Effects& out) {
    const auto& claim = done.request;
    const auto later = [&](const auto& report) { return report.second > record_.epoch; };
    rebuilding_ = rebuilding_ && std::ranges::any_of(reports_, later);
    consent_.reset();
    holder_gone_told_ = false;
    holder_back_until_ = now + settings_.return_grace;
    // First nothing of the old epoch is routed, then the new holder may begin.
    out.push_back(effect::CutBelow{record_.epoch, done.drain});
    if (before.holder.node != claim.node && connected(before.holder.node) != nullptr)
        out.push_back(effect::PushFenced{before.holder.node, view(now), done.drain});
    out.push_back(effect::AnswerClaim{claim.node, claim.ask, true, view(now), ""});
    for (const auto& [name, node] : nodes_)
        if (node.connected && name != claim.node && name != before.holder.node)
            out.push_back(effect::PushRegister{name, view(now)});
    if (!holder_connected()) push_holder_lost(now, false, out);
}

// --- questions ----------------------------------------------------------------------------------

void Register::note_report(const std::string& node, Epoch epoch) {
    auto& known = reports_[node];
    known = std::max(known, epoch);
    // Of a store under way nobody was told, so nobody can know of its epoch.
    if (epoch > record_.epoch) rebuilding_ = true;
}

std::set<std::string> Register::missing_reports() const {
    std::set<std::string> missing;
    if (!rebuilding_) return missing;
    for (const auto& member : members_)
        if (!reports_.contains(member)) missing.insert(member);
    return missing;
}

void Register::holder_checks(Instant now, Effects& out) {
    if (record_.holder.node.empty() || holder_gone_told_ || now < gone_at()) return;
    holder_gone_told_ = true;
    push_holder_lost(now, true, out);
}

std::optional<Instant> Register::next_deadline() const {
    if (record_.holder.node.empty() || holder_gone_told_ || gone_at() == Instant::max())
        return std::nullopt;
    return gone_at();
}

Instant Register::gone_at() const {
    if (heard_elsewhere() || !elsewhere_.doubt.empty()) return Instant::max();
    return holder_connected() ? nodes_.at(record_.holder.node).heard + settings_.lease
                              : holder_back_until_;
}

std::optional<std::string> Register::objection(Instant now, const Waiting& claim) const {
    if (rebuilding_ || claim.epoch <= record_.epoch) return holder_sentence(now);
    if (claim.epoch > epoch_max) return "epoch " + std::to_string(claim.epoch) + " can not be";
    if (record_.epoch == 0) return std::nullopt;
    const Member member{claim.node, nodes_.at(claim.node).incarnation};
    if (!record_.in_sync.contains(member)) {
        const auto same = [&](const Member& other) { return other.node == claim.node; };
        if (std::ranges::any_of(record_.in_sync, same))
            return claim.node + " was in sync with another data directory; the present one is not";
        return claim.node + " is not in sync with epoch " + std::to_string(record_.epoch);
    }
    const auto& holder = record_.holder.node;
    if (holder.empty() || holder == claim.node || claim.reason == ClaimReason::forced ||
        consents_to(now, claim.node) || now >= gone_at())
        return std::nullopt;
    if (heard_elsewhere())
        return holder + " holds epoch " + std::to_string(record_.epoch) + " and gateway " +
               elsewhere_.heard_by + " hears it";
    if (!elsewhere_.doubt.empty()) return holder_sentence(now) + "; " + elsewhere_.doubt;
    // Two witnesses: no link here, and its host refuses the claimant. No timer knows more.
    if (!holder_connected() && claim.reason == ClaimReason::peer_refused) return std::nullopt;
    if (!holder_connected())
        return "the links of " + holder + " closed just now; it counts as gone in " +
               milliseconds(gone_at() - now) + " unless it comes back";
    return holder_sentence(now) + "; it counts as gone once it is silent for " +
           milliseconds(settings_.lease);
}

/// Another gateway decided who it is. Here only the epoch has to be higher than all that was
/// granted before; or just as high, when it is known from reports alone and nobody holds it. A
/// gateway that was away while others took turns has missed epochs and not lost its record.
std::optional<std::string> Register::objection_to_follow(Instant now, const Waiting& claim) const {
    const auto later = [&](const auto& report) { return report.second > claim.epoch; };
    if (lost_ || std::ranges::any_of(reports_, later)) return holder_sentence(now);
    const bool held = !record_.holder.node.empty();
    if (claim.epoch < record_.epoch || (claim.epoch == record_.epoch && held))
        return holder_sentence(now);
    if (claim.epoch > epoch_max) return "epoch " + std::to_string(claim.epoch) + " can not be";
    const Member member{claim.node, nodes_.at(claim.node).incarnation};
    if (record_.in_sync.size() >= members_max && !record_.in_sync.contains(member))
        return "the in-sync set is full";
    return std::nullopt;
}

std::string Register::holder_sentence(Instant now) const {
    if (rebuilding_)
        return "the register does not know its own epoch and grants nothing until these nodes have "
               "reported theirs: " +
               joined(missing_reports());
    if (record_.epoch == 0) return "no epoch was ever granted";
    const auto epoch = "epoch " + std::to_string(record_.epoch);
    if (record_.holder.node.empty()) return "nobody holds " + epoch;
    const auto shown = view(now);
    const auto heard =
        shown.holder_heard_ns < 0
            ? std::string(" and was not heard since this gateway started")
            : " and was heard " + milliseconds(Duration(shown.holder_heard_ns)) + " ago";
    return record_.holder.node + " holds " + epoch + heard;
}

bool Register::is_holder(const std::string& node) const {
    const auto found = nodes_.find(node);
    return found != nodes_.end() && record_.holder.node == node &&
           record_.holder.incarnation == found->second.incarnation;
}

const Register::Node* Register::connected(const std::string& node) const {
    const auto found = nodes_.find(node);
    return found != nodes_.end() && found->second.connected ? &found->second : nullptr;
}

bool Register::holder_connected() const {
    return is_holder(record_.holder.node) && nodes_.at(record_.holder.node).connected;
}

bool Register::consents_to(Instant now, const std::string& node) const {
    if (elsewhere_.consent == record_.epoch &&
        (elsewhere_.successor.empty() || elsewhere_.successor == node))
        return true;
    return consent_ && now < consent_->until &&
           (consent_->successor.empty() || consent_->successor == node);
}

bool Register::may_activate(const std::string& node, const BootId& boot, Epoch epoch) const {
    return !rebuilding_ && holder_connected() && is_holder(node) && nodes_.at(node).boot == boot &&
           epoch == record_.epoch && epoch != 0;
}

RegisterView Register::view(Instant now) const {
    RegisterView shown;
    shown.epoch = record_.epoch;
    shown.holder = record_.holder.node;
    shown.holder_alive = (holder_connected() && now < gone_at()) || heard_elsewhere();
    shown.holder_heard_ns =
        is_holder(record_.holder.node) ? (now - nodes_.at(record_.holder.node).heard).count() : -1;
    shown.in_sync_seq = record_.in_sync_seq;
    shown.store = store_;
    shown.in_sync.assign(record_.in_sync.begin(), record_.in_sync.end());
    return shown;
}

// --- pushes -------------------------------------------------------------------------------------

void Register::push_register(Instant now, const std::string& except, Effects& out) const {
    for (const auto& [name, node] : nodes_)
        if (node.connected && name != except) out.push_back(effect::PushRegister{name, view(now)});
}

void Register::push_holder_lost(Instant now, bool gone, Effects& out) const {
    for (const auto& [name, node] : nodes_)
        if (node.connected && name != record_.holder.node)
            out.push_back(effect::PushHolderLost{name, view(now), gone});
}

}  // namespace umbra::gateway
