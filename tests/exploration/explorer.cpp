#include "explorer.hpp"

#include <algorithm>
#include <chrono>

namespace umbra::exploration {

namespace {

constexpr std::size_t table_at_first = std::size_t{1} << 16;

std::uint64_t hash_of(const State& s) {
    std::uint64_t h = s.party[0] | std::uint64_t{s.party[1]} << 32;
    mix(h, s.gate | std::uint64_t{s.peers} << 32);
    mix(h, s.uplink[0] | std::uint64_t{s.uplink[1]} << 32);
    mix(h, std::uint64_t{s.crashes} | std::uint64_t{s.cuts} << 8 | std::uint64_t{s.edits} << 16 |
               std::uint64_t{s.switches} << 24 | std::uint64_t{s.late} << 32 |
               std::uint64_t{s.ledger} << 40 | std::uint64_t{s.overlap} << 48 |
               std::uint64_t{s.turns} << 56);
    return h;
}

}  // namespace

void Explorer::grow() {
    table_.assign(std::max(table_at_first, table_.size() * 2), 0);
    const auto mask = table_.size() - 1;
    for (std::uint32_t i = 0; i < states_.size(); ++i) {
        auto at = hash_of(states_[i]) & mask;
        while (table_[at] != 0) at = (at + 1) & mask;
        table_[at] = i + 1;
    }
}

bool Explorer::visit(const State& state, std::uint32_t parent, std::size_t action) {
    if ((states_.size() + 1) * 10 >= table_.size() * 7) grow();
    const auto mask = table_.size() - 1;
    auto at = hash_of(state) & mask;
    for (; table_[at] != 0; at = (at + 1) & mask) {
        if (states_[table_[at] - 1] == state) return false;
    }
    states_.push_back(state);
    origins_.push_back({parent, static_cast<std::uint16_t>(action)});
    table_[at] = static_cast<std::uint32_t>(states_.size());
    return true;
}

void Explorer::tell_way(std::uint32_t number, std::vector<std::string>& trace) {
    std::vector<std::uint16_t> way;
    for (; number != 0; number = origins_[number].parent) way.push_back(origins_[number].action);
    State state = states_[0];
    trace.push_back("start: " + world_.show(state));
    for (auto it = way.rbegin(); it != way.rend(); ++it) {
        world_.enabled(state, actions_);
        const auto action = actions_[*it];
        trace.push_back(world_.describe(state, action));
        static_cast<void>(world_.apply(state, action));
    }
    trace.push_back("here: " + world_.show(state));
}

/// @return false after a violation
bool Explorer::expand(std::uint32_t number, Report& report) {
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
    for (std::size_t i = 0; i < actions_.size(); ++i) {
        State to = from;
        ++report.transitions;
        report.violation = world_.apply(to, actions_[i]);
        if (!report.violation.empty()) {
            const auto last = actions_[i];
            tell_way(number, report.trace);
            report.trace.push_back(world_.describe(from, last));
            report.trace.push_back("then: " + world_.show(to));
            return false;
        }
        visit(to, number, i);
    }
    return true;
}

Explorer::Report Explorer::run() {
    Report report;
    const auto start = std::chrono::steady_clock::now();
    visit(world_.start(), 0, 0);
    std::size_t next = 0, level_end = 1;
    bool good = true;
    while (good && next < states_.size()) {
        if (next == level_end) {
            if (report.depth == options_.limits.depth) {
                report.bound = "depth";
                break;
            }
            ++report.depth;
            level_end = states_.size();
        }
        if (states_.size() >= options_.limits.states_max) {
            report.bound = "states";
            break;
        }
        good = expand(static_cast<std::uint32_t>(next++), report);
    }
    report.complete = good && next == states_.size();
    report.states = states_.size();
    report.parts = world_.parts();
    report.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return report;
}

}  // namespace umbra::exploration
