// A state with the lowest numbers that tell it apart.

#include "world.hpp"

namespace umbra::exploration {

namespace {

/// Numbers used by a part; found once for each.
template <class F>
const Used& used(std::vector<Used>& known, std::uint32_t part, F find) {
    while (known.size() <= part) known.push_back(find(static_cast<std::uint32_t>(known.size())));
    return known[part];
}

/// Number of the part under a renaming; made once for each pair.
template <class Known, class F>
std::uint32_t under(Known& known, std::uint32_t part, std::uint32_t renaming, F make) {
    auto [found, fresh] = known.try_emplace(std::uint64_t{renaming} << 32 | part);
    if (fresh) found = make();
    return found;
}

}  // namespace

State World::renamed(const State& state) {
    State s = state;
    Used all;
    for (const auto part : s.party) {
        all |= used(party_names_.used, part,
                    [&](std::uint32_t i) { return used_by(parties_[i], texts_); });
    }
    all |= used(gate_names_.used, s.gate, [&](std::uint32_t i) { return used_by(gates_[i]); });
    all |= used(peers_names_.used, s.peers,
                [&](std::uint32_t i) { return used_by(peers_[i], texts_); });
    for (std::uint8_t i = 0; i < 2; ++i) {
        all |= used(uplink_names_[i].used, s.uplink[i],
                    [&](std::uint32_t part) { return used_by(uplinks_[part], i); });
    }
    if (s.ledger != 0) {
        for (const auto& position : acknowledged(s)) all |= used_by(position);
    }
    // An edit that is still to come gets the epoch of its moment as a part of its name.
    if (options_.hold_epochs && s.edits < options_.limits.edits) {
        all.logged = numbers_max - 1;
    }
    if (all.fixed) return s;
    const auto renaming = make_renaming(all);
    if (keeps_names(all, renaming)) return s;
    const auto number = renamings_(renaming.bytes());
    for (auto& part : s.party) {
        part = under(party_names_.renamed, part, number,
                     [&] { return parties_(rename(parties_[part], renaming, texts_)); });
    }
    s.gate = under(gate_names_.renamed, s.gate, number,
                   [&] { return gates_(rename(gates_[s.gate], renaming)); });
    s.peers = under(peers_names_.renamed, s.peers, number,
                    [&] { return peers_(rename(peers_[s.peers], renaming, texts_)); });
    for (std::uint8_t i = 0; i < 2; ++i) {
        s.uplink[i] = under(uplink_names_[i].renamed, s.uplink[i], number,
                            [&] { return uplinks_(rename(uplinks_[s.uplink[i]], i, renaming)); });
    }
    return s;
}

}  // namespace umbra::exploration
