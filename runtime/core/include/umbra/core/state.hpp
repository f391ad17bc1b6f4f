#pragma once

#include <cstdint>
#include <span>

namespace umbra::core {

/// What an instance is doing, as users see it (contract, `status --json`).
enum class State : std::uint8_t {
    // of a master
    starting,  ///< Does not serve: asks who is master, waits for a tunnel, or woke up.
    active,
    draining,  ///< A handover by consent is under way.
    // of a shadow
    initial,  ///< Was never paired.
    disconnected,
    disconnecting,
    handshake,
    initsync,
    ready,
    lost,
    taking_over,
    fenced,  ///< Was master until another took over, and has not followed it yet.
};

[[nodiscard]] const char* to_string(State state);

/// One arrow of the state diagram.
struct Transition {
    State from, to;
    const char* when;  ///< In words, for the table in the README of this room.
};

/// All there are. A change of state that is not among them is a fault of the core; the simulation
/// holds every life of a pair to it.
[[nodiscard]] std::span<const Transition> transitions();
[[nodiscard]] bool is_transition(State from, State to);

}  // namespace umbra::core
