#pragma once

#include "gate.hpp"
#include "intern.hpp"
#include "names.hpp"
#include "network.hpp"
#include "options.hpp"
#include "parties.hpp"
#include "party.hpp"

#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

namespace umbra::exploration {

/// More of one kind under way than this means that traffic grows without bound.
constexpr std::size_t under_way_max = 12;

/// One state of the whole world, exactly: numbers of its parts. Equal states are equal bytes.
struct State {
    std::array<std::uint32_t, 2> party{};
    std::uint32_t gate = 0;
    std::array<std::uint32_t, 2> uplink{};
    std::uint32_t peers = 0;
    /// What was used up of the limits.
    std::uint8_t crashes = 0, cuts = 0, edits = 0, switches = 0, late = 0;
    std::uint8_t overlap = 0;  ///< Disturbances since nothing was under way.
    std::uint8_t ledger = 0;   ///< The acknowledged edits.
    std::uint8_t turns = 0;    ///< What happened out of turn since nothing was under way.
    std::uint8_t amid = 0;     ///< Disturbances while something was under way.

    bool operator==(const State&) const = default;
};

/// Of what is not a count.
inline std::uint64_t hash_of(const State& s) {
    std::uint64_t h = s.party[0] | std::uint64_t{s.party[1]} << 32;
    mix(h, s.gate | std::uint64_t{s.peers} << 32);
    mix(h, s.uplink[0] | std::uint64_t{s.uplink[1]} << 32);
    mix(h, std::uint64_t{s.ledger});
    return h;
}

inline State without_counts(State s) {
    s.crashes = s.cuts = s.switches = s.late = s.overlap = s.turns = s.amid = 0;
    return s;
}

struct Action {
    enum class Kind : std::uint8_t {
        // what is bound to happen some time
        question,
        answer,
        publication,
        closed,
        refused,
        to_gateway,
        to_node,
        persisted,
        stored,
        record_stored,
        tick,
        // what happens when nothing of that is left
        leap,
        // what is at liberty
        boot,
        boot_gateway,
        heal_uplink,
        heal_peers,
        kill,
        power_loss,
        kill_gateway,
        cut_uplink,
        cut_peers,
        edit,
        switch_roles,
        late,
    };
    Kind kind = Kind::leap;
    std::uint8_t who = 0;
    std::uint8_t index = 0;    ///< Of a message; of a crash: persists that survive.
    std::uint8_t more = 0;     ///< Of a crash: stores that survive.
    bool out_of_turn = false;  ///< Something else that is bound to happen comes before it.
    bool amid = false;         ///< A disturbance while something is under way.
};

/// The rules by which one state follows another. Parts are kept once each, and what a step of a
/// part leads to is remembered, so that most transitions run no production code twice.
class World {
public:
    explicit World(const Options& options) : options_(options) {
        static_cast<void>(texts_({}));  // Number 0 is no text.
    }

    [[nodiscard]] State start();
    /// What can happen, always in the same order. What is bound to happen comes first.
    void enabled(const State& state, std::vector<Action>& actions) const;
    /// @return the violation that the action leads to; empty when every invariant holds
    [[nodiscard]] std::string apply(State& state, const Action& action);
    /// Heals and restarts everything and lets it run. @return what keeps the pair from being one
    /// master and one shadow in sync; empty when they are
    [[nodiscard]] std::string settle(State state);
    /// The same world with the lowest numbers that tell it apart (`names.hpp`).
    [[nodiscard]] State renamed(const State& state);
    [[nodiscard]] std::string describe(const State& state, const Action& action) const;
    [[nodiscard]] static bool bound_to_happen(const Action& a) {
        return a.kind < Action::Kind::leap;
    }

    [[nodiscard]] std::string parts() const;
    [[nodiscard]] std::string show(const State& state) const;

private:
    struct Step {
        std::uint32_t next = 0;
        Outs outs;
    };

