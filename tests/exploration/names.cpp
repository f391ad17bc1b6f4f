// Compiled with -fno-access-control, as normal_form.cpp is.

#include "names.hpp"

#include <umbra/core/log.hpp>

#include <algorithm>
#include <type_traits>

namespace umbra::exploration {

namespace {

namespace wire = core::wire;

// --- where the numbers are -----------------------------------------------------------------------

template <class V>
void walk(View& view, V& v) {
    v.epoch(view.epoch);
    v.seq(view.seq);
}

template <class V>
void walk(Letter& letter, std::uint8_t place, V& v) {
    if (letter.kind == Letter::Kind::hello) {
        v.life(place, letter.ask);
        v.report(letter.view.epoch);
    } else {
        walk(letter.view, v);
    }
}

template <class V>
void walk_bodies(const std::vector<std::string>& bodies, V& v) {
    for (const auto& body : bodies) {
        if (const auto entry = core::decode_entry(body)) v.logged(entry->revision);
    }
}

template <class V>
void walk(wire::Message& message, V& v) {
    std::visit(
        [&](auto& m) {
            using M = std::decay_t<decltype(m)>;
            if constexpr (requires { m.epoch; }) v.epoch(m.epoch);
            if constexpr (requires { m.last.revision; }) v.logged(m.last.revision);
            if constexpr (requires { m.bodies; }) walk_bodies(m.bodies, v);
            if constexpr (std::is_same_v<M, wire::Hello>) {
                for (const auto& place : m.boundaries) v.logged(place.revision);
            } else if constexpr (std::is_same_v<M, wire::SnapshotReply>) {
                v.logged(m.position.revision);
            } else if constexpr (std::is_same_v<M, wire::Report>) {
                v.logged(m.durable.revision);
            } else if constexpr (std::is_same_v<M, wire::Offer>) {
                v.logged(m.edits.fork.revision);
                v.logged(m.edits.last.revision);
            } else if constexpr (std::is_same_v<M, wire::OfferReply>) {
                v.logged(m.revision);
            }
        },
        message);
}

template <class V>
void walk_log(core::Node& n, V& v) {
    v.logged(n.log_.base_.revision);
    for (const auto& entry : n.log_.entries_) v.logged(entry.position.revision);
    for (const auto& mark : n.log_.marks_) v.logged(mark.revision);
    for (const auto& write : n.storing_) v.logged(write.after.revision);
    for (const auto& edit : n.pending_) v.logged(edit.revision);
    if (n.session_) v.logged(n.session_->acked.revision);
    for (const auto* place : {&n.durable_, &n.snapshot_position_, &n.reported_, &n.peer_last_,
                              &n.snapshot_in_position_}) {
        v.logged(place->revision);
    }
    for (const auto& divergence : n.divergences_.list()) {
        v.logged(divergence.edits.fork.revision);
        v.logged(divergence.edits.last.revision);
        v.logged(divergence.revision);
    }
}

template <class V>
void walk(core::Node& n, V& v) {
    walk_log(n, v);
    v.epoch(n.persistent_.epoch);
    v.bytes(n.pong_);
    if (n.peer_pong_) {
        v.epoch(n.peer_pong_->epoch);
        v.logged(n.peer_pong_->last.revision);
    }
    for (auto& [name, tunnel] : n.tunnels_) {
        v.epoch(tunnel.view.epoch);
        v.seq(tunnel.view.in_sync_seq);
        v.epoch(tunnel.activated);
        v.epoch(tunnel.follow_epoch);
        v.epoch(tunnel.followed);
    }
    if (n.claim_) v.epoch(n.claim_->epoch);
    if (n.grant_) v.epoch(n.grant_->epoch);
    v.epoch(n.serving_);
    v.epoch(n.follow_epoch_);
    v.seq(n.in_sync_seq_);
}

template <class V>
void walk_disk(Party& p, V& v) {
    v.epoch(p.durable.epoch);
    for (auto& [version, state] : p.persisting) v.epoch(state.epoch);
    v.logged(p.base.position.revision);
    for (const auto& entry : p.entries) v.logged(entry.position.revision);
    for (const auto& write : p.storing) {
        v.logged(write.position.revision);
        for (const auto& entry : write.entries) v.logged(entry.position.revision);
    }
}

template <class V>
void walk(Party& p, V& v) {
    walk_disk(p, v);
    for (auto* text : {&p.pong, &p.heard, &p.role, &p.heard_role}) v.text(*text);
    walk(p.agent.view, v);
    if (p.up()) v.report(p.agent.known);
    v.epoch(p.agent.active);
    for (auto& ask : p.agent.asks) v.epoch(ask.epoch);
    if (p.node) walk(*p.node, v);
}

template <class V>
void walk(gateway::Record& record, V& v) {
    v.epoch(record.epoch);
    v.seq(record.in_sync_seq);
}

template <class V, class Waiting>
void walk_waiting(Waiting& waiting, V& v) {
    if (!waiting.node.empty()) v.boot(place_of(waiting.node), waiting.boot);
    v.epoch(waiting.epoch);
    v.seq(waiting.seq);
}

template <class V>
void walk(gateway::Register& reg, V& v) {
    walk(reg.record_, v);
    for (auto& [name, node] : reg.nodes_) {
        const auto place = place_of(name);
        // Of a node that is not connected all that matters is whether the next process is the same.
        node.connected ? v.boot(place, node.boot) : v.remembered(place, node.boot);
        v.remembered(place, node.replaced);
    }
    for (auto& [name, epoch] : reg.reports_) v.report(epoch);
    if (reg.storing_) {
        walk(reg.storing_->record, v);
        walk_waiting(reg.storing_->request, v);
    }
    for (auto& waiting : reg.waiting_) walk_waiting(waiting, v);
}

template <class V>
void walk(Gate& g, V& v) {
    if (g.reg) walk(*g.reg, v);
    walk(g.disk, v);
    if (g.storing) walk(*g.storing, v);
    for (std::uint8_t i = 0; i < 2; ++i) v.life(i, g.links[i].life);
    v.life(g.active.place, g.active.life);
    v.epoch(g.active.epoch);
    v.epoch(g.granted);
    v.epoch(g.routed);
}

template <class V>
void walk(Uplink& link, std::uint8_t place, V& v) {
    for (auto& letter : link.up) walk(letter, place, v);
    for (auto& letter : link.down) walk(letter, place, v);
}

template <class V>
void walk(Peers& peers, V& v) {
    for (auto& way : peers.to) {
        for (auto& text : way.published) v.text(text);
        for (auto& question : way.questions) {
            if (!question.ping) v.text(question.text);
        }
        for (auto& answer : way.answers) v.text(answer.text);
    }
}

// --- what is done to them ------------------------------------------------------------------------

class Collector {
public:
    explicit Collector(const Texts* texts) : texts_(texts) {}

