#pragma once

#include "simulation/hash.hpp"
#include <umbra/core/node.hpp>

#include <algorithm>
#include <chrono>
#include <deque>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace umbra::core {

using namespace std::chrono_literals;

inline Entry edit_of(const std::string& key, const std::string& literal,
                     const std::string& op_id = {}) {
    Entry entry;
    entry.op_id = op_id;
    entry.author = "operator";
    entry.changes = {{key, literal}};
    return entry;
}

/// A log with that many more entries of one epoch; each sets a key of its own.
inline Log log_of(int entries, Epoch epoch = 1, Log log = Log{&simulation::quick_hash}) {
    for (int i = 0; i < entries; ++i) {
        const auto n = std::to_string(log.last().revision.seq + 1);
        log.append(epoch, edit_of("k" + n, n, "op" + n));
    }
    return log;
}

template <class T>
std::vector<T> all(const Effects& effects) {
    std::vector<T> found;
    for (const auto& one : effects) {
        if (const auto* it = std::get_if<T>(&one)) found.push_back(*it);
    }
    return found;
}

template <class T>
std::ptrdiff_t place(const Effects& effects) {
    return std::find_if(effects.begin(), effects.end(),
                        [](const Effect& e) { return std::holds_alternative<T>(e); }) -
           effects.begin();
}

/// A node with a clock that moves when it is told to and a disk that works when it is told to.
class Bench {
public:
    explicit Bench(const std::string& name, Role role, Persistent first = {},
                   Log log = Log{&simulation::quick_hash}, Settings settings = {})
        : node_([&] {
              settings.node = name;
              settings.incarnation = name + "-disk";
              settings.version = "1";
              first.role = role;
              first.ha_enabled = true;
              return Node(settings, first, std::move(log), Instant{1h});
          }()) {}

    /// Takes the fact, and whatever the disk completes because of it. @return all effects
    Effects tell(const Fact& fact) {
        Effects effects = node_.step(now, fact);
        for (std::size_t i = 0; i < effects.size() && disk_works; ++i) {
            Fact done = fact::Ticked{};
            if (const auto* persist = std::get_if<effect::Persist>(&effects[i])) {
                done = fact::Persisted{persist->version};
            } else if (const auto* append = std::get_if<effect::Append>(&effects[i])) {
                done = fact::Stored{append->op};
            } else if (const auto* cut = std::get_if<effect::Truncate>(&effects[i])) {
                done = fact::Stored{cut->op};
            } else if (const auto* install = std::get_if<effect::Install>(&effects[i])) {
                done = fact::Stored{install->op};
            } else if (const auto* compact = std::get_if<effect::Compact>(&effects[i])) {
                done = fact::Stored{compact->op};
            } else {
                continue;
            }
            const auto more = node_.step(now, done);
            effects.insert(effects.end(), more.begin(), more.end());
        }
        for (const auto& ping : all<effect::Ping>(effects)) ping_ = ping.ask;
        return effects;
    }
    /// Time passes in ticks. @return all effects
    Effects wait(Duration duration) {
        Effects effects;
        for (const auto end = now + duration; now < end;) {
            now += 25ms;
            const auto more = tell(fact::Ticked{});
            effects.insert(effects.end(), more.begin(), more.end());
        }
        return effects;
    }
    /// With one tunnel whose gateway arbitrates, paired, links standing by.
    Effects start_with_gateway(const RegisterView& view) {
        tell(fact::TunnelsConfigured{{{"main", true}}});
        tell(fact::Paired{true});
        auto effects = tell(fact::RegisterSeen{"main", view});
        const auto more = tell(fact::TunnelChanged{"main", TunnelState::standby});
        effects.insert(effects.end(), more.begin(), more.end());
        return effects;
    }
    Effects grant(const effect::Claim& claim, std::vector<Member> in_sync) {
        RegisterView view = view_of(claim.epoch, node_.settings().node, true, std::move(in_sync));
        return tell(fact::ClaimAnswered{claim.ask, true, view, {}});
    }
    /// The peer answers the ping that is out, or the next one.
    Effects pong(const wire::Pong& pong, Duration rtt = 1ms) {
        for (int i = 0; i < 20 && !ping_; ++i) wait(25ms);
        const AskId ask = std::exchange(ping_, std::nullopt).value();
        return tell(fact::Ponged{ask, wire::encode(pong), 0ns, rtt});
    }
    /// The ping that is out, or the next one, stays without an answer.
    Effects miss_ping() {
        for (int i = 0; i < 20 && !ping_; ++i) wait(25ms);
        return tell(fact::PingFailed{std::exchange(ping_, std::nullopt).value()});
    }
    /// Answers the last question to the peer among the effects.
    Effects answer(const Effects& asked, const wire::Message& message) {
        return tell(
            fact::PeerAnswered{all<effect::AskPeer>(asked).back().ask, wire::encode(message)});
    }
    /// Asks as the peer does. @return what the node answers
    wire::Message ask(const wire::Message& message) {
        return *wire::decode(
            all<effect::AnswerPeer>(tell(fact::PeerAsked{1, wire::encode(message)})).at(0).bytes);
    }
    static RegisterView view_of(Epoch epoch, const std::string& holder, bool alive,
                                std::vector<Member> in_sync) {
        RegisterView view;
        view.known = true;
        view.epoch = epoch;
        view.holder = holder;
        view.holder_alive = alive;
        view.in_sync = std::move(in_sync);
        return view;
    }

