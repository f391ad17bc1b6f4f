// Compiled with -fno-access-control, as normal_form.cpp is.

#include "frozen.hpp"

#include "../simulation/hash.hpp"

#include <chrono>
#include <concepts>
#include <type_traits>

namespace umbra::exploration {

namespace {

class Writer {
public:
    static constexpr bool reads = false;
    std::string bytes;

    Writer() { bytes.reserve(2048); }
    void number(std::uint64_t& value) {
        auto left = value;
        for (; left >= 0x80; left >>= 7U) bytes.push_back(static_cast<char>(left | 0x80U));
        bytes.push_back(static_cast<char>(left));
    }
    void raw(char* data, std::size_t size) { bytes.append(data, size); }
    void flag(bool& value) { bytes.push_back(value ? 1 : 0); }
};

class Reader {
public:
    static constexpr bool reads = true;
    explicit Reader(std::string_view bytes) : left_(bytes) {}

    void number(std::uint64_t& value) {
        value = 0;
        for (unsigned shift = 0;; shift += 7) {
            const auto byte = static_cast<unsigned char>(left_.front());
            left_.remove_prefix(1);
            value |= std::uint64_t{byte & 0x7fU} << shift;
            if (byte < 0x80U) return;
        }
    }
    void flag(bool& value) {
        value = left_.front() != 0;
        left_.remove_prefix(1);
    }
    void raw(char* data, std::size_t size) {
        left_.copy(data, size);
        left_.remove_prefix(size);
    }

private:
    std::string_view left_;
};

// --- kinds of members ----------------------------------------------------------------------------

template <class A, class T>
requires std::is_integral_v<T> || std::is_enum_v<T>
void put(A& a, T& value) {
    auto number = static_cast<std::uint64_t>(value);
    a.number(number);
    value = static_cast<T>(number);
}

template <class A>
void put(A& a, Duration& value) {
    // Times are at or before the present as often as after it: the sign goes last.
    const auto count = value.count();
    auto number = static_cast<std::uint64_t>(count) << 1U ^ static_cast<std::uint64_t>(count >> 63);
    a.number(number);
    value = Duration{static_cast<Duration::rep>(number >> 1U ^ (~(number & 1U) + 1U))};
}

template <class A>
void put(A& a, Instant& value) {
    auto since = value - present;
    put(a, since);
    value = present + since;
}

template <class A>
void put(A& a, std::string& value) {
    auto size = static_cast<std::uint64_t>(value.size());
    a.number(size);
    value.resize(size);
    a.raw(value.data(), size);
}

template <class A>
void put(A& a, core::Hash& value) {
    bool there = value != core::Hash{};
    a.flag(there);
    if (there) a.raw(reinterpret_cast<char*>(value.data()), value.size());
}

template <class A, class T>
void put(A& a, std::optional<T>& value);
template <class A, class T, class U>
void put(A& a, std::pair<T, U>& value);
template <class A, class T, std::size_t n>
void put(A& a, std::array<T, n>& value);
template <class A, class T>
void put_list(A& a, T& list);
template <class A, class T>
void put_tree(A& a, T& tree);
template <class A, class T>
void put(A& a, std::vector<T>& list) {
    put_list(a, list);
}
template <class A, class T>
void put(A& a, std::deque<T>& list) {
    put_list(a, list);
}
template <class A, class K, class V>
void put(A& a, std::map<K, V>& map) {
    put_tree(a, map);
}
template <class A, class T>
void put(A& a, std::set<T>& set) {
    put_tree(a, set);
}

template <class A, class... T>
void all(A& a, T&... members) {
    (put(a, members), ...);
}

// --- what consists of others ---------------------------------------------------------------------

template <class A>
void put(A& a, Member& m) {
    all(a, m.node, m.incarnation);
}
template <class A>
void put(A& a, core::Revision& r) {
    all(a, r.epoch, r.seq);
}
template <class A>
void put(A& a, core::Position& p) {
    all(a, p.revision, p.hash);
}
template <class A>
void put(A& a, core::Logged& l) {
    all(a, l.position, l.body);
}
template <class A>
void put(A& a, core::Operation& o) {
    all(a, o.id, o.revision);
}
template <class A>
void put(A& a, core::Snapshot& s) {
    all(a, s.position, s.document, s.operations, s.marks);
}
template <class A>
void put(A& a, core::Pause& p) {
    all(a, p.on, p.stamp, p.until_ms);
}
template <class A>
void put(A& a, core::Persistent& p) {
    all(a, p.role, p.epoch, p.ha_enabled, p.connect, p.yielded, p.pause, p.unplanned);
}
template <class A>
void put(A& a, core::TakeoverPolicy& p) {
    all(a, p.on_tunnel_loss, p.grace_period, p.acknowledge_both, p.register_of_record);
}
template <class A>
void put(A& a, RegisterView& v) {
    all(a, v.known, v.epoch, v.holder, v.holder_alive, v.in_sync_seq, v.in_sync, v.holder_heard,
        v.store);
}
template <class A>
void put(A& a, core::wire::Timers& t) {
    all(a, t.check_interval, t.connect_timeout, t.request_timeout, t.takeover_delay);
}
template <class A>
void put(A& a, core::wire::Pong& p) {
    all(a, p.node, p.incarnation, p.version, p.role, p.epoch, p.serving, p.last, p.pause);
}
template <class A>
void put(A& a, core::SavedKey& k) {
    all(a, k.key, k.base, k.saved);
}
template <class A>
void put(A& a, core::SavedTable& t) {
    all(a, t.name, t.at_fork, t.saved);
}
template <class A>
void put(A& a, core::SavedOp& o) {
    all(a, o.op_id, o.keys);
}
template <class A>
void put(A& a, core::SavedEdits& e) {
    all(a, e.id, e.fork, e.fork_known, e.last, e.authors, e.keys, e.tables, e.ops);
}
template <class A>
void put(A& a, core::OpenDivergence::ByHand& b) {
    all(a, b.request, b.author, b.until);
}
template <class A>
void put(A& a, core::OpenDivergence& d) {
    all(a, d.edits, d.fates, d.revision, d.by_hand, d.next);
}
template <class A>
void put(A& a, core::Divergences& d) {
    put(a, d.list_);
}
template <class A>
void put(A& a, core::Damping& d) {
    put(a, d.recent_);
}
template <class A>
void put(A& a, core::PeerWatch& w) {
    all(a, w.check_interval_, w.next_, w.asked_, w.asked_at_, w.heard_, w.suspected_, w.refused_,
        w.rtt_, w.slowest_, w.cleared_);
}
template <class A>
void put(A& a, core::Log& l) {
    all(a, l.base_, l.base_document_, l.entries_, l.document_, l.ops_, l.marks_);
}
template <class A>
void put(A& a, core::Node::Tunnel& t) {
    all(a, t.fences, t.state, t.view, t.next_activate, t.activated, t.active_since,
        t.holder_unheard, t.follow_ask, t.follow_epoch, t.followed);
}
template <class A>
void put(A& a, core::Node::PendingClaim& c) {
    all(a, c.ask, c.tunnel, c.epoch, c.reason, c.why);
}
template <class A>
void put(A& a, core::Node::Grant& g) {
    all(a, g.epoch, g.persist_version, g.in_sync, g.why, g.by);
}
template <class A>
void put(A& a, core::Node::Session& s) {
    all(a, s.member, s.version, s.state, s.plugins, s.timers, s.acked, s.heard, s.rtt_us,
        s.can_serve, s.drifted);
}
template <class A>
void put(A& a, core::Node::PendingEdit& e) {
    all(a, e.request, e.revision, e.since, e.told_provisional, e.repeated);
}
template <class A>
void put(A& a, core::Node::InSyncAsk& s) {
    all(a, s.ask, s.members);
}
template <class A>
void put(A& a, core::Node::Handover& h) {
    all(a, h.stage, h.until, h.request, h.ask, h.why);
}
template <class A>
void put(A& a, core::Node::OfferKept& o) {
    all(a, o.before, o.until);
}
template <class A>
void put(A& a, core::Node::StoreOp& o) {
    all(a, o.op, o.after);
}

template <class A>
void put(A& a, core::Node& n) {
    all(a, n.policy_, n.persistent_, n.persist_version_, n.raised_at_start_, n.persisted_,
        n.disconnect_version_, n.wall_ms_, n.log_, n.durable_, n.storing_, n.last_op_,
        n.compacting_, n.now_, n.started_, n.last_ask_, n.alerts_, n.pong_);
    all(a, n.paired_, n.pairing_known_, n.watch_, n.peer_pong_, n.peer_node_, n.peer_version_,
        n.peer_plugins_, n.stopping_);
    all(a, n.tunnels_known_, n.tunnels_, n.claim_, n.grant_, n.next_claim_, n.serving_,
        n.arbitrated_, n.granted_by_, n.tunnels_lost_, n.lost_at_, n.peer_idle_since_,
        n.next_consent_, n.handover_, n.damping_, n.waking_, n.forced_, n.invited_until_,
        n.draining_, n.fenced_, n.refusal_explained_, n.standing_);
    all(a, n.session_, n.pending_, n.in_sync_, n.in_sync_ask_, n.in_sync_doubtful_, n.in_sync_seq_,
        n.next_in_sync_, n.next_beacon_, n.snapshot_bytes_, n.snapshot_position_, n.offered_,
        n.trouble_, n.divergences_);
    all(a, n.following_, n.follow_ask_, n.next_follow_, n.next_report_, n.follow_epoch_,
        n.follow_version_, n.reported_, n.common_seq_, n.peer_last_, n.snapshot_in_,
        n.snapshot_in_position_, n.snapshot_in_total_, n.told_committed_, n.drift_,
        n.in_sync_with_master_, n.was_in_sync_);
}

template <class A>
void put(A& a, Write& w) {
    all(a, w.kind, w.op, w.seq, w.entries, w.position, w.snapshot);
}
template <class A>
void put(A& a, Party::PeerAsk& p) {
    all(a, p.ask, p.ping, p.expired);
}
template <class A>
void put(A& a, Party::GateAsk& g) {
    all(a, g.kind, g.expired, g.ask, g.epoch);
}
template <class A>
void put(A& a, View& v) {
    all(a, v.epoch, v.holder, v.seq, v.members, v.alive);
}
template <class A>
void put(A& a, Party::Agent& g) {
    all(a, g.linked, g.up, g.view_known, g.confirmed, g.draining, g.silent, g.view, g.known,
        g.active, g.reported, g.asks);
}

template <class A>
void put(A& a, Party& p) {
    all(a, p.place, p.life, p.host_down, p.due, p.late, p.link_up, p.pong, p.heard, p.role,
        p.heard_role, p.asks, p.agent, p.durable, p.base, p.entries, p.persisting, p.storing);
    bool up = p.up();
    put(a, up);
    if constexpr (A::reads) {
        if (up) {
            p.node.emplace(settings_of(p.place), core::Persistent{},
                           core::Log(&simulation::quick_hash), present);
        }
    }
    if (up) put(a, *p.node);
}

// --- containers ----------------------------------------------------------------------------------

template <class A, class T>
void put(A& a, std::optional<T>& value) {
    bool there = value.has_value();
    put(a, there);
    if (there && !value) value.emplace();
    if (there) put(a, *value);
}

template <class A, class T, class U>
void put(A& a, std::pair<T, U>& value) {
    all(a, value.first, value.second);
}

template <class A, class T, std::size_t n>
void put(A& a, std::array<T, n>& value) {
    for (auto& one : value) put(a, one);
}

template <class A, class T>
void put_list(A& a, T& list) {
    auto size = static_cast<std::uint64_t>(list.size());
    a.number(size);
    list.resize(size);
    for (auto& one : list) put(a, one);
}

/// Maps and sets: what is in them cannot be changed in place.
template <class A, class T>
void put_tree(A& a, T& tree) {
    auto size = static_cast<std::uint64_t>(tree.size());
    a.number(size);
    if constexpr (A::reads) {
        tree.clear();
        for (; size != 0; --size) {
            if constexpr (requires { typename T::mapped_type; }) {
                std::pair<typename T::key_type, typename T::mapped_type> one;
                put(a, one);
                tree.insert(tree.end(), std::move(one));
            } else {
                typename T::key_type one;
                put(a, one);
                tree.insert(tree.end(), std::move(one));
            }
        }
    } else {
        for (const auto& one : tree) {
            if constexpr (requires { typename T::mapped_type; }) {
                put(a, const_cast<typename T::key_type&>(one.first));
                put(a, const_cast<typename T::mapped_type&>(one.second));
            } else {
                put(a, const_cast<typename T::key_type&>(one));
            }
        }
    }
}

}  // namespace

std::string freeze(const Party& party) {
    Writer writer;
    put(writer, const_cast<Party&>(party));  // A writer writes every value back as it was.
    return std::move(writer.bytes);
}

Party thaw(std::string_view bytes) {
    Party party;
    Reader reader(bytes);
    put(reader, party);
    return party;
}

}  // namespace umbra::exploration