    template <class N>
    void epoch(N& number) {
        note(used.epochs, number);
    }
    template <class N>
    void seq(N& number) {
        note(used.seqs, number);
    }
    void life(std::uint8_t place, std::uint8_t& number) { note(used.lives[place], number); }
    void boot(std::uint8_t place, gateway::BootId& boot) { note(used.lives[place], boot[0]); }
    void remembered(std::uint8_t place, gateway::BootId& boot) {
        note(used.remembered[place], boot[0]);
    }
    void remembered(std::uint8_t place, std::deque<gateway::BootId>& replaced) {
        for (auto& boot : replaced) remembered(place, boot);
    }
    template <class N>
    void report(N& number) {
        note(used.reported, number);
        used.reported = static_cast<std::uint16_t>(used.reported | (number == 0 ? 1U : 0U));
    }
    void logged(const core::Revision& revision) {
        if (revision.epoch >= numbers_max) used.fixed = true;
        used.logged = std::max(used.logged, static_cast<std::uint8_t>(revision.epoch));
    }
    void bytes(std::string& bytes) {
        if (auto message = wire::decode(bytes)) walk(*message, *this);
    }
    void text(std::uint32_t& text) {
        auto copy = (*texts_)[text];
        bytes(copy);
    }

    Used used;

private:
    template <class N>
    void note(std::uint16_t& set, N number) {
        if (number >= numbers_max) {
            used.fixed = true;
        } else if (number != 0) {
            set = static_cast<std::uint16_t>(set | 1U << number);
        }
    }
    const Texts* texts_;
};

class Renamer {
public:
    Renamer(const Renaming& renaming, Texts* texts) : r_(renaming), texts_(texts) {}