    const Party& party(const State& s, std::size_t i) const { return parties_[s.party[i]]; }
    const Gate& gate(const State& s) const { return gates_[s.gate]; }
    const Uplink& uplink(const State& s, std::size_t i) const { return uplinks_[s.uplink[i]]; }
    const Peers& peers(const State& s) const { return peers_[s.peers]; }
    template <class F>
    void change_uplink(State& s, std::size_t i, F change);
    template <class F>
    void change_peers(State& s, F change);

    // --- world.cpp
    void run(State& s, std::uint8_t who, Input input, std::uint8_t asker = Peers::nobody);
    void run(State& s, const GateInput& input);
    void carry_out(State& s, std::uint8_t who, const Outs& outs, std::uint8_t asker);
    void carry_out(State& s, const Outs& outs);
    void send(State& s, std::uint8_t who, const Out& out, std::uint8_t asker);
    void acknowledge(State& s, std::uint32_t position);
    void check(const State& s);
    void check_granted(const State& s, std::uint8_t who);
    void violate(const std::string& text) {
        if (violation_.empty()) violation_ = text;
    }
    /// Nothing would come of it if it arrived now.
    [[nodiscard]] bool idle(const State& s, std::uint8_t who, std::uint32_t publication);
    const Step& remembered(const State& s, std::uint8_t who, Input input);
    [[nodiscard]] bool reachable(const State& s, std::size_t i) const;
    [[nodiscard]] std::uint16_t used_asks(const State& s, std::size_t i) const;
    [[nodiscard]] std::vector<core::Position> acknowledged(const State& s) const;

    // --- actions.cpp
    [[nodiscard]] bool at_rest(const State& s) const;
    void keep_turns(const State& s, std::vector<Action>& actions) const;
    void disturb(const State& s, std::vector<Action>& actions) const;
    void enable_crashes(const State& s, std::vector<Action>& actions) const;
    void deliver_question(State& s, const Action& a);
    void tick(State& s, std::uint8_t who);
    void crash(State& s, const Action& a);
    void crash_gateway(State& s, bool record_survives);
    void pass_gateway(State& s, bool heard);
    [[nodiscard]] std::string unrest(const State& s) const;

    const Options options_;
    Texts texts_;
    Parties parties_;
    Intern<Gate> gates_;
    Intern<Uplink> uplinks_;
    Intern<Peers> peers_;
    Intern<std::string> ledgers_;  ///< Numbers of positions, four bytes each.

    struct Key {
        std::uint32_t part;
        std::uint8_t kind, slot, flag, place;
        std::uint16_t used;
        std::uint32_t text;
        Letter letter;
        bool operator==(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const;
    };
    Memo<Key, Step, KeyHash> steps_;

    /// What is known of the parts of one kind: the numbers they use, and what they became.
    struct NumberHash {
        std::uint64_t operator()(std::uint64_t number) const {
            std::uint64_t hash = 0;
            mix(hash, number);
            return hash;
        }
    };
    struct PartNames {
        std::vector<Used> used;
        Memo<std::uint64_t, std::uint32_t, NumberHash> renamed;
    };
    PartNames party_names_, gate_names_, peers_names_;
    std::array<PartNames, 2> uplink_names_;
    Texts renamings_;
    struct StateHash {
        std::size_t operator()(const State& state) const { return hash_of(state); }
    };
    std::unordered_set<State, StateHash> settled_;  ///< Known to settle, without their counts.
    std::string violation_;
};

template <class F>
void World::change_uplink(State& s, std::size_t i, F change) {
    Uplink link = uplink(s, i);
    change(link);
    if (std::max(link.up.size(), link.down.size()) > under_way_max) {
        violate("letters between an instance and the gateway grow without bound");
    }
    s.uplink[i] = uplinks_(std::move(link));
}

template <class F>
void World::change_peers(State& s, F change) {
    Peers p = peers(s);
    change(p);
    for (const auto& way : p.to) {
        if (std::max(way.published.size(), way.questions.size()) > under_way_max) {
            violate("messages between the instances grow without bound");
        }
    }
    s.peers = peers_(std::move(p));
}

}  // namespace umbra::exploration
