// The instance's side of the connection to the gateway, after the production agent.

#include "shell.hpp"

#include <algorithm>

namespace umbra::exploration {

namespace fact = core::fact;
using GateKind = Party::GateKind;

void Shell::dial(bool reachable) {
    auto& a = p_.agent;
    if (!p_.node || a.linked || !reachable) return;
    a.linked = true;
    a.silent = 0;
    Letter hello{.kind = Letter::Kind::hello, .ask = p_.life};
    hello.view.epoch = static_cast<std::uint8_t>(a.known);
    out_.push_back({.kind = Out::Kind::dial, .slot = p_.place, .letter = hello});
}

/// @param told  The gateway does not know yet.
void Shell::hang_up(bool told) {
    auto& a = p_.agent;
    if (told) out_.push_back({.kind = Out::Kind::hang_up, .slot = p_.place});
    a.linked = a.up = a.confirmed = false;
    a.silent = 0;
    for (auto& ask : a.asks) fail(std::exchange(ask, {}));
}

void Shell::opened(const Letter& letter) {
    auto& a = p_.agent;
    using Kind = Letter::Kind;
    switch (letter.kind) {
        case Kind::welcome:
            a.up = true;
            on_view(letter.view);
            resume_serving();
            return changed();
        case Kind::push:
            return on_view(letter.view);
        case Kind::holder_lost:
            a.view = letter.view;
            a.view_known = true;
            return tell_view(true);
        case Kind::fenced:
            return fenced(letter);
        default:
            return answered(letter);
    }
}

void Shell::fenced(const Letter& letter) {
    auto& a = p_.agent;
    a.view = letter.view;
    a.view_known = true;
    if (letter.view.epoch <= a.active) return;
    stop_serving();
    a.draining = a.draining || letter.yes;
    tell_view(false);
    changed();
}

void Shell::answered(const Letter& letter) {
    auto& a = p_.agent;
    const auto ask = std::exchange(a.asks[letter.ask], {});
    if (ask.kind == GateKind::none) return;
    switch (letter.kind) {
        case Letter::Kind::claim_answer:
            a.view = letter.view;
            a.view_known = true;
            return tell(fact::ClaimAnswered{ask.ask, letter.yes, to_host(letter.view), ""});
        case Letter::Kind::answer:
            if (ask.kind == GateKind::in_sync) {
                tell(fact::InSyncAnswered{ask.ask, letter.yes});
            } else {
                tell(fact::ConsentAnswered{ask.ask, letter.yes, ""});
            }
            return;
        case Letter::Kind::activated:
            if (ask.epoch != a.active) return;
            a.confirmed = true;
            return changed();
        case Letter::Kind::activation_refused:
            if (ask.epoch == a.active && letter.view.epoch <= a.active) stop_serving();
            on_view(letter.view);
            return changed();
        default:
            return violate("a letter of an unknown kind");
    }
}

// --- state ---------------------------------------------------------------------------------------

void Shell::on_view(const View& view) {
    auto& a = p_.agent;
    const bool over = a.active != 0 && view.epoch > a.active;
    const bool news = over || !a.view_known || a.view != view;
    a.view = view;
    a.view_known = true;
    if (over) stop_serving();
    if (news) tell_view(false);
    if (over) changed();
}

void Shell::tell_view(bool holder_lost) {
    if (p_.agent.view_known) {
        tell(fact::RegisterSeen{"main", to_host(p_.agent.view), holder_lost});
    }
}

void Shell::resume_serving() {
    auto& a = p_.agent;
    if (a.active == 0 || a.view.epoch != a.active || a.view.holder != p_.place + 1) return;
    a.confirmed = false;
    Letter letter{.kind = Letter::Kind::activate};
    letter.view.epoch = static_cast<std::uint8_t>(a.active);
    ask_gateway(GateKind::activate, 0, letter);
}

void Shell::stop_serving() {
    p_.agent.active = 0;
    p_.agent.confirmed = false;
}

TunnelState Shell::tunnel_state() const {
    const auto& a = p_.agent;
    if (!a.up) return TunnelState::connecting;
    if (a.draining) return TunnelState::draining;
    return a.active != 0 && a.confirmed ? TunnelState::active : TunnelState::standby;
}

void Shell::changed() {
    const auto state = tunnel_state();
    if (state == p_.agent.reported) return;
    p_.agent.reported = state;
    tell_view(false);
    tell(fact::TunnelChanged{"main", state});
}

// --- what the core wants -------------------------------------------------------------------------

void Shell::fail(const Party::GateAsk& ask) {
    switch (ask.kind) {
        case GateKind::claim:
            return tell(fact::ClaimFailed{ask.ask, ""});
        case GateKind::consent:
            return tell(fact::ConsentAnswered{ask.ask, false, ""});
        case GateKind::in_sync:
            return tell(fact::InSyncAnswered{ask.ask, false});
        case GateKind::activate:
        case GateKind::none:
            return;
    }
}

void Shell::ask_gateway(GateKind kind, core::AskId ask, Letter letter) {
    const Party::GateAsk one{kind, false, ask, letter.view.epoch};
    auto& a = p_.agent;
    if (!a.up) return fail(one);
    // Each kind has a place of its own, so that the order in which they were asked leaves no trace.
    for (auto slot = static_cast<std::uint8_t>(kind); slot < Party::gate_asks_max; ++slot) {
        if (a.asks[slot].kind != GateKind::none || (used_ >> slot & 1U) != 0) continue;
        a.asks[slot] = one;
        letter.ask = slot;
        out_.push_back({.kind = Out::Kind::to_gateway, .slot = p_.place, .letter = letter});
        return;
    }
    violate(std::string(names[p_.place]) + " asks the gateway more at a time than it may");
}

void Shell::activate(core::Epoch epoch) {
    auto& a = p_.agent;
    const bool over = epoch < a.active || (a.view_known && epoch < a.view.epoch);
    if (over && mutant_ != Mutant::gateway_routes_any_epoch) return;
    if (!a.up) return;
    a.draining = false;
    a.known = std::max(a.known, epoch);
    a.active = epoch;
    a.confirmed = false;
    Letter letter{.kind = Letter::Kind::activate};
    letter.view.epoch = static_cast<std::uint8_t>(epoch);
    ask_gateway(GateKind::activate, 0, letter);
    changed();
}

void Shell::drain(Duration grace) {
    auto& a = p_.agent;
    if (a.active != 0 && a.linked && a.view.epoch <= a.active) {
        Letter letter{.kind = Letter::Kind::drain};
        letter.view.epoch = static_cast<std::uint8_t>(a.active);
        out_.push_back({.kind = Out::Kind::to_gateway, .slot = p_.place, .letter = letter});
    }
    stop_serving();
    a.draining = grace != Duration{};
    changed();
    if (grace == Duration{}) tell(fact::Drained{});
}

}  // namespace umbra::exploration
