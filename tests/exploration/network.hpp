#pragma once

#include "letter.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

namespace umbra::exploration {

/// The way between one instance and the gateway: a connection delivers in order and loses nothing
/// while both ends live; what a cut holds up arrives after it.
struct Uplink {
    /// Which connection an end holds. A gateway can hold one that the instance has given up.
    enum class End : std::uint8_t { closed, current, stale };

    bool cut = false;
    bool node_open = false;
    End gate = End::closed;
    std::vector<Letter> up, down;

    bool operator==(const Uplink&) const = default;
};

/// The way between the two instances. A cut loses what is under way. Questions, answers and what is
/// published travel on sockets of their own, so only the last stay in order among themselves.
struct Peers {
    static constexpr std::uint8_t nobody = 255;  ///< Slot of a question whose asker gave up.
    struct Question {
        std::uint8_t slot = 0;
        bool ping = false;
        std::uint32_t text = 0;
        auto operator<=>(const Question&) const = default;
    };
    struct Answer {
        std::uint8_t slot = 0;
        bool pong = false;
        std::uint32_t text = 0;
        auto operator<=>(const Answer&) const = default;
    };
    /// Towards one instance. Questions and answers are kept sorted: they are sets.
    struct Way {
        std::vector<std::uint32_t> published;
        std::vector<Question> questions;
        std::vector<Answer> answers;
        bool closed = false;   ///< The news that the other process ended.
        bool refused = false;  ///< The answer of a host on which it does not run.
        bool operator==(const Way&) const = default;
    };

    bool cut = false;
    std::array<Way, 2> to;

    bool operator==(const Peers&) const = default;
};

inline std::uint64_t hash_of(const Uplink& u) {
    std::uint64_t h = 11;
    mix(h, std::uint64_t{u.cut} | std::uint64_t{u.node_open} << 1 |
               static_cast<std::uint64_t>(u.gate) << 2 | u.up.size() << 8 | u.down.size() << 16);
    for (const auto& letter : u.up) mix(h, letter);
    for (const auto& letter : u.down) mix(h, letter);
    return h;
}

inline std::uint64_t hash_of(const Peers& p) {
    std::uint64_t h = 12;
    for (const auto& way : p.to) {
        mix(h, std::uint64_t{p.cut} | std::uint64_t{way.closed} << 1 |
                   std::uint64_t{way.refused} << 2 | way.published.size() << 8 |
                   way.questions.size() << 16 | way.answers.size() << 24);
        for (const auto text : way.published) mix(h, std::uint64_t{text});
        for (const auto& q : way.questions) {
            mix(h,
                std::uint64_t{q.slot} | std::uint64_t{q.ping} << 8 | std::uint64_t{q.text} << 16);
        }
        for (const auto& a : way.answers) {
            mix(h,
                std::uint64_t{a.slot} | std::uint64_t{a.pong} << 8 | std::uint64_t{a.text} << 16);
        }
    }
    return h;
}

/// Keeps a set sorted.
template <class T>
void put(std::vector<T>& set, T value) {
    set.insert(std::upper_bound(set.begin(), set.end(), value), value);
}

}  // namespace umbra::exploration
