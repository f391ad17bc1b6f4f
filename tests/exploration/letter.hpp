#pragma once

#include "intern.hpp"
#include <umbra/gateway/register.hpp>
#include <umbra/sdk/tunnel.hpp>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace umbra::exploration {

inline constexpr std::array<const char*, 2> names{"alpha", "beta"};
/// No disk is lost in this world, so each node has one incarnation.
inline constexpr std::array<const char*, 2> incarnations{"alpha-disk", "beta-disk"};
inline std::uint8_t place_of(const std::string& node) { return node == names[0] ? 0 : 1; }
/// 0 for nobody, else place + 1.
inline std::uint8_t holder_of(const std::string& node) {
    return node.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(place_of(node) + 1);
}

/// The register of the pair as the gateway shows it, in five bytes. The age of the holder's last
/// sign of life is left out: it is shown to people and decides nothing.
struct View {
    std::uint8_t epoch = 0, holder = 0, seq = 0, members = 0;
    bool alive = false;

    bool operator==(const View&) const = default;
};

/// One control message on the connection between an instance and the gateway.
struct Letter {
    enum class Kind : std::uint8_t {
        hello,
        claim,
        consent,
        in_sync,
        activate,
        drain,
        close,  ///< The connection ends; in both directions.
        welcome,
        push,
        holder_lost,
        fenced,
        claim_answer,
        answer,
        activated,
        activation_refused,
    };
    Kind kind = Kind::hello;
    std::uint8_t ask = 0;     ///< In a hello: the number of the process.
    std::uint8_t reason = 0;  ///< Of a claim.
    bool yes = false;         ///< Granted, accepted, may drain.
    View view{};              ///< What a request says stands in the field of the same name.

    bool operator==(const Letter&) const = default;
};

inline void mix(std::uint64_t& seed, const View& v) {
    mix(seed, static_cast<std::uint64_t>(v.epoch) | std::uint64_t{v.holder} << 8 |
                  std::uint64_t{v.seq} << 16 | std::uint64_t{v.members} << 24 |
                  std::uint64_t{v.alive} << 32);
}
inline void mix(std::uint64_t& seed, const Letter& l) {
    mix(seed, static_cast<std::uint64_t>(l.kind) | std::uint64_t{l.ask} << 8 |
                  std::uint64_t{l.reason} << 16 | std::uint64_t{l.yes} << 24);
    mix(seed, l.view);
}

[[nodiscard]] View to_view(const gateway::RegisterView& view);
[[nodiscard]] umbra::RegisterView to_host(const View& view);
[[nodiscard]] std::string to_string(const Letter& letter);

/// What a step of an instance or of the gateway brings into the world.
struct Out {
    enum class Kind : std::uint8_t {
        ping,          ///< `slot`: whose answer is awaited.
        ask,           ///< A question to the other instance, `text`, with `slot`.
        reply,         ///< To the question that was just delivered.
        publish,       ///< `text`.
        dial,          ///< A new connection to the gateway, `letter` is the hello.
        hang_up,       ///< The instance closes its connection to the gateway.
        to_gateway,    ///< `letter`.
        to_node,       ///< `letter`, to the node `slot`.
        close,         ///< The gateway closes the connection of node `slot`.
        granted,       ///< The gateway granted an epoch to node `slot`.
        acknowledged,  ///< An edit was acknowledged; `text` is its position.
        violation,     ///< `text` says of what.
        crashed,       ///< The instance asked to be stopped.
    };
    Kind kind = Kind::ping;
    std::uint8_t slot = 0;
    std::uint32_t text = 0;
    Letter letter{};
};
using Outs = std::vector<Out>;

}  // namespace umbra::exploration
