#include "party.hpp"

#include "normal_form.hpp"
#include "shell.hpp"

#include <algorithm>
#include <cstring>

namespace umbra::exploration {

std::string encode(const core::Position& position) {
    std::string bytes(sizeof position, '\0');
    std::memcpy(bytes.data(), &position, sizeof position);
    return bytes;
}

core::Position decode_position(const std::string& bytes) {
    core::Position position;
    std::memcpy(&position, bytes.data(), sizeof position);
    return position;
}

bool Party::holds(const core::Position& position) const {
    const auto seq = position.revision.seq;
    if (seq < base.position.revision.seq) return true;
    if (seq == base.position.revision.seq) return base.position == position;
    const auto index = seq - base.position.revision.seq - 1;
    return index < entries.size() && entries[index].position == position;
}

Party new_party(std::uint8_t place) {
    Party party;
    party.place = place;
    party.durable.role = place == 0 ? core::Role::master : core::Role::shadow;
    party.durable.ha_enabled = true;
    return party;
}

Party step(Party party, const Input& input, Mutant mutant, Texts& texts, Outs& out) {
    Shell shell(party, mutant, texts, out, input.used);
    shell.take(input);
    normalise(party, input.kind == Input::Kind::pass ? leap_time : Duration{});
    return party;
}

std::uint64_t hash_of(const Party& p) {
    std::uint64_t h = p.node ? hash_of(*p.node) : 5;
    mix(h, static_cast<std::uint64_t>(p.life) | std::uint64_t{p.host_down} << 8 |
               std::uint64_t{p.due} << 9 | std::uint64_t{p.link_up} << 10 |
               std::uint64_t{p.late} << 11 | std::uint64_t{p.pong} << 16 | p.entries.size() << 48 |
               p.persisting.size() << 52 | p.storing.size() << 56);
    mix(h, p.heard | std::uint64_t{p.heard_role} << 32);
    mix(h, p.durable.epoch << 8 | static_cast<std::uint64_t>(p.durable.role));
    for (const auto& entry : p.entries) mix(h, entry.body);
    const auto& a = p.agent;
    mix(h, std::uint64_t{a.linked} | std::uint64_t{a.up} << 1 | std::uint64_t{a.view_known} << 2 |
               std::uint64_t{a.confirmed} << 3 | std::uint64_t{a.draining} << 4 |
               std::uint64_t{a.silent} << 5 | static_cast<std::uint64_t>(a.reported) << 8 |
               a.known << 16 | a.active << 24);
    mix(h, a.view);
    for (const auto& ask : p.asks) {
        mix(h, ask.ask | std::uint64_t{ask.ping} << 8 | std::uint64_t{ask.expired} << 9);
    }
    for (const auto& ask : a.asks) {
        mix(h,
            static_cast<std::uint64_t>(ask.kind) | ask.ask << 8 | std::uint64_t{ask.expired} << 16);
    }
    return h;
}

}  // namespace umbra::exploration
