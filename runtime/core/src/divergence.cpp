// Edits of the losing side of a partition: kept, offered to the master, merged there, settled.

#include <umbra/core/divergence.hpp>
#include <umbra/core/node.hpp>

#include <algorithm>
#include <utility>

namespace umbra::core {

namespace {

using namespace std::chrono_literals;

/// Pause before a master that could not merge is asked again.
constexpr Duration offer_retry{1s};
/// How long an operator waits for what the master says.
constexpr Duration by_hand_limit{5s};
/// Longer ids than this node makes are nobody's.
constexpr std::size_t id_bytes_max = 128;

}  // namespace

std::size_t OpenDivergence::conflicts() const {
    return static_cast<std::size_t>(std::count_if(fates.begin(), fates.end(), is_conflict));
}

SavedEdits OpenDivergence::wanted() const {
    if (!by_hand || fates.empty()) return edits;
    SavedEdits part = edits;
    part.keys.clear();
    for (std::size_t i = 0; i < edits.keys.size(); ++i) {
        if (is_conflict(fates[i])) part.keys.push_back(edits.keys[i]);
    }
    return part;
}

bool OpenDivergence::decide(const std::vector<Fate>& decided) {
    if (decided.size() != wanted().keys.size()) return false;
    if (!by_hand || fates.empty()) {
        fates = decided;
        return true;
    }
    auto latest = decided.begin();
    for (auto& fate : fates) {
        if (is_conflict(fate)) fate = *latest++;
    }
    return true;
}

std::string merge_op_id(const std::string& divergence, bool by_hand) {
    return "divergence-" + divergence + (by_hand ? "-by-hand" : "");
}

bool Divergences::add(OpenDivergence divergence) {
    if (find(divergence.edits.id) != nullptr) return true;
    if (list_.size() >= open_max) return false;
    list_.push_back(std::move(divergence));
    return true;
}

void Divergences::remove(const std::string& id) {
    std::erase_if(list_, [&](const OpenDivergence& d) { return d.edits.id == id; });
}

OpenDivergence* Divergences::find(const std::string& id) {
    const auto found = std::find_if(list_.begin(), list_.end(),
                                    [&](const OpenDivergence& d) { return d.edits.id == id; });
    return found == list_.end() ? nullptr : &*found;
}

OpenDivergence* Divergences::due(Instant now) {
    const auto found = std::find_if(list_.begin(), list_.end(), [&](const OpenDivergence& d) {
        return d.pending() && d.next <= now;
    });
    return found == list_.end() ? nullptr : &*found;
}

// --- what is kept
// -----------------------------------------------------------------------------------

void Node::keep_divergence(SavedEdits edits) {
    OpenDivergence divergence;
    divergence.edits = std::move(edits);
    divergences_.add(std::move(divergence));
}

void Node::on(const fact::DivergenceLoaded& fact) {
    OpenDivergence divergence;
    divergence.edits = fact.edits;
    if (fact.fates.size() == fact.edits.keys.size()) divergence.fates = fact.fates;
    divergence.revision = fact.revision;
    divergences_.add(std::move(divergence));
}

void Node::on(const fact::DivergenceDropped& fact) {
    if (auto* divergence = divergences_.find(fact.id)) {
        fail_by_hand(*divergence, Verdict::refused, "divergence " + fact.id + " was dropped");
        divergences_.remove(fact.id);
    }
    note("divergence " + fact.id + " was dropped by an operator");
}

void Node::on(const fact::DivergenceMergeRequested& fact) {
    auto* divergence = divergences_.find(fact.id);
    if (divergence == nullptr) {
        reply(fact.request, Verdict::refused, "divergence " + fact.id + " is resolved already");
        return;
    }
    if (divergence->by_hand) {
        reply(fact.request, Verdict::refused, "divergence " + fact.id + " is being merged");
        return;
    }
    if (role() == Role::shadow && following_ != Following::following) {
        reply(fact.request, Verdict::refused,
              settings_.node + " is a shadow without connection to the master " + peer_name() +
                  ", which has to make this edit; try again when it follows");
        return;
    }
    if (const auto obstacle = edit_obstacle(); obstacle && role() == Role::master) {
        reply(fact.request, Verdict::refused, *obstacle);
        return;
    }
    divergence->by_hand = OpenDivergence::ByHand{fact.request, fact.author, now_ + by_hand_limit};
    divergence->next = now_;
}

void Node::fail_by_hand(OpenDivergence& divergence, Verdict verdict, std::string text) {
    if (!divergence.by_hand) return;
    reply(divergence.by_hand->request, verdict, std::move(text));
    divergence.by_hand.reset();
}

/// Called when the merge is durable here.
void Node::settle(OpenDivergence& divergence, const std::vector<Fate>& fates, Revision revision) {
    if (!divergence.decide(fates)) {
        divergence.next = now_ + offer_retry;
        return;
    }
    const auto by_hand = std::exchange(divergence.by_hand, std::nullopt);
    if (revision != Revision{}) divergence.revision = revision;
    const bool resolved = by_hand || divergence.conflicts() == 0;
    const auto& id = divergence.edits.id;
    emit(effect::SettleDivergence{id, divergence.fates, divergence.revision, resolved,
                                  by_hand.has_value()});
    std::string text = "divergence " + id;
    text += revision == Revision{} ? " changes nothing"
                                   : " is merged as revision " + to_string(revision);
    if (!resolved) text += "; " + std::to_string(divergence.conflicts()) + " keys conflict";
    note(text);
    if (by_hand) reply(by_hand->request, Verdict::done, text, revision);
    if (resolved) divergences_.remove(std::string{id});
}

void Node::show_divergences() {
    std::size_t waiting = 0;
    std::size_t conflicts = 0;
    const OpenDivergence* first = nullptr;
    for (auto& divergence : divergences_.list()) {
        if (divergence.by_hand && now_ >= divergence.by_hand->until) {
            fail_by_hand(divergence, Verdict::failed,
                         "the master did not answer in time; see `umbra config divergence show " +
                             divergence.edits.id + "` for what came of it");
        }
        if (divergence.fates.empty()) ++waiting;
        const auto count = divergence.conflicts();
        conflicts += count;
        if (count != 0 && first == nullptr) first = &divergence;
    }
    if (conflicts != 0) {
        alert("divergence", true,
              std::to_string(conflicts) + (conflicts == 1 ? " key that was" : " keys that were") +
                  " edited on both sides of a partition wait for a decision; see `umbra config "
                  "divergence show " +
                  first->edits.id + "`");
    } else if (waiting != 0) {
        alert("divergence", false,
              "edits of this instance that the master does not have were saved under divergence/ "
              "and are offered to the master");
    } else {
        clear_alert("divergence");
    }
}

// --- on the shadow
// ----------------------------------------------------------------------------------

bool Node::offer_divergence() {
    if (durable_ != log_.last()) return false;
    auto* divergence = divergences_.due(now_);
    if (divergence == nullptr) return false;
    divergence->next = now_ + offer_retry;
    wire::Offer offer{settings_.node, divergence->wanted(), divergence->by_hand.has_value(),
                      divergence->by_hand ? divergence->by_hand->author : ""};
    const wire::Message message{std::move(offer)};
    if (wire::encode(message).size() <= wire::message_bytes_max) {
        follow_ask_ = ask_peer(message);
        return true;
    }
    fail_by_hand(*divergence, Verdict::refused,
                 "what was saved is too large for one message; apply it on the master " +
                     peer_name() + " from the file under divergence/");
    if (divergence->fates.empty()) {
        settle(*divergence, std::vector<Fate>(divergence->edits.keys.size(), Fate::conflict), {});
    }
    return false;
}

void Node::on_reply(const wire::OfferReply& answer) {
    auto* divergence = divergences_.find(answer.id);
    if (divergence == nullptr || !divergence->pending()) return;
    if (!answer.accepted) {
        fail_by_hand(*divergence, answer.final ? Verdict::failed : Verdict::refused, answer.reason);
        return;
    }
    // Forgotten only when it is safe on both.
    const bool safe = answer.durable && durable_.revision.seq >= answer.revision.seq;
    if (safe) {
        settle(*divergence, answer.fates, answer.revision);
    } else {
        divergence->next = now_ + follow_retry;
    }
}

// --- on the master
// ----------------------------------------------------------------------------------

Node::Merged Node::merge_saved(const SavedEdits& edits, const std::string& node, bool by_hand,
                               const std::string& author) {
    Merged merged;
    merged.fates.assign(edits.keys.size(), Fate::equal);
    // The fork was healed in favour of what was saved: all of it is in this log.
    if (log_.contains(edits.last)) return merged;
    const auto op_id = merge_op_id(edits.id, by_hand);
    const auto known = log_.find_op(op_id);
    std::optional<Document> then;
    if (known) then = log_.document_at(known->seq - 1);
    const Document& ours = then ? *then : log_.document();
    SavedEdits asked = edits;
    // A fork that is not in this log, or no longer, says nothing about who changed what.
    if (!log_.contains(edits.fork)) asked.fork_known = false;
    if (by_hand) {
        // These keys and no others, whatever became of their tables.
        asked.tables.clear();
    } else {
        leave_known_out(asked, ours, [&](const std::string& op) {
            const auto revision = log_.find_op(op);
            return revision && (!known || revision->seq < known->seq);
        });
    }
    const auto lines = merge(asked, ours, by_hand ? Judge{} : judge_.judge);
    Entry entry;
    entry.changes = changes_of(lines, by_hand);
    for (std::size_t i = 0; i < merged.fates.size(); ++i) {
        const bool forced = by_hand && lines[i].fate != Fate::equal;
        merged.fates[i] = forced ? Fate::merged : lines[i].fate;
    }
    if (known) {
        merged.revision = *known;
        return merged;
    }
    if (entry.changes.empty()) return merged;
    if (by_hand && judge_.judge) {
        Document result = ours;
        core::apply(result, entry.changes);
        merged.problem = judge_.judge(result);
        if (merged.problem) return merged;
    }
    entry.op_id = op_id;
    // Whoever asks for one of these again, because the answer was lost, gets this revision.
    if (by_hand) {
        for (const auto& op : asked.ops) entry.op_id += "\n" + op.op_id;
    } else {
        for (const auto& op : ids_in_merge(asked, lines)) entry.op_id += "\n" + op;
    }
    entry.author = by_hand ? author : "umbra";
    entry.message = "merge of divergence " + edits.id + " of " + node +
                    (edits.authors.empty() ? "" : ", edits by " + edits.authors);
    entry.time_ms = wall_ms_;
    if (auto obstacle = size_obstacle(entry)) {
        if (by_hand) {
            merged.problem = std::move(obstacle);
            return merged;
        }
        for (auto& fate : merged.fates) {
            if (is_taken(fate)) fate = Fate::conflict;
        }
        return merged;
    }
    merged.revision = append(std::move(entry));
    note("merged divergence " + edits.id + " of " + node + " as revision " +
         to_string(merged.revision));
    return merged;
}

wire::OfferReply Node::answer(const wire::Offer& offer) {
    wire::OfferReply r;
    r.id = offer.edits.id;
    if (role() != Role::master) {
        r.reason = settings_.node + " is not the master";
        return r;
    }
    auto obstacle = edit_obstacle();
    if (!session_ || session_->member.node != offer.node) {
        obstacle = offer.node + " is not the shadow of " + settings_.node;
    }
    if (obstacle) {
        r.reason = *obstacle;
        return r;
    }
    if (offer.edits.id.size() > id_bytes_max) {
        r.final = true;
        r.reason = "this is no divergence";
        return r;
    }
    auto merged = merge_saved(offer.edits, offer.node, offer.by_hand, offer.author);
    if (merged.problem) {
        r.final = true;
        r.reason = "the configuration would not be valid: " + *merged.problem;
        return r;
    }
    keep_for_offer(merged.revision);
    r.accepted = true;
    r.revision = merged.revision;
    r.durable = durable_.revision.seq >= merged.revision.seq;
    r.fates = std::move(merged.fates);
    return r;
}

/// A node that saved edits and is the master itself by now needs nobody for merging them.
void Node::merge_own_divergences() {
    if (edit_obstacle()) return;
    auto* divergence = divergences_.due(now_);
    if (divergence == nullptr) return;
    const bool by_hand = divergence->by_hand.has_value();
    auto merged = merge_saved(divergence->wanted(), settings_.node, by_hand,
                              by_hand ? divergence->by_hand->author : "");
    if (merged.problem) {
        fail_by_hand(*divergence, Verdict::failed,
                     "the configuration would not be valid: " + *merged.problem);
        return;
    }
    if (durable_.revision.seq < merged.revision.seq) {
        divergence->next = now_ + follow_retry;
        return;
    }
    settle(*divergence, merged.fates, merged.revision);
}

}  // namespace umbra::core
