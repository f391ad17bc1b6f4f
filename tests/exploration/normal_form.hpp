#pragma once

#include "party.hpp"
#include <umbra/gateway/register.hpp>

#include <cstdint>

namespace umbra::exploration {

/// Times relative to the present, numbers of questions and writes from the lowest on, texts for
/// people left out. The only place that looks into the objects under test; `fields.py` compares it
/// with their headers.
void normalise(Party& party, Duration passed);
/// The same for the register.
void normalise(gateway::Register& reg, Duration passed);
/// A change of the in-sync set that never left the instance did not use up its number: nobody saw
/// it, and without this a cut would make new states for ever.
void forget_unsent_in_sync(core::Node& node);
/// Requests of that node which the register has not answered yet, a bit for each number.
[[nodiscard]] std::uint16_t open_asks(const gateway::Register& reg, const std::string& node);
/// Its holder agreed to a successor, not too long ago.
[[nodiscard]] bool has_consent(const gateway::Register& reg);
[[nodiscard]] std::uint64_t hash_of(const core::Node& node);
[[nodiscard]] std::uint64_t hash_of(const gateway::Register& reg);

}  // namespace umbra::exploration
