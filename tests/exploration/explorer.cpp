#include "explorer.hpp"

#include <algorithm>
#include <chrono>

namespace umbra::exploration {

namespace {

constexpr std::size_t table_at_first = std::size_t{1} << 16, ways_kept = std::size_t{1} << 21;

std::uint64_t entry_of(std::uint64_t hash, std::uint32_t number) {
    return (hash >> 32U << 32U) | (number + 1);
}
std::uint32_t number_in(std::uint64_t entry) { return static_cast<std::uint32_t>(entry) - 1; }

bool same_world(const State& a, const State& b) {
    return a.party == b.party && a.gate == b.gate && a.uplink == b.uplink && a.peers == b.peers &&
           a.ledger == b.ledger;
}

/// At rest in the world `there`, with the counts of `under_way`.
State arrived(const State& under_way, State there) {
    there.crashes = under_way.crashes;
    there.cuts = under_way.cuts;
    there.edits = under_way.edits;
    there.switches = under_way.switches;
    there.late = under_way.late;
    there.amid = under_way.amid;
    there.overlap = there.turns = 0;
    return there;
}

}  // namespace

bool Explorer::covers(const State& by, const State& state) const {
    if (!same_world(by, state)) return false;
    if (options_.plain) return by == state;
    // Edits are told apart by their number.
    const bool edits = by.edits == state.edits || state.edits >= options_.limits.edits;
    return edits && by.edits <= state.edits && by.crashes <= state.crashes &&
           by.cuts <= state.cuts && by.switches <= state.switches && by.late <= state.late &&
           by.overlap <= state.overlap && by.turns <= state.turns && by.amid <= state.amid;
}

/// Of a state that covers it, or the free place where it belongs.
std::size_t Explorer::place_of(const State& state, std::uint64_t hash) const {
    const auto mask = table_.size() - 1;
    auto at = hash & mask;
    for (; table_[at] != 0; at = (at + 1) & mask) {
        const auto entry = table_[at];
        if (entry >> 32U == hash >> 32U && covers(states_[number_in(entry)], state)) break;
    }
    return at;
}

bool Explorer::covers(const State& state) const {
    return table_[place_of(state, hash_of(state))] != 0;
}

void Explorer::grow() {
    table_.assign(std::max(table_at_first, table_.size() * 2), 0);
    const auto mask = table_.size() - 1;
    for (std::uint32_t i = 0; i < states_.size(); ++i) {
        const auto hash = hash_of(states_[i]);
        auto at = hash & mask;
        while (table_[at] != 0) at = (at + 1) & mask;
        table_[at] = entry_of(hash, i);
    }
}

void Explorer::visit(const State& state, std::uint32_t parent, std::size_t action,
                     std::uint32_t depth) {
    if ((states_.size() + 1) * 10 >= table_.size() * 7) grow();
    const auto s = options_.plain ? state : world_.renamed(state);
    const auto hash = hash_of(s);
    const auto at = place_of(s, hash);
    if (table_[at] != 0) return;
    states_.push_back(s);
    origins_.push_back({parent, static_cast<std::uint16_t>(action)});
    const auto number = static_cast<std::uint32_t>(states_.size() - 1);
    table_[at] = entry_of(hash, number);
    const std::uint32_t disturbances = s.crashes + s.cuts + s.edits + s.switches + s.late;
    left_[{options_.plain ? 0 : disturbances, depth}].push_back(number);
}

void Explorer::tell_way(std::uint32_t number, std::vector<std::string>& trace) {
    std::vector<std::uint16_t> way;
    for (; number != 0; number = origins_[number].parent) way.push_back(origins_[number].action);
    State state = states_[0];
    trace.push_back("start: " + world_.show(state));
    for (auto it = way.rbegin(); it != way.rend(); ++it) {
        world_.enabled(state, actions_);
        static_cast<void>(follow(state, actions_[*it], &trace));
        if (!options_.plain) state = world_.renamed(state);
    }
    trace.push_back("here: " + world_.show(state));
}

/// @return false after a violation
bool Explorer::expand(std::uint32_t number, std::uint32_t depth, Report& report) {
    const State from = states_[number];
    world_.enabled(from, actions_);
    const bool rests = !World::bound_to_happen(actions_.front());
    if (rests && at_rest_++ % options_.settle_every == 0) {
        ++report.settled;
        if (const auto why = world_.settle(from); !why.empty()) {
            report.violation = "healed and left alone, " + why;
            tell_way(number, report.trace);
            return false;
        }
        world_.enabled(from, actions_);
    }
    const auto actions = actions_;
    for (std::size_t i = 0; i < actions.size(); ++i) {
        State to = from;
        steps_ = 0;
        report.violation = follow(to, actions[i], nullptr);
        report.transitions += steps_;
        if (!report.violation.empty()) {
            tell_way(number, report.trace);
            to = from;
            static_cast<void>(follow(to, actions[i], &report.trace));
            report.trace.push_back("then: " + world_.show(to));
            return false;
        }
        visit(to, number, i, depth + steps_);
    }
    return true;
}

/// Applies `action` and then what is forced: a state under way in which only one thing can happen
/// is passed through and not kept.
std::string Explorer::follow(State& state, Action action, std::vector<std::string>* story) {
    const auto apply = [&] {
        ++steps_;
        if (story != nullptr) story->push_back(world_.describe(state, action));
        return world_.apply(state, action);
    };
    if (auto violation = apply(); !violation.empty()) return violation;
    if (options_.plain || !forced(state, action)) return {};
    Way* way = nullptr;
    State from;
    if (runs_to_rest(state)) {
        state = world_.renamed(state);
        from = without_counts(state);
        way = &ways_[hash_of(from) % ways_.size()];
        if (way->steps != 0 && way->from == from && story == nullptr) {
            steps_ += way->steps;
            state = arrived(state, way->to);
            return {};
        }
    }
    const auto before = steps_;
    while (forced(state, action)) {
        if (auto violation = apply(); !violation.empty()) return violation;
    }
    if (way != nullptr && story == nullptr) *way = {from, state, steps_ - before};
    return {};
}

/// Whether only one thing can happen in a state under way, and which. @param next  Unchanged when
/// there is a choice.
bool Explorer::forced(const State& state, Action& next) {
    if (options_.plain) return false;
    world_.enabled(state, actions_);
    if (actions_.size() != 1 || !World::bound_to_happen(actions_.front())) return false;
    next = actions_.front();
    return true;
}

/// No turn and no disturbance is left before the next rest, so the way there depends on no count.
bool Explorer::runs_to_rest(const State& state) const {
    const auto& limits = options_.limits;
    return limits.turns != any_order && state.turns >= limits.turns &&
           (state.overlap >= limits.overlap || state.amid >= limits.amid);
}

Explorer::Report Explorer::run() {
    Report report;
    const auto start = std::chrono::steady_clock::now();
    if (!options_.plain) ways_.resize(ways_kept);
    visit(world_.start(), 0, 0, 0);
    bool good = true;
    std::uint32_t level = 0;
    while (good && report.bound.empty() && !left_.empty()) {
        const auto next = left_.extract(left_.begin());
        const auto [disturbances, depth] = next.key();
        if (progress && disturbances != level) progress(level = disturbances, states_.size());
        report.depth = std::max(report.depth, depth);
        for (const auto number : next.mapped()) {
            if (depth >= options_.limits.depth) report.bound = "depth";
            if (states_.size() >= options_.limits.states_max) report.bound = "states";
            good = good && report.bound.empty() && expand(number, depth, report);
            if (!good) break;
        }
    }
    report.complete = good && report.bound.empty();
    report.states = states_.size();
    report.parts = world_.parts();
    report.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return report;
}

}  // namespace umbra::exploration
