// Compiled with -fno-access-control, as normal_form.cpp is.

#include "frozen.hpp"

#include "../simulation/hash.hpp"
#include <umbra/core/bytes.hpp>

#include <chrono>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace umbra::exploration {

namespace {

/// The sign last: times are before the present as often as after it.
std::uint64_t zigzag(Duration time) {
    const auto count = time.count();
    return static_cast<std::uint64_t>(count) << 1U ^ static_cast<std::uint64_t>(count >> 63);
}
Duration unzigzag(std::uint64_t number) {
    return Duration{static_cast<Duration::rep>(number >> 1U ^ (~(number & 1U) + 1U))};
}

/// As the archives of `umbra/core/bytes.hpp`, with one `visit` per struct for both directions, but
/// small rather than plain, and for bytes that this program made: numbers take as many bytes as
/// they need, a hash that is not there takes one.
class Writer {
public:
    Writer() { out_.reserve(2048); }
    template <class... T>
    Writer& operator()(const T&... values) {
        (put(values), ...);
        return *this;
    }
    [[nodiscard]] std::string take() { return std::move(out_); }

private:
    void number(std::uint64_t left) {
        for (; left >= 0x80; left >>= 7U) out_.push_back(static_cast<char>(left | 0x80U));
        out_.push_back(static_cast<char>(left));
    }
    template <class T>
    void put(const T& value) {
        if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
            number(static_cast<std::uint64_t>(value));
        } else {
            // The fields are only read; one `visit` serves reader and writer.
            visit(*this, const_cast<T&>(value));
        }
    }
    void put(const Duration& value) { number(zigzag(value)); }
    void put(const Instant& value) { number(zigzag(value - present)); }
    void put(const std::string& text) {
        number(text.size());
        out_ += text;
    }
    void put(const core::Hash& hash) {
        const bool there = hash != core::Hash{};
        put(there);
        if (!there) return;
        for (const std::byte byte : hash) out_.push_back(std::to_integer<char>(byte));
    }
    template <class T>
    void put(const std::optional<T>& value) {
        put(value.has_value());
        if (value) put(*value);
    }
    template <class T, class U>
    void put(const std::pair<T, U>& value) {
        put(value.first);
        put(value.second);
    }
    template <class T, std::size_t n>
    void put(const std::array<T, n>& value) {
        for (const auto& one : value) put(one);
    }
    template <class T>
    void put(const std::vector<T>& list) {
        put_all(list);
    }
    template <class T>
    void put(const std::deque<T>& list) {
        put_all(list);
    }
    template <class K, class V>
    void put(const std::map<K, V>& map) {
        put_all(map);
    }
    template <class T>
    void put(const std::set<T>& set) {
        put_all(set);
    }
    template <class T>
    void put_all(const T& container) {
        number(container.size());
        for (const auto& one : container) put(one);
    }

    std::string out_;
};

/// Reads what `Writer` wrote, whatever was there before.
class Reader {
public:
    explicit Reader(std::string_view in) : in_(in) {}
    template <class... T>
    Reader& operator()(T&... values) {
        (get(values), ...);
        return *this;
    }

private:
    unsigned char byte() {
        const auto first = static_cast<unsigned char>(in_.front());
        in_.remove_prefix(1);
        return first;
    }
    std::uint64_t number() {
        std::uint64_t value = 0;
        for (unsigned shift = 0;; shift += 7) {
            const auto next = byte();
            value |= std::uint64_t{next & 0x7fU} << shift;
            if (next < 0x80U) return value;
        }
    }
    template <class T>
    void get(T& value) {
        if constexpr (std::is_integral_v<T> || std::is_enum_v<T>) {
            value = static_cast<T>(number());
        } else {
            visit(*this, value);
        }
    }
    void get(Duration& value) { value = unzigzag(number()); }
    void get(Instant& value) { value = present + unzigzag(number()); }
    void get(std::string& text) {
        const auto size = static_cast<std::size_t>(number());
        text = in_.substr(0, size);
        in_.remove_prefix(size);
    }
    void get(core::Hash& hash) {
        hash = {};
        if (number() == 0) return;
        for (auto& one : hash) one = std::byte{byte()};
    }
    template <class T>
    void get(std::optional<T>& value) {
        value.reset();
        if (number() != 0) get(value.emplace());
    }
    template <class T, class U>
    void get(std::pair<T, U>& value) {
        get(value.first);
        get(value.second);
    }
    template <class T, std::size_t n>
    void get(std::array<T, n>& value) {
        for (auto& one : value) get(one);
    }
    template <class T>
    void get(std::vector<T>& list) {
        get_list(list);
    }
    template <class T>
    void get(std::deque<T>& list) {
        get_list(list);
    }
    template <class K, class V>
    void get(std::map<K, V>& map) {
        get_sorted<std::pair<K, V>>(map);
    }
    template <class T>
    void get(std::set<T>& set) {
        get_sorted<T>(set);
    }
    template <class T>
    void get_list(T& list) {
        list.clear();
        for (auto left = number(); left != 0; --left) get(list.emplace_back());
    }
    template <class T, class Tree>
    void get_sorted(Tree& tree) {
        tree.clear();
        for (auto left = number(); left != 0; --left) {
            T one{};
            get(one);
            tree.insert(tree.end(), std::move(one));
        }
    }

