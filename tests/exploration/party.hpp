#pragma once

#include "letter.hpp"
#include "options.hpp"
#include <umbra/core/node.hpp>

#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace umbra::exploration {

/// Every clock stands still except for leaps of this length: longer than the check interval, the
/// lease, the takeover delay and every retry, shorter than the time after which an edit is only
/// provisional or a handover is given up.
constexpr Duration leap_time{std::chrono::milliseconds{1200}};
/// The present, always: after every step the times that a node keeps are moved to it.
constexpr Instant present{std::chrono::hours{1}};
/// What is longer ago than any limit in the core is so long ago.
constexpr Duration horizon = 3 * leap_time;

/// One thing that happens to an instance.
struct Input {
    enum class Kind : std::uint8_t {
        boot,   ///< `flag`: the gateway can be reached.
        crash,  ///< `slot` persists and `text` stores of those under way survive; `flag`: power.
        pass,   ///< One leap of its clock. `flag`: nothing was answered meanwhile.
        tick,   ///< It notices. `flag`: the gateway can be reached; `slot`: link is silent.
        persisted,  ///< The first write of its state is durable.
        stored,     ///< The same of its log.
        letter,     ///< From the gateway.
        hung_up,    ///< The gateway closed the connection.
        asked,      ///< By the other instance: `text`.
        answered,   ///< `slot`, `text`; `flag`: to a ping.
        published,  ///< By the other instance.
        refused,    ///< The other host refuses connections.
        link_lost,  ///< The other host closed the connection.
        edit,       ///< `slot`: number of the edit.
        switch_roles,
    };
    Kind kind = Kind::boot;
    std::uint8_t slot = 0;
    bool flag = false;
    std::uint16_t used = 0;  ///< Numbers of questions to the gateway that are still under way.
    std::uint32_t text = 0;
    Letter letter{};

    bool operator==(const Input&) const = default;
};

/// One write of the log under way.
struct Write {
    enum class Kind : std::uint8_t { append, truncate, install, compact };
    Kind kind = Kind::append;
    std::uint64_t op = 0, seq = 0;
    std::vector<core::Logged> entries{};
    core::Position position{};
    std::string snapshot{};

    bool operator==(const Write&) const = default;
};

/// One instance as a value: the production `core::Node`, its disk, and the thin model of shell,
/// transport and tunnel agent between the two and the world. In normal form: two parties that
/// behave alike in every future are equal, whenever and by whatever way they came to be.
struct Party {
    static constexpr std::size_t asks_max = 8, gate_asks_max = 8;
    struct PeerAsk {
        core::AskId ask = 0;  ///< 0: the place is free.
        bool ping = false;
        bool expired = false;  ///< A leap ago it was already out.
        bool operator==(const PeerAsk&) const = default;
    };
    enum class GateKind : std::uint8_t { none, claim, consent, in_sync, activate };
    struct GateAsk {
        GateKind kind = GateKind::none;
        bool expired = false;
        core::AskId ask = 0;
        std::uint8_t epoch = 0;
        bool operator==(const GateAsk&) const = default;
    };
    struct Agent {
        bool linked = false, up = false;
        bool view_known = false, confirmed = false, draining = false;
        std::uint8_t silent = 0;  ///< Leaps without a word from the gateway.
        View view;
        core::Epoch known = 0, active = 0;
        TunnelState reported = TunnelState::down;
        std::array<GateAsk, gate_asks_max> asks{};
        bool operator==(const Agent&) const = default;
    };

    std::uint8_t place = 0;
    std::uint8_t life = 0;   ///< Number of the process.
    bool host_down = false;  ///< Nobody is left to refuse connections.
    bool due = false;        ///< A leap passed that the shell has not noticed yet.
    bool late = false;       ///< In that leap nothing came through.
    bool link_up = false;
    std::optional<core::Node> node;
    std::uint32_t pong = 0;                  ///< What it answers to pings.
    std::uint32_t heard = 0;                 ///< What the other one answered last.
    std::uint32_t role = 0, heard_role = 0;  ///< The same without the place in the log.
    std::array<PeerAsk, asks_max> asks{};
    Agent agent;
    // What survives a crash, and what is on its way there.
    core::Persistent durable;
    core::Snapshot base;
    std::vector<core::Logged> entries;
    std::deque<std::pair<std::uint64_t, core::Persistent>> persisting;
    std::deque<Write> storing;

    bool operator==(const Party&) const = default;

    [[nodiscard]] bool up() const { return node.has_value(); }
    /// Whether an answer to its ping would tell it anything. A master makes nothing of the place in
    /// the log that it names.
    [[nodiscard]] bool is_news(const Party& other) const {
        if (!link_up || node->watch().suspected()) return true;
        if (node->role() == core::Role::master) return other.role != heard_role;
        return other.pong != heard;
    }
    [[nodiscard]] bool holds(const core::Position& position) const;
};

/// Of every process of the instance.
[[nodiscard]] core::Settings settings_of(std::uint8_t place);
[[nodiscard]] Party new_party(std::uint8_t place);
/// The party after `input`, in normal form. What it does goes to `out`.
[[nodiscard]] Party step(Party party, const Input& input, Mutant mutant, Texts& texts, Outs& out);
[[nodiscard]] std::uint64_t hash_of(const Party& party);
/// Position of an edit as bytes, so that a text names it.
[[nodiscard]] std::string encode(const core::Position& position);
[[nodiscard]] core::Position decode_position(const std::string& bytes);

}  // namespace umbra::exploration
