#include <umbra/core/state.hpp>

#include <algorithm>
#include <array>

namespace umbra::core {

namespace {

using enum State;

constexpr std::array table{
    Transition{starting, active,
               "a tunnel is active under its epoch; after a sleep: the register or the peer "
               "confirmed the role"},
    Transition{starting, draining,
               "handover begins: SIGTERM or an order, while no tunnel is active"},
    Transition{starting, disconnected,
               "the register names another instance, or an operator gave the role away"},
    Transition{starting, handshake, "the peer is master of a higher epoch, or comes first"},
    Transition{starting, fenced, "served before, and another was granted the epoch meanwhile"},
    Transition{active, starting,
               "every tunnel was lost, or the process was held up long enough to be suspected"},
    Transition{active, draining,
               "switch, SIGTERM, or tunnels lost for `on_tunnel_loss`: handover begins"},
    Transition{active, fenced, "the register granted a higher epoch, or the peer is master of one"},
    Transition{active, disconnected, "an operator forced it to be the shadow"},
    Transition{draining, active, "the handover failed: the master goes on"},
    Transition{draining, starting, "the handover failed while no tunnel is active"},
    Transition{draining, disconnected,
               "the successor was granted its epoch: this instance is its shadow"},
    Transition{draining, handshake, "the same, and the successor answers already"},
    Transition{draining, fenced, "an operator took the role by force meanwhile"},
    Transition{initial, disconnected, "keys were exchanged (`umbra peer join`)"},
    Transition{disconnected, initial, "`umbra peer reset`"},
    Transition{disconnected, handshake, "the master answers"},
    Transition{disconnected, initsync, "the master answers after a short silence: catching up"},
    Transition{disconnected, ready, "the master answers after a short silence: nothing was missed"},
    Transition{disconnected, lost, "it had been in sync, and the master does not answer"},
    Transition{disconnected, disconnecting, "`umbra peer disconnect`"},
    Transition{disconnected, taking_over,
               "the conditions of a takeover hold, or an operator forces one"},
    Transition{disconnecting, disconnected, "the order is on disk"},
    Transition{disconnecting, handshake, "`umbra peer connect` at once after it"},
    Transition{handshake, initsync, "the master accepts it as its shadow"},
    Transition{handshake, disconnected, "declined, or no answer"},
    Transition{handshake, disconnecting, "`umbra peer disconnect`"},
    Transition{handshake, lost, "it had been in sync, and the master does not answer"},
    Transition{handshake, taking_over,
               "the conditions of a takeover hold, or an operator forces one"},
    Transition{initsync, ready, "everything is durable here and the register counts it as in sync"},
    Transition{initsync, handshake, "the master restarted, or another is master now"},
    Transition{initsync, disconnected, "the master stopped answering before it was in sync"},
    Transition{initsync, disconnecting, "`umbra peer disconnect`"},
    Transition{initsync, lost, "it had been in sync, and the master does not answer"},
    Transition{initsync, taking_over,
               "the conditions of a takeover hold, or an operator forces one"},
    Transition{ready, initsync, "an edit is on its way, or it left the in-sync set"},
    Transition{ready, handshake, "the master restarted, or another is master now"},
    Transition{ready, disconnected, "the master gave up the role, or does not know it any more"},
    Transition{ready, disconnecting, "`umbra peer disconnect`"},
    Transition{ready, lost, "a check failed: the takeover delay runs"},
    Transition{ready, taking_over,
               "handover by consent, the conditions of a takeover hold, or an operator forces one"},
    Transition{lost, ready, "the master answers again: no takeover"},
    Transition{lost, initsync, "the master answers again: catching up"},
    Transition{lost, handshake, "the master restarted, or another is master now"},
    Transition{lost, disconnected, "the peer answers and is not master"},
    Transition{lost, disconnecting, "`umbra peer disconnect`"},
    Transition{lost, taking_over,
               "refused connection and lost at the gateway: at once; silence: after the takeover "
               "delay and the lease"},
    Transition{taking_over, starting, "granted, and the epoch is on disk: this instance is master"},
    Transition{taking_over, ready, "refused: the gateway hears the master"},
    Transition{taking_over, lost, "refused while the master does not answer"},
    Transition{taking_over, initsync, "refused while catching up"},
    Transition{taking_over, handshake, "refused, and the peer is master"},
    Transition{taking_over, disconnected, "refused, and nobody to follow"},
    Transition{taking_over, fenced, "refused, as it was before"},
    Transition{fenced, initsync, "follows the new master"},
    Transition{fenced, disconnected, "the new master declined it"},
    Transition{fenced, taking_over, "the new master is gone too, or an operator forces a takeover"},
    Transition{taking_over, disconnecting,
               "`umbra peer disconnect` came while the claim was under way"},
    Transition{taking_over, initial, "refused, and the keys were forgotten meanwhile"},
    Transition{disconnecting, taking_over, "an operator forces a takeover"},
    Transition{initial, taking_over, "an operator forces a takeover"},
    Transition{starting, initial,
               "the register names another instance, and no keys were exchanged"},
    Transition{active, initial, "another was granted the role, and no keys were exchanged"},
    Transition{lost, initial, "`umbra peer reset`"},
};

}  // namespace

const char* to_string(State state) {
    switch (state) {
        case State::starting:
            return "starting";
        case State::active:
            return "active";
        case State::draining:
            return "draining";
        case State::initial:
            return "initial";
        case State::disconnected:
            return "disconnected";
        case State::disconnecting:
            return "disconnecting";
        case State::handshake:
            return "handshake";
        case State::initsync:
            return "initsync";
        case State::ready:
            return "ready";
        case State::lost:
            return "lost";
        case State::taking_over:
            return "taking-over";
        case State::fenced:
            return "fenced";
    }
    return "unknown";
}

std::span<const Transition> transitions() { return table; }

bool is_transition(State from, State to) {
    return std::any_of(table.begin(), table.end(),
                       [&](const Transition& t) { return t.from == from && t.to == to; });
}

}  // namespace umbra::core
