#pragma once

#include "gate.hpp"
#include "network.hpp"
#include "party.hpp"

#include <array>
#include <cstdint>
#include <string>

namespace umbra::exploration {

/// Epochs, changes of the in-sync set and processes carry numbers that only grow, so a pair that
/// has recovered would never be where it was. The code under test asks of two such numbers only
/// which one is higher and whether one follows the other, so a world whose numbers are lower by a
/// gap behaves alike. Entries of the log are left as they are: their hashes cover the epoch.
constexpr std::size_t numbers_max = 16;

/// Which numbers a part of the world uses, a bit each.
struct Used {
    std::uint16_t epochs = 0, seqs = 0;
    std::uint16_t reported = 0;  ///< Epochs that an instance tells the gateway it knows of.
    std::array<std::uint16_t, 2> lives{};
    std::array<std::uint16_t, 2> remembered{};   ///< Processes that the gateway knew before.
    std::array<std::uint8_t, 2> last_of_down{};  ///< Of an instance that is down.
    std::uint8_t logged = 0;  ///< Highest epoch of an entry of the log; it and those below stay.
    std::uint8_t record = 0;  ///< Epoch of the record of the gateway.
    bool fixed = false;       ///< Somebody knows of no epoch yet, or a number is too high to name.

    void operator|=(const Used& other);
};

/// New numbers for the old ones, in the same order. What is not used becomes 0, as 0 does.
struct Renaming {
    std::array<std::uint8_t, numbers_max> epochs{}, seqs{};
    std::array<std::array<std::uint8_t, numbers_max>, 2> lives{};
    std::array<std::uint8_t, 2> lives_used{};
    std::uint8_t record = 0;

    [[nodiscard]] std::string bytes() const;
};

[[nodiscard]] Used used_by(Party party, const Texts& texts);
[[nodiscard]] Used used_by(Gate gate);
[[nodiscard]] Used used_by(Uplink uplink, std::uint8_t place);
[[nodiscard]] Used used_by(Peers peers, const Texts& texts);
[[nodiscard]] Used used_by(const core::Position& position);

/// Whether that renaming changes nothing. @pre not `used.fixed`
[[nodiscard]] bool keeps_names(const Used& used, const Renaming& renaming);
/// @pre not `used.fixed`
[[nodiscard]] Renaming make_renaming(const Used& used);

[[nodiscard]] Party rename(Party party, const Renaming& renaming, Texts& texts);
[[nodiscard]] Gate rename(Gate gate, const Renaming& renaming);
[[nodiscard]] Uplink rename(Uplink uplink, std::uint8_t place, const Renaming& renaming);
[[nodiscard]] Peers rename(Peers peers, const Renaming& renaming, Texts& texts);

}  // namespace umbra::exploration