    template <class N>
    void epoch(N& number) {
        number = r_.epochs[number];
    }
    template <class N>
    void seq(N& number) {
        number = r_.seqs[number];
    }
    void life(std::uint8_t place, std::uint8_t& number) { number = r_.lives[place][number]; }
    void boot(std::uint8_t place, gateway::BootId& boot) { boot[0] = r_.lives[place][boot[0]]; }
    void remembered(std::uint8_t place, gateway::BootId& last) { boot(place, last); }
    /// Who is not called anything any more has no hello under way.
    void remembered(std::uint8_t place, std::deque<gateway::BootId>& replaced) {
        for (auto& id : replaced) boot(place, id);
        std::erase_if(replaced, [](const auto& id) { return id == gateway::BootId{}; });
    }
    /// What an instance reports as the highest epoch that it knows tells the gateway nothing when
    /// it is not above that of its record.
    template <class N>
    void report(N& number) {
        number = r_.epochs[std::max(number, static_cast<N>(r_.record))];
    }
    void logged(const core::Revision&) {}
    void bytes(std::string& bytes) {
        auto message = wire::decode(bytes);
        if (!message) return;
        walk(*message, *this);
        bytes = wire::encode(*message);
    }
    void text(std::uint32_t& text) {
        auto copy = (*texts_)[text];
        bytes(copy);
        text = (*texts_)(std::move(copy));
    }

private:
    const Renaming& r_;
    Texts* texts_;
};

/// Names for the numbers of a set: neighbours stay neighbours, a wider gap becomes one of two. The
/// first ones, up to `fixed`, keep theirs.
void close_gaps(std::uint16_t set, std::uint8_t fixed, std::array<std::uint8_t, numbers_max>& to) {
    std::uint8_t last = fixed, name = fixed;
    for (std::uint8_t i = 1; i < numbers_max; ++i) {
        if (i <= fixed) {
            to[i] = i;
        } else if ((set >> i & 1U) != 0) {
            const auto gap = static_cast<std::uint8_t>(last == 0 ? 1 : std::min(i - last, 2));
            name = static_cast<std::uint8_t>(name + gap);
            last = i;
            to[i] = name;
        }
    }
}

/// Processes are told apart and nothing else.
void count_up(std::uint16_t set, std::array<std::uint8_t, numbers_max>& to, std::uint8_t& count) {
    for (std::uint8_t i = 1; i < numbers_max; ++i) {
        if ((set >> i & 1U) != 0) to[i] = ++count;
    }
}

}  // namespace

void Used::operator|=(const Used& other) {
    epochs = static_cast<std::uint16_t>(epochs | other.epochs);
    seqs = static_cast<std::uint16_t>(seqs | other.seqs);
    reported = static_cast<std::uint16_t>(reported | other.reported);
    for (std::size_t i = 0; i < 2; ++i) {
        lives[i] = static_cast<std::uint16_t>(lives[i] | other.lives[i]);
        remembered[i] = static_cast<std::uint16_t>(remembered[i] | other.remembered[i]);
        last_of_down[i] = std::max(last_of_down[i], other.last_of_down[i]);
    }
    logged = std::max(logged, other.logged);
    record = std::max(record, other.record);
    fixed = fixed || other.fixed;
}

std::string Renaming::bytes() const {
    std::string bytes;
    const auto add = [&bytes](const auto& numbers) {
        bytes.append(numbers.begin(), numbers.end());
    };
    add(epochs);
    add(seqs);
    for (const auto& numbers : lives) add(numbers);
    add(lives_used);
    bytes.push_back(static_cast<char>(record));
    return bytes;
}

Used used_by(Party party, const Texts& texts) {
    Collector c(&texts);
    walk(party, c);
    if (party.up()) {
        c.life(party.place, party.life);
    } else {
        c.used.last_of_down[party.place] = party.life;
    }
    if (party.durable.epoch == 0) c.used.fixed = true;
    return c.used;
}

Used used_by(Gate gate) {
    Collector c(nullptr);
    walk(gate, c);
    if (gate.disk.epoch == 0) c.used.fixed = true;
    c.used.record = static_cast<std::uint8_t>(gate.disk.epoch);
    return c.used;
}

Used used_by(Uplink uplink, std::uint8_t place) {
    Collector c(nullptr);
    walk(uplink, place, c);
    return c.used;
}

Used used_by(Peers peers, const Texts& texts) {
    Collector c(&texts);
    walk(peers, c);
    return c.used;
}

Used used_by(const core::Position& position) {
    Collector c(nullptr);
    c.logged(position.revision);
    return c.used;
}

bool keeps_names(const Used& used, const Renaming& renaming) {
    const auto same = [](std::uint16_t set, const std::array<std::uint8_t, numbers_max>& to) {
        for (std::uint8_t i = 1; i < numbers_max; ++i) {
            if ((set >> i & 1U) != 0 && to[i] != i) return false;
        }
        return true;
    };
    const auto raised = used.reported & ((1U << used.record) - 1);
    bool kept = raised == 0 && same(used.epochs, renaming.epochs) &&
                same(used.reported, renaming.epochs) && same(used.seqs, renaming.seqs);
    for (std::size_t i = 0; i < 2; ++i) {
        kept = kept && same(static_cast<std::uint16_t>(used.lives[i] | used.remembered[i]),
                            renaming.lives[i]);
        const auto last = used.last_of_down[i];
        kept = kept && (last == 0 || last == renaming.lives_used[i]);
    }
    return kept;
}

Renaming make_renaming(const Used& used) {
    Renaming renaming;
    const auto above = static_cast<std::uint16_t>(used.reported >> used.record << used.record);
    close_gaps(static_cast<std::uint16_t>(used.epochs | above), used.logged, renaming.epochs);
    close_gaps(used.seqs, 0, renaming.seqs);
    for (std::size_t i = 0; i < 2; ++i) {
        count_up(used.lives[i], renaming.lives[i], renaming.lives_used[i]);
    }
    renaming.record = used.record;
    return renaming;
}

Party rename(Party party, const Renaming& renaming, Texts& texts) {
    Renamer r(renaming, &texts);
    walk(party, r);
    // The next process of one that is down gets a number of its own.
    party.life =
        party.up() ? renaming.lives[party.place][party.life] : renaming.lives_used[party.place];
    return party;
}

Gate rename(Gate gate, const Renaming& renaming) {
    Renamer r(renaming, nullptr);
    walk(gate, r);
    return gate;
}

Uplink rename(Uplink uplink, std::uint8_t place, const Renaming& renaming) {
    Renamer r(renaming, nullptr);
    walk(uplink, place, r);
    return uplink;
}

Peers rename(Peers peers, const Renaming& renaming, Texts& texts) {
    Renamer r(renaming, &texts);
    walk(peers, r);
    for (auto& way : peers.to) {
        std::sort(way.questions.begin(), way.questions.end());
        std::sort(way.answers.begin(), way.answers.end());
    }
    return peers;
}

}  // namespace umbra::exploration
