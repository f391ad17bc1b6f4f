#pragma once

#include <umbra/config/reload.hpp>
#include <umbra/core/document.hpp>
#include <umbra/core/types.hpp>
#include <umbra/sdk/time.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace umbra::instance {

/// Names that seldom change, shared by every status that has them; null = none.
using SharedNames = std::shared_ptr<const std::vector<std::string>>;

struct PeerStatus {
    std::string instance;  ///< Empty while no peer is known.
    std::string version;
    std::string state;     ///< The shadow's state as P5 names it, seen from this side.
    std::string revision;  ///< "3.41"
    bool in_sync = false;
    std::optional<std::int64_t> last_seen_ms;
    std::optional<std::int64_t> rtt_us;
    SharedNames plugins;  ///< "transport/zeromq 0.1.0"
    std::string detail;   ///< Why it is not connected, in a sentence.
};

struct TunnelStatus {
    std::string name, plugin;
    std::string state;  ///< down connecting standby active draining refused
    core::Epoch epoch = 0;
    bool fences = false;
    unsigned links = 0, streams = 0;
    std::uint64_t denied = 0;
    std::string detail;
};

struct ProbeStatus {
    std::string name, plugin;
    bool healthy = false;
    std::int64_t latency_us = 0;
    std::string detail;
};

struct Alert {
    std::string id;        ///< Stable, for example "push-failed".
    std::string severity;  ///< "warning" | "error"
    std::string since;     ///< RFC 3339, UTC
    std::string text;
};

struct Timers {
    Duration check_interval{}, connect_timeout{}, request_timeout{}, takeover_delay{};
};

/// One line of `umbra explain`.
struct Decision {
    std::string time;  ///< RFC 3339, UTC, microseconds
    std::string kind;  ///< changed | unchanged | noted
    core::Epoch epoch = 0;
    std::string text;  ///< What happened and why, with the numbers that led to it.
};

/// What `umbra status` shows.
struct Status {
    std::string instance, version;
    std::string role;  ///< master | shadow
    std::string state;  ///< see contract: starting active draining | initial … ready, taking-over …
    core::Epoch epoch = 0;
    std::string revision;
    bool paused = false;
    double uptime_s = 0;
    std::string profile;
    Timers timers;
    PeerStatus peer;
    std::vector<TunnelStatus> tunnels;
    std::vector<ProbeStatus> probes;
    std::vector<Alert> alerts;
    SharedNames plugins;
    std::uint64_t strangers = 0;   ///< Connections without a permitted key, since the start.
    std::uint64_t suspicions = 0;  ///< Failed checks that did not become a takeover.
    std::string last_change;       ///< Of the role: when and why; empty when there was none.
};

/// How a request ended. Maps to exit status and HTTP status.
enum class Outcome {
    done,         ///< exit 0, HTTP 200
    provisional,  ///< exit 0 with a warning, HTTP 202: durable here, not yet where it should be
    failed,       ///< exit 1, HTTP 500
    invalid,      ///< exit 2, HTTP 400
    refused,      ///< exit 4, HTTP 409: not in the present state
};

struct Reply {
    Outcome outcome = Outcome::done;
    std::string message;               ///< One sentence for people.
    std::vector<std::string> details;  ///< Further lines.
    std::string text;      ///< What was asked for, where that is text: a diff, a document, a token.
    std::string revision;  ///< Of the edit, where there was one.
};

/// An edit of the shared configuration as a user states it.
struct Edit {
    std::string author;
    std::string message;
    std::string op_id;                    ///< Retries carry the same; empty = make one.
    std::string if_revision;              ///< Refuse unless this is the current one; empty = any.
    std::vector<core::Change> changes;    ///< `set` and `unset`; literals as the user typed them.
    std::optional<std::string> document;  ///< `apply`: make the configuration equal to this TOML.
    std::string document_name;            ///< File name for error messages.
    /// `rollback`: make the configuration equal to what it was at this revision; empty = none.
    std::string rollback_to;
    bool dry_run = false;
};

struct HistoryEntry {
    std::string revision, time, author, message;
    std::vector<core::Change> changes;
};

/// A key that has not the same value in two documents; nothing where it is not there.
struct KeyDifference {
    std::string key;
    std::optional<std::string> from, to;
};
struct Comparison {
    std::string from, to;  ///< Revisions.
    std::vector<KeyDifference> keys;
};

