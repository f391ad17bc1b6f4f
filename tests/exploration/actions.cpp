// What can happen in a state of the world, and what it leads to.

#include "world.hpp"

#include <algorithm>

namespace umbra::exploration {

namespace {

using Kind = Action::Kind;

constexpr int settle_steps = 3000;  ///< An unfaulted pair is at rest after a few hundred.
constexpr int settle_quiet = 3;     ///< At rest means: over so many leaps.

template <class N>
std::uint8_t small(N value) {
    return static_cast<std::uint8_t>(value);
}

/// Sent more than once and not read yet: the same message is delivered the same way.
template <class T>
bool repeated(const std::vector<T>& set, std::size_t i) {
    return i != 0 && set[i] == set[i - 1];
}

}  // namespace

void World::enabled(const State& s, std::vector<Action>& actions) const {
    actions.clear();
    const auto& p = peers(s);
    for (std::uint8_t i = 0; i < 2; ++i) {
        const auto& way = p.to[i];
        for (std::size_t k = 0; k < way.questions.size(); ++k) {
            const auto& question = way.questions[k];
            // A ping that brings no news is as good as answered whenever its time is up.
            if (question.ping && !party(s, 1U - i).is_news(party(s, i))) continue;
            if (!repeated(way.questions, k)) actions.push_back({Kind::question, i, small(k)});
        }
        for (std::size_t k = 0; k < way.answers.size(); ++k) {
            if (!repeated(way.answers, k)) actions.push_back({Kind::answer, i, small(k)});
        }
        if (!way.published.empty()) actions.push_back({Kind::publication, i});
        if (way.closed) actions.push_back({Kind::closed, i});
        if (way.refused) actions.push_back({Kind::refused, i});
        const auto& link = uplink(s, i);
        if (!link.cut && !link.up.empty()) actions.push_back({Kind::to_gateway, i});
        if (!link.cut && !link.down.empty()) actions.push_back({Kind::to_node, i});
        if (!party(s, i).persisting.empty()) actions.push_back({Kind::persisted, i});
        if (!party(s, i).storing.empty()) actions.push_back({Kind::stored, i});
        if (party(s, i).due) actions.push_back({Kind::tick, i});
    }
    if (gate(s).storing) actions.push_back({Kind::record_stored});
    if (actions.empty()) actions.push_back({Kind::leap});
    keep_turns(s, actions);
    const bool rests = actions.front().kind == Kind::leap;
    if (s.overlap >= options_.limits.overlap) return;
    if (rests || s.amid < options_.limits.amid) {
        const auto bound = actions.size();
        disturb(s, actions);
        for (auto i = bound; i < actions.size(); ++i) {
            actions[i].amid = !rests && options_.limits.amid != any_order;
        }
    }
}

/// What is bound to happen has an order, that of the list. Where that order is bounded, so many may
/// come before their turn between two moments of rest (a delay bound).
void World::keep_turns(const State& s, std::vector<Action>& actions) const {
    if (options_.limits.turns == any_order) return;
    if (s.turns >= options_.limits.turns) actions.resize(1);
    for (std::size_t i = 1; i < actions.size(); ++i) actions[i].out_of_turn = true;
}

/// As `enabled`, without making the list.
bool World::at_rest(const State& s) const {
    const auto& p = peers(s);
    for (std::uint8_t i = 0; i < 2; ++i) {
        const auto& way = p.to[i];
        const auto matters = [&](const auto& question) {
            return !question.ping || party(s, 1U - i).is_news(party(s, i));
        };
        if (std::any_of(way.questions.begin(), way.questions.end(), matters)) return false;
        if (!way.answers.empty() || !way.published.empty() || way.closed || way.refused) {
            return false;
        }
        const auto& link = uplink(s, i);
        const auto& one = party(s, i);
        if (!link.cut && !(link.up.empty() && link.down.empty())) return false;
        if (!one.persisting.empty() || !one.storing.empty() || one.due) return false;
    }
    return !gate(s).storing;
}

void World::disturb(const State& s, std::vector<Action>& actions) const {
    const auto& limits = options_.limits;
    for (std::uint8_t i = 0; i < 2; ++i) {
        if (!party(s, i).up()) actions.push_back({Kind::boot, i});
        if (uplink(s, i).cut) actions.push_back({Kind::heal_uplink, i});
    }
    if (!gate(s).up()) actions.push_back({Kind::boot_gateway});
    if (peers(s).cut) actions.push_back({Kind::heal_peers});
    if (s.crashes < limits.crashes) enable_crashes(s, actions);
    if (s.cuts < limits.cuts) {
        for (std::uint8_t i = 0; i < 2; ++i) {
            if (!uplink(s, i).cut) actions.push_back({Kind::cut_uplink, i});
        }
        if (!peers(s).cut) actions.push_back({Kind::cut_peers});
    }
    for (std::uint8_t i = 0; i < 2; ++i) {
        const auto& one = party(s, i);
        if (!one.up()) continue;
        const bool master = one.node->role() == core::Role::master && one.node->serving() != 0;
        if (master && s.edits < limits.edits) actions.push_back({Kind::edit, i});
        if (master && s.switches < limits.switches) actions.push_back({Kind::switch_roles, i});
        if (s.late < limits.late && !one.due) actions.push_back({Kind::late, i});
    }
    if (s.late < limits.late && gate(s).up()) actions.push_back({Kind::late, 2});
}

/// Of what was on its way to a disk any first part may have arrived.
void World::enable_crashes(const State& s, std::vector<Action>& actions) const {
    for (std::uint8_t i = 0; i < 2; ++i) {
        const auto& one = party(s, i);
        if (!one.up()) continue;
        for (const auto kind : {Kind::kill, Kind::power_loss}) {
            for (std::size_t n = 0; n <= one.persisting.size(); ++n) {
                for (std::size_t m = 0; m <= one.storing.size(); ++m) {
                    actions.push_back({kind, i, small(n), small(m)});
                }
            }
        }
    }
    if (!gate(s).up()) return;
    actions.push_back({Kind::kill_gateway, 0, 0});
    if (gate(s).storing) actions.push_back({Kind::kill_gateway, 0, 1});
}

std::string World::apply(State& s, const Action& a) {
    violation_.clear();
    const auto who = a.who;
    switch (a.kind) {
        case Kind::question:
            deliver_question(s, a);
            break;
        case Kind::answer: {
            const auto answer = peers(s).to[who].answers[a.index];
            change_peers(s, [&](Peers& p) {
                auto& set = p.to[who].answers;
                set.erase(set.begin() + a.index);
            });
            run(s, who,
                {.kind = Input::Kind::answered,
                 .slot = answer.slot,
                 .flag = answer.pong,
                 .text = answer.text});
            break;
        }
        case Kind::publication: {
            const auto text = peers(s).to[who].published.front();
            change_peers(s, [&](Peers& p) {
                auto& list = p.to[who].published;
                list.erase(list.begin());
            });
            run(s, who, {.kind = Input::Kind::published, .text = text});
            break;
        }
        case Kind::closed:
            change_peers(s, [&](Peers& p) { p.to[who].closed = false; });
            run(s, who, {.kind = Input::Kind::link_lost});
            break;
        case Kind::refused:
            change_peers(s, [&](Peers& p) { p.to[who].refused = false; });
            run(s, who, {.kind = Input::Kind::refused});
            break;
        case Kind::to_gateway: {
            const auto letter = uplink(s, who).up.front();
            change_uplink(s, who, [&](Uplink& link) {
                link.up.erase(link.up.begin());
                if (letter.kind == Letter::Kind::close) link.gate = Uplink::End::closed;
                if (letter.kind != Letter::Kind::hello) return;
                const bool again = std::any_of(link.up.begin(), link.up.end(), [](const Letter& l) {
                    return l.kind == Letter::Kind::hello;
                });
                const bool current = link.node_open && !again;
                link.gate = current ? Uplink::End::current : Uplink::End::stale;
            });
            run(s, {.kind = GateInput::Kind::letter, .place = who, .letter = letter});
            break;
        }
        case Kind::to_node: {
            const auto letter = uplink(s, who).down.front();
            const bool closed = letter.kind == Letter::Kind::close;
            change_uplink(s, who, [&](Uplink& link) {
                link.down.erase(link.down.begin());
                if (closed) link.node_open = false;
            });
            Input input{.kind = Input::Kind::letter, .letter = letter};
            if (closed) input = {.kind = Input::Kind::hung_up};
            run(s, who, input);
            break;
        }
        case Kind::persisted:
            run(s, who, {.kind = Input::Kind::persisted});
            break;
        case Kind::stored:
            run(s, who, {.kind = Input::Kind::stored});
            break;
        case Kind::record_stored:
            run(s, {.kind = GateInput::Kind::stored});
            break;
        case Kind::tick:
            tick(s, who);
            break;
        case Kind::leap:
            if (gate(s).up()) pass_gateway(s, true);
            for (std::uint8_t i = 0; i < 2; ++i) {
                if (party(s, i).up()) run(s, i, {.kind = Input::Kind::pass});
            }
            break;
        case Kind::boot:
            run(s, who, {.kind = Input::Kind::boot, .flag = reachable(s, who)});
            break;
        case Kind::boot_gateway:
            run(s, {.kind = GateInput::Kind::boot});
            break;
        case Kind::heal_uplink:
            change_uplink(s, who, [](Uplink& link) { link.cut = false; });
            break;
        case Kind::heal_peers:
            change_peers(s, [](Peers& p) { p.cut = false; });
            break;
        case Kind::kill:
        case Kind::power_loss:
            crash(s, a);
            break;
        case Kind::kill_gateway:
            crash_gateway(s, a.index != 0);
            break;
        case Kind::cut_uplink:
            ++s.cuts;
            change_uplink(s, who, [](Uplink& link) { link.cut = true; });
            break;
        case Kind::cut_peers:
            ++s.cuts;
            change_peers(s, [](Peers& p) {
                p = {};
                p.cut = true;
            });
            break;
        case Kind::edit:
            run(s, who, {.kind = Input::Kind::edit, .slot = s.edits++});
            break;
        case Kind::switch_roles:
            ++s.switches;
            run(s, who, {.kind = Input::Kind::switch_roles});
            break;
        case Kind::late:
            ++s.late;
            if (who == 2) {
                pass_gateway(s, false);
            } else {
                run(s, who, {.kind = Input::Kind::pass, .flag = true});
            }
            break;
    }
    if (a.kind > Kind::leap) ++s.overlap;
    if (a.out_of_turn) ++s.turns;
    if (a.amid) ++s.amid;
    if (at_rest(s)) s.overlap = s.turns = 0;
    check(s);
    return std::exchange(violation_, {});
}

/// The transport answers a ping by itself, so question and answer to one are a single event.
void World::deliver_question(State& s, const Action& a) {
    const std::uint8_t asker = a.who == 0 ? 1 : 0;
    const auto question = peers(s).to[a.who].questions[a.index];
    change_peers(s, [&](Peers& p) {
        auto& set = p.to[a.who].questions;
        set.erase(set.begin() + a.index);
    });
    if (!question.ping) {
        return run(s, a.who, {.kind = Input::Kind::asked, .text = question.text}, question.slot);
    }
    if (question.slot == Peers::nobody) return;
    const auto pong = party(s, a.who).pong;
    run(s, asker,
        {.kind = Input::Kind::answered, .slot = question.slot, .flag = true, .text = pong});
}

/// What has been asked for longer than a leap has timed out.
void World::tick(State& s, std::uint8_t who) {
    const auto& pings = peers(s).to[1U - who].questions;
    const auto ping =
        std::find_if(pings.begin(), pings.end(), [](const auto& q) { return q.ping; });
    if (!party(s, who).late && ping != pings.end() && party(s, who).asks[ping->slot].expired) {
        deliver_question(s, {Kind::question, small(1U - who), small(ping - pings.begin())});
    }
    const auto& one = party(s, who);
    const auto expired = [&](std::uint8_t slot) {
        return slot != Peers::nobody && one.asks[slot].expired;
    };
    change_peers(s, [&](Peers& p) {
        for (auto& question : p.to[1U - who].questions) {
            if (expired(question.slot)) question.slot = Peers::nobody;
        }
        auto& questions = p.to[1U - who].questions;
        // A ping whose asker gave up changes nothing.
        std::erase_if(questions, [](const auto& q) { return q.ping && q.slot == Peers::nobody; });
        std::sort(questions.begin(), questions.end());
        std::erase_if(p.to[who].answers, [&](const auto& answer) { return expired(answer.slot); });
    });
    const bool silent = !reachable(s, who);
    run(s, who,
        {.kind = Input::Kind::tick,
         .slot = silent ? std::uint8_t{1} : std::uint8_t{0},
         .flag = !silent});
}

void World::crash(State& s, const Action& a) {
    const bool power = a.kind == Kind::power_loss;
    const std::size_t other = 1U - a.who;
    ++s.crashes;
    run(s, a.who, {.kind = Input::Kind::crash, .slot = a.index, .flag = power, .text = a.more});
    change_peers(s, [&](Peers& p) {
        p.to[a.who] = {};
        for (auto& question : p.to[other].questions) question.slot = Peers::nobody;
        std::erase_if(p.to[other].questions, [](const auto& question) { return question.ping; });
        std::sort(p.to[other].questions.begin(), p.to[other].questions.end());
        p.to[other].refused = false;
        // A host that lives closes the connections of its dead process.
        p.to[other].closed = !power && !p.cut && party(s, other).up();
    });
    change_uplink(s, a.who, [&](Uplink& link) {
        if (link.node_open && !power) link.up.push_back({.kind = Letter::Kind::close});
        if (link.gate == Uplink::End::current) link.gate = Uplink::End::stale;
        link.node_open = false;
        link.down.clear();
    });
}

void World::crash_gateway(State& s, bool record_survives) {
    ++s.crashes;
    run(s, {.kind = GateInput::Kind::crash, .flag = record_survives});
    for (std::uint8_t i = 0; i < 2; ++i) {
        change_uplink(s, i, [](Uplink& link) {
            link.up.clear();
            link.gate = Uplink::End::closed;
            if (link.node_open) link.down.push_back({.kind = Letter::Kind::close});
        });
    }
}

/// @param heard  Whoever can reach the gateway was heard by it meanwhile.
void World::pass_gateway(State& s, bool heard) {
    std::uint8_t places = 0;
    for (std::uint8_t i = 0; i < 2; ++i) {
        const auto& link = uplink(s, i);
        const bool lives = link.gate == Uplink::End::current && !link.cut && party(s, i).up();
        // A late gateway has not looked yet; it closes no connection that lives.
        if (lives && heard) places = small(places | 1U << i);
    }
    run(s, {.kind = GateInput::Kind::pass, .place = places});
}

// --- a run without faults ------------------------------------------------------------------------

std::string World::unrest(const State& s) const {
    const Party* master = nullptr;
    const Party* shadow = nullptr;
    for (std::size_t i = 0; i < 2; ++i) {
        if (!party(s, i).up()) return std::string(names[i]) + " is down";
        (party(s, i).node->role() == core::Role::master ? master : shadow) = &party(s, i);
    }
    if (master == nullptr) return "nobody is master";
    if (shadow == nullptr) return "both are masters";
    const std::string name = names[master->place], other = names[shadow->place];
    if (master->node->state() != core::State::active) {
        return name + " is " + to_string(master->node->state());
    }
    const auto& g = gate(s);
    if (g.active.life == 0 || g.active.place != master->place ||
        g.active.epoch != master->node->serving()) {
        return "the gateway does not route to " + name;
    }
    if (!g.in_sync(shadow->place)) return "the register does not count " + other + " as in sync";
    if (shadow->node->state() != core::State::ready) {
        return other + " is " + to_string(shadow->node->state());
    }
    if (master->node->durable() != shadow->node->durable()) return "the logs differ";
    if (master->node->log().document() != shadow->node->log().document()) {
        return "the documents differ";
    }
    for (const auto& position : acknowledged(s)) {
        if (!master->holds(position) || !shadow->holds(position)) {
            return "revision " + to_string(position.revision) + ", acknowledged, is not on both";
        }
    }
    return {};
}

std::string World::settle(State s) {
    std::vector<Action> actions;
    std::vector<State> way;
    std::string why = "nothing was tried";
    for (int steps = 0, quiet = 0; steps < settle_steps && quiet < settle_quiet; ++steps) {
        s = without_counts(s);
        enabled(s, actions);
        const auto healing = [](const Action& a) {
            return a.kind >= Kind::boot && a.kind <= Kind::heal_peers;
        };
        auto next = std::find_if(actions.begin(), actions.end(), healing);
        if (next == actions.end()) next = actions.begin();
        if (steps == 0 || next->kind == Kind::leap) {
            // What follows is determined by the state, so what settled once settles always.
            if (!options_.plain) s = renamed(s);
            if (settled_.contains(s)) break;
            way.push_back(s);
        }
        if (next->kind == Kind::leap) {
            why = unrest(s);
            quiet = why.empty() ? quiet + 1 : 0;
        }
        if (const auto violation = apply(s, *next); !violation.empty()) return violation;
        if (steps + 1 == settle_steps) return why.empty() ? "nothing is ever at rest" : why;
    }
    if (!options_.plain) settled_.insert(way.begin(), way.end());
    return {};
}

}  // namespace umbra::exploration
