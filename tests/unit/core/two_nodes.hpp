#pragma once

#include "simulation/hash.hpp"
#include <umbra/core/node.hpp>

#include <array>
#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace umbra::core {

/// Two nodes without a gateway, the link between them, and what the shell of each would keep on
/// disk. Disks are immediate; the link delivers in order, or loses everything while it is cut.
class TwoNodes {
public:
    /// As the shell keeps it in a file under divergence/.
    struct Kept {
        SavedEdits edits;
        std::vector<Fate> fates;
        Revision revision;
        bool open = true;
    };
    static constexpr Duration round_length{std::chrono::milliseconds{100}};

    /// @param compaction  Of both.
    explicit TwoNodes(CompactionPolicy compaction = {}) : compaction_(compaction) {
        for (std::size_t i = 0; i < 2; ++i) {
            Persistent first;
            first.role = i == 0 ? Role::master : Role::shadow;
            first.ha_enabled = true;
            sides_[i].node = make(i, first, Log{&simulation::quick_hash});
            start(i);
        }
    }

    [[nodiscard]] Node& node(std::size_t i) { return *sides_[i].node; }
    [[nodiscard]] std::map<std::string, Kept>& kept(std::size_t i) { return sides_[i].kept; }
    /// Operation ids of what was cut anywhere, and saved first.
    [[nodiscard]] const std::set<std::string>& saved_ops() const { return saved_ops_; }
    /// The last reply to each request.
    [[nodiscard]] const std::map<RequestId, effect::Reply>& replies() const { return replies_; }
    [[nodiscard]] unsigned compactions() const { return compactions_; }
    [[nodiscard]] unsigned snapshots() const { return snapshots_; }
    [[nodiscard]] bool alerted(std::size_t i, const std::string& id) const {
        return sides_[i].alerts.contains(id);
    }

    /// While held, nothing that this side writes becomes durable.
    void hold_disk(std::size_t i, bool hold) {
        sides_[i].held = hold;
        if (hold) return;
        for (const auto op : std::exchange(sides_[i].writing, {})) tell(i, fact::Stored{op});
    }
    void cut() {
        cut_ = true;
        lose();
    }
    void heal() { cut_ = false; }
    /// The process of this side ends and starts again.
    void restart(std::size_t i) { restart(i, node(i).log()); }
    /// @param log  What it finds on its disk.
    void restart(std::size_t i, Log log) {
        const Persistent persistent = node(i).persistent();
        sides_[i].node.reset();
        sides_[i].alerts.clear();
        lose();
        sides_[i].node = make(i, persistent, std::move(log));
        start(i);
    }
    void tell(std::size_t i, const Fact& fact) {
        std::deque<Fact> facts{fact};
        while (!facts.empty()) {
            const Fact next = std::move(facts.front());
            facts.pop_front();
            for (auto& effect : node(i).step(now_, next)) take(i, effect, facts);
        }
    }
    /// Time passes for both; @param messages  at most so many are delivered, the rest stays on its
    /// way.
    void round(std::size_t messages = 1000) {
        now_ += round_length;
        wall_ms_ += 100;
        for (std::size_t i = 0; i < 2; ++i) tell(i, fact::Ticked{wall_ms_});
        for (; messages != 0 && !link_.empty(); --messages) deliver();
    }
    /// The revision of the edit, or what refused it.
    effect::Reply edit(std::size_t i, std::vector<Change> changes, const std::string& op_id) {
        Entry entry;
        entry.op_id = op_id;
        entry.author = node(i).settings().node;
        entry.changes = std::move(changes);
        const RequestId request = ++last_request_;
        tell(i, fact::EditRequested{request, std::move(entry), std::nullopt});
        const auto found = replies_.find(request);
        return found == replies_.end() ? effect::Reply{request, Verdict::provisional, {}, {}}
                                       : found->second;
    }
    effect::Reply take_over(std::size_t i) {
        tell(i, fact::SwitchRequested{++last_request_, true});
        return replies_[last_request_];
    }
    RequestId merge_by_hand(std::size_t i, const std::string& id) {
        tell(i, fact::DivergenceMergeRequested{++last_request_, id, "ann"});
        return last_request_;
    }
    /// One master that serves, one shadow that follows it, equal logs, nothing left to merge.
    [[nodiscard]] bool is_settled() {
        const std::size_t m = node(0).role() == Role::master ? 0 : 1;
        const Node& master = node(m);
        const Node& shadow = node(1 - m);
        if (master.role() == shadow.role() || master.serving() == 0) return false;
        if (shadow.state() != State::ready || master.log().last() != shadow.log().last()) {
            return false;
        }
        for (const auto& side : sides_) {
            for (const auto& [id, one] : side.kept) {
                if (one.open && one.fates.empty()) return false;
            }
        }
        return link_.empty();
    }
    [[nodiscard]] bool settle(int rounds_max = 200) {
        for (int i = 0; i < rounds_max && !is_settled(); ++i) round();
        return is_settled();
    }
    [[nodiscard]] std::size_t master() { return node(0).role() == Role::master ? 0 : 1; }

private:
    struct Side {
        std::optional<Node> node;
        std::map<std::string, Kept> kept;
        std::set<std::string> alerts;
        std::string pong;
        bool held = false;
        std::vector<std::uint64_t> writing;
    };
    struct Message {
        enum class Kind { ask, answer, publish, ping } kind;
        std::size_t from;
        std::uint64_t id;
        std::string bytes;
    };