/// A row of the three-way table of a divergence.
struct DivergenceKey {
    std::string key;
    std::optional<std::string> base;    ///< Where the two sides parted.
    std::optional<std::string> master;  ///< What the master has, or had before the merge.
    std::optional<std::string> saved;   ///< What this instance had.
    std::string fate;  ///< equal | merged | conflict | restricted | kept; empty before the merge.
};
/// Edits of this instance that the master did not have when they met again.
struct DivergenceView {
    std::string id, saved_at;
    std::string state;  ///< saved | conflicts | merged | dropped; damaged: only `id` is known
    std::string settled_at;
    std::string fork;       ///< Last revision that both have; empty when that is not known.
    std::string merged_as;  ///< Revision of the merge; empty when none was needed.
    std::string authors;
    std::size_t conflicts = 0;
    std::vector<HistoryEntry> edits;
    std::vector<DivergenceKey> keys;
};

/// What came of one try to reach something that a tunnel leads to.
struct TunnelCheckView {
    std::string tunnel;
    std::string kind;  ///< mapping | channel; empty: the tunnel as a whole
    std::string name, target;
    std::string outcome;  ///< ok | failed | skipped
    double latency_us = 0;
    std::string detail;
};

/// Everything an administrator can ask of a running instance. The admin API is written against
/// this.
///
/// Threads: any. `status()` answers at once whatever the instance is doing. The others hand the
/// request to the instance's loop; `done` runs exactly once, on that loop's thread: post from it.
class Control {
public:
    using Done = std::function<void(Reply)>;

    virtual ~Control() = default;

    [[nodiscard]] virtual Status status() const = 0;

    virtual void switch_roles(bool force, Done done) = 0;
    virtual void pause(std::optional<Duration> length, Done done) = 0;
    virtual void resume(Done done) = 0;

    /// TOML of the whole document, or of the table or value at `key`; of `revision` if not empty.
    virtual void show(std::string key, std::string revision, Done done) = 0;
    virtual void edit(Edit edit, Done done) = 0;
    /// Newest first, at most `max`.
    virtual void history(std::size_t max,
                         std::function<void(Reply, std::vector<HistoryEntry>)> done) = 0;

    /// What turns revision `from` into `to`. An empty `to` is the current one, an empty `from` the
    /// one before `to`. `text` of the reply is the difference as lines.
    virtual void diff(std::string from, std::string to,
                      std::function<void(Reply, Comparison)> done) = 0;

    /// Those that this instance holds, oldest first; with an id only that one.
    virtual void divergences(std::string id,
                             std::function<void(Reply, std::vector<DivergenceView>)> done) = 0;
    /// Applies the saved values of what conflicts, as an edit; a shadow has its master do it.
    virtual void divergence_merge(std::string id, std::string author, Done done) = 0;
    /// Forgets it. The configuration stays as it is.
    virtual void divergence_drop(std::string id, std::string author, Done done) = 0;

    /// Changes of role and those that did not happen, newest first, at most `max`.
    virtual void explain(std::size_t max,
                         std::function<void(Reply, std::vector<Decision>)> done) = 0;

    virtual void peer_enable(bool on, Done done) = 0;
    virtual void peer_connect(bool on, Done done) = 0;
    virtual void peer_reset(Done done) = 0;
    virtual void peer_invite(Done done) = 0;  ///< `text` is the invitation.
    virtual void peer_join(std::string invitation, Done done) = 0;
    virtual void peer_check(Done done) = 0;

    /// Reads the instance file again. A mistake in it is `invalid`, with all of them as details,
    /// and nothing is applied. Else what can change at once does; the plan says what, and what
    /// waits.
    virtual void reload(std::function<void(Reply, config::ReloadPlan)> done) = 0;

    virtual void tunnel_enrol(std::string tunnel, std::string invitation, Done done) = 0;
    /// Changes this instance's own key at the far end of a tunnel; answered when it is in use.
    virtual void tunnel_rotate_key(std::string tunnel, Done done) = 0;
    /// Tries everything that a tunnel leads to, from this instance; an empty name: of all tunnels.
    virtual void tunnel_check(std::string tunnel,
                              std::function<void(Reply, std::vector<TunnelCheckView>)> done) = 0;
};

}  // namespace umbra::instance
