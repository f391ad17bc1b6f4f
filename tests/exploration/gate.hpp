#pragma once

#include "letter.hpp"
#include "options.hpp"
#include <umbra/gateway/register.hpp>

#include <optional>

namespace umbra::exploration {

/// One thing that happens to the gateway.
struct GateInput {
    enum class Kind : std::uint8_t {
        boot,
        crash,   ///< `flag`: the write under way survives.
        pass,    ///< One leap of its clock. `place`: bits of the nodes that were heard meanwhile.
        stored,  ///< Its record is durable.
        letter,  ///< From node `place`.
    };
    Kind kind = Kind::boot;
    std::uint8_t place = 0;
    bool flag = false;
    Letter letter{};

    bool operator==(const GateInput&) const = default;
};

/// The gateway as a value, in normal form: the production register, its disk and its links.
struct Gate {
    struct Link {
        bool open = false;
        std::uint8_t life = 0;    ///< Of the process at the other end.
        std::uint8_t silent = 0;  ///< Leaps without a word from it.
        bool operator==(const Link&) const = default;
    };
    /// Whom clients are routed to. `life` 0: nobody, they are parked.
    struct Active {
        std::uint8_t place = 0, life = 0, epoch = 0;
        bool operator==(const Active&) const = default;
    };

    std::optional<gateway::Register> reg;
    gateway::Record disk;
    std::optional<gateway::Record> storing;
    std::array<Link, 2> links{};
    Active active;
    // What the invariants remember. All of it follows from the record while no rule is broken.
    std::uint8_t granted = 0, granted_to = 0, routed = 0;

    bool operator==(const Gate&) const = default;

    [[nodiscard]] bool up() const { return reg.has_value(); }
    [[nodiscard]] bool in_sync(std::uint8_t place) const {
        return disk.in_sync.contains({names[place], incarnations[place]});
    }
};

[[nodiscard]] Gate step(Gate gate, const GateInput& input, Mutant mutant, Texts& texts, Outs& out);
[[nodiscard]] std::uint64_t hash_of(const Gate& gate);

}  // namespace umbra::exploration
