#pragma once

#include <umbra/core/log.hpp>
#include <umbra/core/merge.hpp>
#include <umbra/core/settings.hpp>
#include <umbra/core/types.hpp>
#include <umbra/sdk/time.hpp>
#include <umbra/sdk/tunnel.hpp>

#include <map>
#include <optional>
#include <string>
#include <variant>

namespace umbra::core {

/// Number of a question. An answer carries the number of what it answers; an answer to an older
/// question is dropped.
using AskId = std::uint64_t;
/// Number of a request by an operator, given by the shell.
using RequestId = std::uint64_t;

/// What the shell reports to the core. Named in the past tense.
namespace fact {

struct Ticked {
    std::int64_t wall_ms = 0;  ///< Unix time, for people only; 0 = as before.
};
/// The loop did not run for `gap`, though it should have: suspend, SIGSTOP, starvation.
struct LoopWasLate {
    Duration gap;
};

// Durability. Storage operations complete in the order of their numbers.
struct Persisted {
    std::uint64_t version;
};
struct Stored {
    std::uint64_t op;
};

// The other instance.
/// At the start, whatever it is (before it is known, nobody becomes master without a gateway), and
/// after every change.
struct Paired {
    bool paired;  ///< Keys are pinned; false after a reset.
};
struct LinkCameUp {};
struct LinkWasLost {
    std::string detail;
};
struct PeerRefused {
    std::string detail;  ///< The peer's host refuses connections.
};
struct Ponged {
    AskId ask;
    std::string bytes;
    Duration loop_age;  ///< Since the peer's main loop last showed a sign of life.
    Duration rtt;
};
struct PingFailed {
    AskId ask;
};
struct PeerAnswered {
    AskId ask;
    std::string bytes;
};
struct PeerDidNotAnswer {
    AskId ask;
};
struct PeerAsked {
    std::uint64_t id;  ///< To be answered.
    std::string bytes;
};
struct PeerPublished {
    std::string bytes;
};

// Tunnels.
/// At the start, also when there are none (before it is known, nobody becomes master), and after
/// every change.
struct TunnelsConfigured {
    std::map<std::string, bool> fences;  ///< Name -> whether its far end arbitrates.
};
struct TunnelChanged {
    std::string tunnel;
    TunnelState state;
    Duration unheard{};  ///< While it is down: age of the far end's last sign of life, if known.
};
struct RegisterSeen {
    std::string tunnel;
    RegisterView view;
    bool holder_lost = false;  ///< Just now the gateway stopped hearing the holder.
};
struct ClaimAnswered {
    AskId ask;
    bool granted;
    RegisterView view;
    std::string detail;
};
struct ClaimFailed {
    AskId ask;
    std::string detail;
};
struct InSyncAnswered {
    AskId ask;
    bool ok;
};
struct ConsentAnswered {
    AskId ask;
    bool ok;
    std::string detail;
};
struct Drained {};  ///< Every tunnel gave up its last stream.

// Operators, and the configuration they made.
struct EditRequested {
    RequestId request;
    Entry edit;  ///< op_id, author, message, time_ms, changes; the rest is filled in.
    std::optional<Revision> if_revision;
};
/// At the start, for each that is on disk and not resolved: what an earlier run saved.
struct DivergenceLoaded {
    SavedEdits edits;
    std::vector<Fate> fates;  ///< Empty when nobody merged it yet.
    Revision revision;        ///< Of the edit that merged it.
};
/// An operator wants the saved values of what conflicts to be applied.
struct DivergenceMergeRequested {
    RequestId request;
    std::string id;
    std::string author;
};
/// An operator wants nothing of it any more; the shell has noted that.
struct DivergenceDropped {
    std::string id;
};
struct SwitchRequested {
    RequestId request;
    bool force;
};
struct PauseRequested {
    RequestId request;
    bool paused;
    std::int64_t until_ms = 0;  ///< As `Pause::until_ms`.
};
struct ConnectRequested {
    RequestId request;
    bool connect;
};
struct EnableRequested {
    RequestId request;
    bool enabled;
};
struct PolicyChanged {
    TakeoverPolicy policy;
};
struct StopRequested {};  ///< SIGTERM.

}  // namespace fact

using Fact =
    std::variant<fact::Ticked, fact::LoopWasLate, fact::Persisted, fact::Stored, fact::Paired,
                 fact::LinkCameUp, fact::LinkWasLost, fact::PeerRefused, fact::Ponged,
                 fact::PingFailed, fact::PeerAnswered, fact::PeerDidNotAnswer, fact::PeerAsked,
                 fact::PeerPublished, fact::TunnelsConfigured, fact::TunnelChanged,
                 fact::RegisterSeen, fact::ClaimAnswered, fact::ClaimFailed, fact::InSyncAnswered,
                 fact::ConsentAnswered, fact::Drained, fact::EditRequested, fact::DivergenceLoaded,
                 fact::DivergenceMergeRequested, fact::DivergenceDropped, fact::SwitchRequested,
                 fact::PauseRequested, fact::ConnectRequested, fact::EnableRequested,
                 fact::PolicyChanged, fact::StopRequested>;

}  // namespace umbra::core