    std::string_view in_;
};

// --- what consists of others ---------------------------------------------------------------------

template <class A>
void visit(A& a, Member& m) {
    a(m.node, m.incarnation);
}
template <class A>
void visit(A& a, core::Logged& l) {
    a(l.position, l.body);
}
template <class A>
void visit(A& a, core::Operation& o) {
    a(o.id, o.revision);
}
/// The table follows from the list.
template <class A>
void visit(A& a, core::Operations& o) {
    if constexpr (std::is_same_v<A, Reader>) {
        std::deque<core::Operation> list;
        a(list);
        o.clear();
        for (const auto& operation : list) o.add(operation.id, operation.revision);
    } else {
        a(o.list_);
    }
}
template <class A>
void visit(A& a, core::Snapshot& s) {
    a(s.position, s.document, s.operations, s.marks);
}
template <class A>
void visit(A& a, core::Pause& p) {
    a(p.on, p.stamp, p.until_ms);
}
template <class A>
void visit(A& a, core::Persistent& p) {
    a(p.role, p.epoch, p.ha_enabled, p.connect, p.yielded, p.pause, p.unplanned);
}
template <class A>
void visit(A& a, core::TakeoverPolicy& p) {
    a(p.on_tunnel_loss, p.grace_period, p.acknowledge_both, p.register_of_record);
}
template <class A>
void visit(A& a, RegisterView& v) {
    a(v.known, v.epoch, v.holder, v.holder_alive, v.in_sync_seq, v.in_sync, v.holder_heard,
      v.store);
}
template <class A>
void visit(A& a, core::wire::Timers& t) {
    a(t.check_interval, t.connect_timeout, t.request_timeout, t.takeover_delay);
}
template <class A>
void visit(A& a, core::wire::Pong& p) {
    a(p.node, p.incarnation, p.version, p.role, p.epoch, p.serving, p.last, p.pause);
}
template <class A>
void visit(A& a, core::SavedKey& k) {
    a(k.key, k.base, k.saved);
}
template <class A>
void visit(A& a, core::SavedTable& t) {
    a(t.name, t.at_fork, t.saved);
}
template <class A>
void visit(A& a, core::SavedOp& o) {
    a(o.op_id, o.keys);
}
template <class A>
void visit(A& a, core::SavedEdits& e) {
    a(e.id, e.fork, e.fork_known, e.last, e.authors, e.keys, e.tables, e.ops);
}
template <class A>
void visit(A& a, core::OpenDivergence::ByHand& b) {
    a(b.request, b.author, b.until);
}
template <class A>
void visit(A& a, core::OpenDivergence& d) {
    a(d.edits, d.fates, d.revision, d.by_hand, d.next);
}
template <class A>
void visit(A& a, core::Divergences& d) {
    a(d.list_);
}
template <class A>
void visit(A& a, core::Damping& d) {
    a(d.recent_);
}
template <class A>
void visit(A& a, core::PeerWatch& w) {
    a(w.check_interval_, w.next_, w.asked_, w.asked_at_, w.heard_, w.suspected_, w.refused_, w.rtt_,
      w.slowest_, w.cleared_);
}
template <class A>
void visit(A& a, core::Log& l) {
    a(l.base_, l.base_document_, l.entries_, l.document_, l.operations_, l.marks_);
}
template <class A>
void visit(A& a, core::Node::Tunnel& t) {
    a(t.fences, t.state, t.view, t.next_activate, t.activated, t.active_since, t.holder_unheard,
      t.follow_ask, t.follow_epoch, t.followed);
}
template <class A>
void visit(A& a, core::Node::PendingClaim& c) {
    a(c.ask, c.tunnel, c.epoch, c.reason, c.why);
}
template <class A>
void visit(A& a, core::Node::Grant& g) {
    a(g.epoch, g.persist_version, g.in_sync, g.why, g.by);
}
template <class A>
void visit(A& a, core::Node::Session& s) {
    a(s.member, s.version, s.state, s.plugins, s.timers, s.acked, s.heard, s.rtt_us, s.can_serve,
      s.drifted);
}
template <class A>
void visit(A& a, core::Node::PendingEdit& e) {
    a(e.request, e.revision, e.since, e.told_provisional, e.repeated);
}
template <class A>
void visit(A& a, core::Node::InSyncAsk& s) {
    a(s.ask, s.members);
}
template <class A>
void visit(A& a, core::Node::Handover& h) {
    a(h.stage, h.until, h.request, h.ask, h.why);
}
template <class A>
void visit(A& a, core::Node::OfferKept& o) {
    a(o.before, o.until);
}
template <class A>
void visit(A& a, core::Node::StoreOp& o) {
    a(o.op, o.after);
}