    Node make(std::size_t i, const Persistent& persistent, Log log) const {
        Settings settings;
        settings.node = i == 0 ? "alpha" : "beta";
        settings.incarnation = settings.node + "-disk";
        settings.version = "1";
        settings.compaction = compaction_;
        return Node{settings, persistent, std::move(log), now_};
    }
    void start(std::size_t i) {
        tell(i, fact::TunnelsConfigured{});
        tell(i, fact::Paired{true});
        for (const auto& [id, one] : std::map{sides_[i].kept}) {
            if (one.open) tell(i, fact::DivergenceLoaded{one.edits, one.fates, one.revision});
        }
    }
    void save(std::size_t i, const std::vector<Logged>& saved, const SavedEdits& edits) {
        if (edits.id.empty()) return;
        sides_[i].kept.insert_or_assign(edits.id, Kept{edits, {}, {}, true});
        for (const auto& logged : saved) saved_ops_.insert(decode_entry(logged.body)->op_id);
        for (const auto& op : edits.ops) {
            std::istringstream lines{op.op_id};
            for (std::string id; std::getline(lines, id);) saved_ops_.insert(id);
        }
    }
    /// What is under way is lost, and whoever waits for it hears so.
    void lose() {
        for (auto& message : std::exchange(link_, {})) fail(message);
    }
    void fail(const Message& message) {
        const bool answer = message.kind == Message::Kind::answer;
        const std::size_t waiting = answer ? 1 - message.from : message.from;
        if (!sides_[waiting].node || message.kind == Message::Kind::publish) return;
        if (message.kind == Message::Kind::ping) {
            tell(waiting, fact::PingFailed{message.id});
        } else {
            tell(waiting, fact::PeerDidNotAnswer{message.id});
        }
    }
    void send(Message message) { link_.push_back(std::move(message)); }
    void deliver() {
        const Message message = std::move(link_.front());
        link_.pop_front();
        if (cut_) return fail(message);
        const std::size_t to = 1 - message.from;
        switch (message.kind) {
            case Message::Kind::ask:
                return tell(to, fact::PeerAsked{message.id, message.bytes});
            case Message::Kind::answer:
                return tell(to, fact::PeerAnswered{message.id, message.bytes});
            case Message::Kind::publish:
                return tell(to, fact::PeerPublished{message.bytes});
            case Message::Kind::ping:
                return tell(message.from, fact::Ponged{message.id, sides_[to].pong, Duration{},
                                                       std::chrono::milliseconds{1}});
        }
    }
    void store(std::size_t i, std::uint64_t op, std::deque<Fact>& facts) {
        if (sides_[i].held) {
            sides_[i].writing.push_back(op);
        } else {
            facts.emplace_back(fact::Stored{op});
        }
    }
    void take(std::size_t i, const Effect& one, std::deque<Fact>& facts) {
        using Kind = Message::Kind;
        if (const auto* persist = std::get_if<effect::Persist>(&one)) {
            facts.emplace_back(fact::Persisted{persist->version});
        } else if (const auto* append = std::get_if<effect::Append>(&one)) {
            store(i, append->op, facts);
        } else if (const auto* truncate = std::get_if<effect::Truncate>(&one)) {
            save(i, truncate->saved, truncate->edits);
            store(i, truncate->op, facts);
        } else if (const auto* install = std::get_if<effect::Install>(&one)) {
            ++snapshots_;
            save(i, install->saved, install->edits);
            store(i, install->op, facts);
        } else if (const auto* compact = std::get_if<effect::Compact>(&one)) {
            ++compactions_;
            store(i, compact->op, facts);
        } else if (const auto* settle = std::get_if<effect::SettleDivergence>(&one)) {
            auto& kept_one = sides_[i].kept[settle->id];
            kept_one = {kept_one.edits, settle->fates, settle->revision, !settle->resolved};
        } else if (const auto* ping = std::get_if<effect::Ping>(&one)) {
            send({Kind::ping, i, ping->ask, {}});
        } else if (const auto* ask = std::get_if<effect::AskPeer>(&one)) {
            send({Kind::ask, i, ask->ask, ask->bytes});
        } else if (const auto* answer = std::get_if<effect::AnswerPeer>(&one)) {
            send({Kind::answer, i, answer->id, answer->bytes});
        } else if (const auto* publish = std::get_if<effect::Publish>(&one)) {
            send({Kind::publish, i, 0, publish->bytes});
        } else if (const auto* pong = std::get_if<effect::SetPong>(&one)) {
            sides_[i].pong = pong->bytes;
        } else if (const auto* reply = std::get_if<effect::Reply>(&one)) {
            replies_.insert_or_assign(reply->request, *reply);
        } else if (const auto* alert = std::get_if<effect::RaiseAlert>(&one)) {
            sides_[i].alerts.insert(alert->id);
        } else if (const auto* clear = std::get_if<effect::ClearAlert>(&one)) {
            sides_[i].alerts.erase(clear->id);
        }
    }

    CompactionPolicy compaction_;
    unsigned compactions_ = 0, snapshots_ = 0;
    std::array<Side, 2> sides_;
    std::deque<Message> link_;
    bool cut_ = false;
    Instant now_{std::chrono::hours{1}};
    std::int64_t wall_ms_ = 1'700'000'000'000;
    RequestId last_request_ = 0;
    std::map<RequestId, effect::Reply> replies_;
    std::set<std::string> saved_ops_;
};

}  // namespace umbra::core
