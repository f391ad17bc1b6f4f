#include "world.hpp"

#include "normal_form.hpp"

#include <algorithm>
#include <cstring>

namespace umbra::exploration {

namespace {

constexpr std::uint8_t gate_step = 64;  ///< Keeps the inputs of gateway and instances apart.

}  // namespace

std::size_t World::KeyHash::operator()(const Key& key) const {
    std::uint64_t h = key.part;
    mix(h, std::uint64_t{key.kind} | std::uint64_t{key.slot} << 8 | std::uint64_t{key.flag} << 16 |
               std::uint64_t{key.place} << 24 | std::uint64_t{key.used} << 32);
    mix(h, std::uint64_t{key.text});
    mix(h, key.letter);
    return h;
}

bool World::reachable(const State& s, std::size_t i) const {
    return gate(s).up() && !uplink(s, i).cut;
}

/// Numbers of questions that may still be answered although nobody waits any more.
std::uint16_t World::used_asks(const State& s, std::size_t i) const {
    std::uint16_t used = gate(s).up() ? open_asks(*gate(s).reg, names[i]) : std::uint16_t{0};
    const auto& link = uplink(s, i);
    for (const auto* letters : {&link.up, &link.down}) {
        for (const auto& letter : *letters) {
            if (letter.kind == Letter::Kind::hello) continue;
            used = static_cast<std::uint16_t>(used | 1U << letter.ask);
        }
    }
    return used;
}

State World::start() {
    State s;
    for (std::uint8_t i = 0; i < 2; ++i) {
        s.party[i] = parties_(new_party(i));
        s.uplink[i] = uplinks_({});
    }
    s.gate = gates_({});
    s.peers = peers_({});
    s.ledger = static_cast<std::uint8_t>(ledgers_({}));
    for (const auto kind : {Action::Kind::boot_gateway, Action::Kind::boot}) {
        for (std::uint8_t i = 0; i < (kind == Action::Kind::boot ? 2 : 1); ++i) {
            static_cast<void>(apply(s, {kind, i}));
        }
    }
    if (options_.cold) return s;
    // The first of what is bound to happen, until the pair is at rest.
    std::vector<Action> actions;
    for (int steps = 0; steps < 1000; ++steps) {
        enabled(s, actions);
        if (actions.front().kind == Action::Kind::leap && unrest(s).empty()) break;
        static_cast<void>(apply(s, actions.front()));
    }
    return s;
}

// --- steps ---------------------------------------------------------------------------------------

const World::Step& World::remembered(const State& s, std::uint8_t who, Input input) {
    if (input.kind != Input::Kind::pass) input.used = used_asks(s, who);
    const Key key{s.party[who],
                  static_cast<std::uint8_t>(input.kind),
                  input.slot,
                  input.flag,
                  0,
                  input.used,
                  input.text,
                  input.letter};
    auto [found, fresh] = steps_.try_emplace(key);
    if (fresh) {
        Outs outs;
        auto next = step(party(s, who), input, options_.mutant, texts_, outs);
        found = {parties_(std::move(next)), std::move(outs)};
    }
    return found;
}

void World::run(State& s, std::uint8_t who, Input input, std::uint8_t asker) {
    const Step& taken = remembered(s, who, input);
    s.party[who] = taken.next;
    carry_out(s, who, taken.outs, asker);
}

bool World::idle(const State& s, std::uint8_t who, std::uint32_t publication) {
    if (!peers(s).to[who].published.empty()) return false;
    const Step& taken = remembered(s, who, {.kind = Input::Kind::published, .text = publication});
    return taken.next == s.party[who] && taken.outs.empty();
}

void World::run(State& s, const GateInput& input) {
    const Key key{s.gate,      static_cast<std::uint8_t>(gate_step + static_cast<int>(input.kind)),
                  0,           input.flag,
                  input.place, 0,
                  0,           input.letter};
    auto [found, fresh] = steps_.try_emplace(key);
    if (fresh) {
        Outs outs;
        auto next = step(gate(s), input, options_.mutant, texts_, outs);
        found = {gates_(std::move(next)), std::move(outs)};
    }
    s.gate = found.next;
    carry_out(s, found.outs);
}

void World::carry_out(State& s, std::uint8_t who, const Outs& outs, std::uint8_t asker) {
    for (const auto& out : outs) {
        switch (out.kind) {
            case Out::Kind::dial:
                change_uplink(s, who, [&](Uplink& link) {
                    link.node_open = true;
                    link.up.push_back(out.letter);
                });
                break;
            case Out::Kind::hang_up:
                change_uplink(s, who, [&](Uplink& link) {
                    link.node_open = false;
                    link.down.clear();
                    link.up.push_back({.kind = Letter::Kind::close});
                    if (link.gate == Uplink::End::current) link.gate = Uplink::End::stale;
                });
                break;
            case Out::Kind::to_gateway:
                if (uplink(s, who).gate != Uplink::End::current) break;
                change_uplink(s, who, [&](Uplink& link) { link.up.push_back(out.letter); });
                break;
            case Out::Kind::acknowledged:
                acknowledge(s, out.text);
                break;
            case Out::Kind::violation:
                violate(texts_[out.text]);
                break;
            default:
                send(s, who, out, asker);
        }
    }
}

/// To the other instance: lost when the link is cut or nobody is there.
void World::send(State& s, std::uint8_t who, const Out& out, std::uint8_t asker) {
    const std::size_t to = 1U - who;
    const auto& other = party(s, to);
    if (peers(s).cut) return;
    const bool question = out.kind == Out::Kind::ping || out.kind == Out::Kind::ask;
    if (!other.up()) {
        const bool refuses = question && !other.host_down && !peers(s).to[who].refused;
        if (refuses) change_peers(s, [&](Peers& p) { p.to[who].refused = true; });
        return;
    }
    if (out.kind == Out::Kind::publish && idle(s, static_cast<std::uint8_t>(to), out.text)) return;
    change_peers(s, [&](Peers& p) {
        auto& way = p.to[to];
        if (question) {
            put(way.questions, {out.slot, out.kind == Out::Kind::ping, out.text});
        } else if (out.kind == Out::Kind::publish) {
            way.published.push_back(out.text);
        } else if (asker != Peers::nobody) {
            put(way.answers, {asker, false, out.text});
        }
    });
}

void World::carry_out(State& s, const Outs& outs) {
    for (const auto& out : outs) {
        switch (out.kind) {
            case Out::Kind::to_node:
                if (uplink(s, out.slot).gate != Uplink::End::current) break;
                change_uplink(s, out.slot, [&](Uplink& link) { link.down.push_back(out.letter); });
                break;
            case Out::Kind::close:
                change_uplink(s, out.slot, [&](Uplink& link) {
                    if (link.gate == Uplink::End::current) {
                        link.down.push_back({.kind = Letter::Kind::close});
                    }
                    link.gate = Uplink::End::closed;
                    const auto hello = [](const Letter& l) {
                        return l.kind == Letter::Kind::hello;
                    };
                    link.up.erase(link.up.begin(),
                                  std::find_if(link.up.begin(), link.up.end(), hello));
                });
                break;
            case Out::Kind::granted:
                check_granted(s, out.slot);
                break;
            case Out::Kind::violation:
                violate(texts_[out.text]);
                break;
            default:
                break;
        }
    }
}

// --- invariants ----------------------------------------------------------------------------------

std::vector<core::Position> World::acknowledged(const State& s) const {
    std::vector<core::Position> list;
    const auto& ledger = ledgers_[s.ledger];
    for (std::size_t i = 0; i < ledger.size(); i += 4) {
        std::uint32_t number = 0;
        std::memcpy(&number, ledger.data() + i, sizeof number);
        list.push_back(decode_position(texts_[number]));
    }
    return list;
}

void World::acknowledge(State& s, std::uint32_t position) {
    std::string ledger = ledgers_[s.ledger];
    for (std::size_t i = 0; i < ledger.size(); i += 4) {
        if (std::memcmp(ledger.data() + i, &position, 4) == 0) return;
    }
    const auto now = decode_position(texts_[position]);
    for (const auto& before : acknowledged(s)) {
        if (before.revision.seq == now.revision.seq) {
            violate("two edits are acknowledged as number " + std::to_string(now.revision.seq));
        }
    }
    ledger.append(reinterpret_cast<const char*>(&position), 4);
    const auto number = ledgers_(std::move(ledger));
    if (number > UINT8_MAX) violate("more different histories of edits than a byte can name");
    s.ledger = static_cast<std::uint8_t>(number);
}

void World::check_granted(const State& s, std::uint8_t who) {
    for (const auto& position : acknowledged(s)) {
        if (party(s, who).holds(position)) continue;
        violate(std::string(names[who]) + " is granted epoch " + std::to_string(gate(s).granted) +
                " without revision " + to_string(position.revision) + ", which was acknowledged");
    }
}

/// What holds in every state.
void World::check(const State& s) {
    const auto& a = party(s, 0);
    const auto& b = party(s, 1);
    const auto& g = gate(s);
    if (a.up() && b.up() && a.node->serving() != 0 && a.node->serving() == b.node->serving()) {
        violate("both instances serve under epoch " + std::to_string(a.node->serving()));
    }
    for (const auto& mine : a.entries) {
        for (const auto& theirs : b.entries) {
            if (mine.position.revision == theirs.position.revision && mine != theirs) {
                violate("revision " + to_string(mine.position.revision) + " has two contents");
            }
        }
    }
    if (s.ledger == 0 || g.disk.holder.node.empty()) return;
    for (const auto& position : acknowledged(s)) {
        for (std::uint8_t i = 0; i < 2; ++i) {
            if (!g.in_sync(i) || party(s, i).holds(position)) continue;
            violate("revision " + to_string(position.revision) + " is acknowledged, but " +
                    names[i] + " may become master and does not have it");
        }
    }
}

}  // namespace umbra::exploration