template <class A>
void visit(A& a, core::Node& n) {
    a(n.policy_, n.persistent_, n.persist_version_, n.raised_at_start_, n.persisted_,
      n.disconnect_version_, n.wall_ms_, n.log_, n.durable_, n.storing_, n.last_op_, n.compacting_,
      n.now_, n.started_, n.last_ask_, n.alerts_, n.pong_);
    a(n.paired_, n.pairing_known_, n.watch_, n.peer_pong_, n.peer_node_, n.peer_version_,
      n.peer_plugins_, n.stopping_);
    a(n.tunnels_known_, n.tunnels_, n.claim_, n.grant_, n.next_claim_, n.serving_, n.arbitrated_,
      n.granted_by_, n.tunnels_lost_, n.lost_at_, n.peer_idle_since_, n.next_consent_, n.handover_,
      n.damping_, n.waking_, n.forced_, n.invited_until_, n.draining_, n.fenced_,
      n.refusal_explained_, n.standing_);
    a(n.session_, n.pending_, n.in_sync_, n.in_sync_ask_, n.in_sync_doubtful_, n.in_sync_seq_,
      n.next_in_sync_, n.next_beacon_, n.snapshot_bytes_, n.snapshot_position_, n.offered_,
      n.trouble_, n.divergences_);
    a(n.following_, n.follow_ask_, n.next_follow_, n.next_report_, n.follow_epoch_,
      n.follow_version_, n.reported_, n.common_seq_, n.peer_last_, n.snapshot_in_,
      n.snapshot_in_position_, n.snapshot_in_total_, n.told_committed_, n.drift_,
      n.in_sync_with_master_, n.was_in_sync_);
}

template <class A>
void visit(A& a, Write& w) {
    a(w.kind, w.op, w.seq, w.entries, w.position, w.snapshot);
}
template <class A>
void visit(A& a, Party::PeerAsk& p) {
    a(p.ask, p.ping, p.expired);
}
template <class A>
void visit(A& a, Party::GateAsk& g) {
    a(g.kind, g.expired, g.ask, g.epoch);
}
template <class A>
void visit(A& a, View& v) {
    a(v.epoch, v.holder, v.seq, v.members, v.alive);
}
template <class A>
void visit(A& a, Party::Agent& g) {
    a(g.linked, g.up, g.view_known, g.confirmed, g.draining, g.silent, g.view, g.known, g.active,
      g.reported, g.asks);
}

template <class A>
void visit(A& a, Party& p) {
    a(p.place, p.life, p.host_down, p.due, p.late, p.link_up, p.pong, p.heard, p.role, p.heard_role,
      p.asks, p.agent, p.durable, p.base, p.entries, p.persisting, p.storing);
    bool up = p.up();
    a(up);
    // A node has no default: it is made with its settings.
    if (up && !p.node) {
        p.node.emplace(settings_of(p.place), core::Persistent{}, core::Log(&simulation::quick_hash),
                       present);
    }
    if (up) a(*p.node);
}

}  // namespace

std::string freeze(const Party& party) { return Writer{}(party).take(); }

Party thaw(std::string_view bytes) {
    Party party;
    Reader{bytes}(party);
    return party;
}

}  // namespace umbra::exploration
