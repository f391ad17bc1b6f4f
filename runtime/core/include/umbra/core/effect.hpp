#pragma once

#include <umbra/core/fact.hpp>
#include <umbra/core/log.hpp>
#include <umbra/core/settings.hpp>

#include <string>
#include <variant>
#include <vector>

namespace umbra::core {

/// How a request ended; the shell maps it to exit and HTTP status.
enum class Verdict : std::uint8_t { done, provisional, refused, failed };

/// What the core wants done. Named as commands. The shell begins them in the order given and does
/// not wait: what must be finished first comes back as a fact (`Persisted`, `Stored`) before the
/// core asks for what depends on it.
namespace effect {

struct Persist {
    std::uint64_t version;
    Persistent state;
};
struct Append {
    std::uint64_t op;
    std::vector<Logged> entries;
};
/// Cut everything after `seq`. What is lost is saved under divergence/ before anything is cut.
struct Truncate {
    std::uint64_t op;
    std::uint64_t seq;
    std::vector<Logged> saved;
    SavedEdits edits{};  ///< What `saved` comes to.
};
/// Put a snapshot in the place of everything.
struct Install {
    std::uint64_t op;
    Position position;
    std::string snapshot;  ///< As `encode(Snapshot)`.
    std::vector<Logged> saved;
    /// As in `Truncate`; without id when nothing is to be saved. What was compacted before is in it
    /// and not in `saved`.
    SavedEdits edits{};
};
/// Put a snapshot in the place of the entries up to `position`; those after it stay.
struct Compact {
    std::uint64_t op;
    Position position;
    std::string snapshot;
};
/// Note durably beside what was saved what became of it.
struct SettleDivergence {
    std::string id;
    std::vector<Fate> fates;  ///< One for each key of the saved edits.
    Revision revision;        ///< The edit that merged it; 0.0 when there was nothing to change.
    bool resolved;            ///< Nobody has to look at it any more.
    bool by_hand;             ///< An operator's merge.
};

struct SetPong {
    std::string bytes;
};
struct Ping {
    AskId ask;
};
struct AskPeer {
    AskId ask;
    std::string bytes;
};
struct AnswerPeer {
    std::uint64_t id;
    std::string bytes;
};
struct Publish {
    std::string bytes;
};

struct Claim {
    AskId ask;
    std::string tunnel;
    Epoch epoch;
    ClaimReason reason;
};
struct Activate {
    std::string tunnel;
    Epoch epoch;
};
/// All tunnels: no new streams, open ones live for `grace`.
struct Drain {
    Duration grace;
};
struct SetInSync {
    AskId ask;
    std::string tunnel;
    Epoch epoch;
    std::uint64_t seq;
    std::vector<Member> members;
};
struct Consent {
    AskId ask;
    std::string tunnel;
    Epoch epoch;
    std::string successor;
};

struct Reply {
    RequestId request;
    Verdict verdict;
    std::string text;
    Revision revision;
};
struct RaiseAlert {
    std::string id;
    bool error;  ///< Else a warning.
    std::string text;
};
struct ClearAlert {
    std::string id;
};
/// For the log and `umbra status`: a change of role, or one that did not happen, and why.
struct Explain {
    enum class Kind : std::uint8_t {
        changed,    ///< The role changed.
        unchanged,  ///< It could have changed and did not.
        noted,      ///< What led to, or keeps from, one of the two.
    };
    Kind kind;
    std::string text;
};
/// The document changed: tunnels, probes and policy follow it.
struct ApplyDocument {};
struct Stop {};

}  // namespace effect

using Effect = std::variant<effect::Persist, effect::Append, effect::Truncate, effect::Install,
                            effect::Compact, effect::SettleDivergence, effect::SetPong,
                            effect::Ping, effect::AskPeer, effect::AnswerPeer, effect::Publish,
                            effect::Claim, effect::Activate, effect::Drain, effect::SetInSync,
                            effect::Consent, effect::Reply, effect::RaiseAlert, effect::ClearAlert,
                            effect::Explain, effect::ApplyDocument, effect::Stop>;
using Effects = std::vector<Effect>;

}  // namespace umbra::core