    [[nodiscard]] Node& node() { return node_; }

    Instant now{1h};
    bool disk_works = true;

private:
    std::optional<AskId> ping_;
    Node node_;
};

template <class T>
std::optional<T> asked(const Effects& effects) {
    for (const auto& one : all<effect::AskPeer>(effects)) {
        const auto message = wire::decode(one.bytes);
        if (const auto* it = message ? std::get_if<T>(&*message) : nullptr) return *it;
    }
    return std::nullopt;
}

/// Lets time pass until the question is among the effects.
template <class T>
Effects until_asked(Bench& node, Effects effects) {
    for (int i = 0; i < 40 && !asked<T>(effects); ++i) effects = node.wait(25ms);
    if (!asked<T>(effects)) throw std::runtime_error("what was waited for is never asked");
    return effects;
}

inline const Member alpha{"alpha", "alpha-disk"};
inline const Member beta{"beta", "beta-disk"};

/// What the gateway tells of epoch 1 of alpha: it hears alpha, or does not any more.
inline RegisterView alive_of_alpha() { return Bench::view_of(1, "alpha", true, {alpha, beta}); }
inline RegisterView lost_of_alpha() { return Bench::view_of(1, "alpha", false, {alpha, beta}); }

inline wire::Pong master_pong(Epoch epoch, const Position& last = {}) {
    return {"alpha", "alpha-disk", "1", Role::master, epoch, true, last};
}

/// Shadow `beta` of the master `alpha`, following epoch 1, in sync, standing by.
inline Bench shadow_in_sync(const Log& log = Log{&simulation::quick_hash},
                            const Settings& settings = {}) {
    Bench shadow("beta", Role::shadow, {}, log, settings);
    shadow.start_with_gateway(Bench::view_of(1, "alpha", true, {alpha, beta}));
    auto effects = shadow.pong(master_pong(1, log.last()));
    wire::HelloReply hello;
    hello.accepted = true;
    hello.node = "alpha";
    hello.epoch = 1;
    hello.common_seq = log.last().revision.seq;
    effects = shadow.answer(effects, hello);
    effects = shadow.answer(effects, wire::FetchReply{false, false, {}});
    shadow.answer(effects, wire::ReportReply{true, true, 1, log.last()});
    return shadow;
}

/// Master `alpha` of epoch 1 with `beta` in its in-sync set; it says hello and reports.
inline Bench master_with_shadow(std::vector<Member> in_sync = {alpha, beta},
                                const Settings& settings = {}) {
    Bench master("alpha", Role::master, {}, Log{&simulation::quick_hash}, settings);
    const auto effects = master.start_with_gateway(Bench::view_of(0, "", false, {}));
    master.grant(all<effect::Claim>(effects).at(0), std::move(in_sync));
    master.tell(fact::TunnelChanged{"main", TunnelState::active});
    return master;
}
inline wire::Hello hello_of_beta(Epoch epoch = 1) {
    wire::Hello hello;
    hello.node = beta.node;
    hello.incarnation = beta.incarnation;
    hello.epoch = epoch;
    hello.boundaries = {Position{}};
    return hello;
}
inline wire::Report report_of_beta(Epoch epoch, const Position& durable) {
    return {beta.node, beta.incarnation, epoch, durable, "ready", true, {}, 0};
}

}  // namespace umbra::core
