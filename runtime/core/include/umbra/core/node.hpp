#pragma once

#include <umbra/core/damping.hpp>
#include <umbra/core/divergence.hpp>
#include <umbra/core/effect.hpp>
#include <umbra/core/fact.hpp>
#include <umbra/core/log.hpp>
#include <umbra/core/peer_watch.hpp>
#include <umbra/core/settings.hpp>
#include <umbra/core/state.hpp>
#include <umbra/core/wire.hpp>

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace umbra::core {

/// One instance of the pair: decides roles and replicates the configuration.
///
/// Pure: reads no clock, socket, file, log or random source. A fact and the time go in, effects
/// come out; equal inputs give equal effects. Copyable and comparable, so that a test can explore
/// interleavings.
///
/// Promises:
///  - an epoch is durable (`Persist` done) before any tunnel is activated under it;
///  - tunnels are told to drain before the role is given up;
///  - an edit is acknowledged when it is durable on every member of the in-sync set, a member that
///    was asked to be added or not yet confirmed to be removed included;
///  - nothing is cut from the log that was not handed to the shell for saving.
/// That no two nodes serve the same gateway is kept by the register there, not by this class.
///
/// Thread-safety: none; the shell's one loop owns it.
class Node {
public:
    static constexpr std::size_t pending_edits_max = 4096;
    static constexpr Duration claim_retry{std::chrono::milliseconds{100}};
    static constexpr Duration handover_limit{std::chrono::seconds{2}};
    /// Longer than it takes to have an absent shadow removed from the in-sync set.
    static constexpr Duration provisional_after{std::chrono::milliseconds{1500}};
    static constexpr Duration follow_retry{std::chrono::milliseconds{100}};
    static constexpr Duration beacon_interval{std::chrono::seconds{1}};
    /// How often a node that gave up its role repeats that anyone in sync may take it.
    static constexpr Duration consent_interval{std::chrono::seconds{2}};
    /// Silence has to last this many of the slowest recent answers, up to so many takeover delays.
    static constexpr int slowest_answers = 4;
    static constexpr int takeover_delays_max = 4;

    Node(Settings settings, Persistent persistent, Log log, Instant now);

    /// What tells a valid configuration from another; without it every merge counts as valid.
    void judge_with(Judge judge) { judge_.judge = std::move(judge); }

    /// Takes one fact. @param now  Not earlier than in the previous call.
    [[nodiscard]] Effects step(Instant now, const Fact& fact);
    /// Time from the last step to the next `Ticked`, at most; the shell asks after every step, and
    /// keeps an earlier time that it has. A quarter of the check interval while anything may end
    /// by time alone; until the next ping while all is well. 1 to 100 ms.
    [[nodiscard]] Duration next_tick() const;

    [[nodiscard]] Role role() const { return persistent_.role; }
    [[nodiscard]] State state() const;
    [[nodiscard]] Epoch epoch() const { return persistent_.epoch; }
    /// The epoch this node serves under; 0 when it does not.
    [[nodiscard]] Epoch serving() const { return serving_; }
    [[nodiscard]] const Log& log() const { return log_; }
    [[nodiscard]] const Position& durable() const { return durable_; }
    [[nodiscard]] const Persistent& persistent() const { return persistent_; }
    [[nodiscard]] const Settings& settings() const { return settings_; }
    [[nodiscard]] bool paused() const { return persistent_.pause.on; }
    [[nodiscard]] const PeerWatch& watch() const { return watch_; }

    /// The peer for `umbra status`.
    struct PeerView {
        std::string node, version, state, detail;
        Position last;
        bool in_sync = false;
        wire::Timers timers;
        std::int64_t rtt_us = 0;
        std::optional<Instant> heard;  ///< Last sign of life, of whatever kind.
    };
    [[nodiscard]] PeerView peer(Instant now) const;
    [[nodiscard]] const std::vector<std::string>& peer_plugins() const { return peer_plugins_; }

    bool operator==(const Node&) const = default;

private:
    struct Tunnel {
        bool fences = false;
        TunnelState state = TunnelState::down;
        RegisterView view;
        Instant next_activate{};
        Epoch activated = 0;  ///< Epoch of the last `Activate`.
        Instant active_since{};
        /// The gateway has lost the holder: when it heard it last.
        std::optional<Instant> holder_unheard;
        /// Of another gateway than the register of record: the claim under way there.
        std::optional<AskId> follow_ask;
        Epoch follow_epoch = 0;  ///< Of that claim, or of the last one.
        Epoch followed = 0;      ///< Highest epoch that it granted so.
        bool operator==(const Tunnel&) const = default;
    };
    struct PendingClaim {
        AskId ask = 0;
        std::string tunnel;
        Epoch epoch = 0;
        ClaimReason reason = ClaimReason::first;
        std::string why;
        bool operator==(const PendingClaim&) const = default;
    };
    /// A granted epoch on its way to disk.
    struct Grant {
        Epoch epoch = 0;
        std::uint64_t persist_version = 0;
        std::vector<Member> in_sync;
        std::string why;
        std::string by;  ///< Tunnel that granted it, if not the register of record.
        bool operator==(const Grant&) const = default;
    };
    /// The shadow as its master knows it.
    struct Session {
        Member member;
        std::string version, state;
        std::vector<std::string> plugins;
        wire::Timers timers;
        Position acked;
        Instant heard{};
        std::int64_t rtt_us = 0;
        bool can_serve = false;
        bool drifted = false;  ///< Its configuration is another one at the same revision.
        bool operator==(const Session&) const = default;
    };
    struct PendingEdit {
        RequestId request = 0;
        Revision revision;
        Instant since{};
        bool told_provisional = false;
        bool repeated = false;  ///< The same edit was asked for before.
        bool operator==(const PendingEdit&) const = default;
    };
    struct InSyncAsk {
        AskId ask = 0;
        std::set<Member> members;
        bool operator==(const InSyncAsk&) const = default;
    };
    enum class HandoverStage : std::uint8_t { freezing, consenting, asking, waiting };
    struct Handover {
        HandoverStage stage = HandoverStage::freezing;
        Instant until{};
        std::optional<RequestId> request;
        AskId ask = 0;
        std::string why;
        bool operator==(const Handover&) const = default;
    };
    enum class Following : std::uint8_t { idle, greeting, fetching, snapshotting, following };
    /// The digest of the configuration against the master's.
    enum class Drift : std::uint8_t {
        none,
        found,    ///< It differs: tell the master, then fetch everything anew.
        fetched,  ///< The next beacon says whether that helped.
    };
    struct OfferKept {
        std::uint64_t before = 0;  ///< The merge follows this entry.
        Instant until{};
        bool operator==(const OfferKept&) const = default;
    };
    /// What the current step asks for; empty between steps, so it takes no part in comparisons.
    struct Outbox {
        Effects list;
        bool operator==(const Outbox&) const { return true; }
    };
    /// A function, equal to any other of its kind.
    struct Validity {
        Judge judge;
        bool operator==(const Validity&) const { return true; }
    };
    struct StoreOp {
        std::uint64_t op = 0;
        Position after;
        bool operator==(const StoreOp&) const = default;
    };

    // --- facts, node.cpp
    void on(const fact::Ticked&);
    void on(const fact::LoopWasLate&);
    void on(const fact::Persisted&);
    void on(const fact::Stored&);
    void on(const fact::Paired&);
    void on(const fact::LinkCameUp&);
    void on(const fact::LinkWasLost&);
    void on(const fact::PeerRefused&);
    void on(const fact::Ponged&);
    void on(const fact::PingFailed&);
    void on(const fact::PeerAnswered&);
    void on(const fact::PeerDidNotAnswer&);
    void on(const fact::PeerAsked&);
    void on(const fact::PeerPublished&);
    void on(const fact::TunnelsConfigured&);
    void on(const fact::TunnelChanged&);
    void on(const fact::RegisterSeen&);
    void on(const fact::ClaimAnswered&);
    void on(const fact::ClaimFailed&);
    void on(const fact::InSyncAnswered&);
    void on(const fact::ConsentAnswered&);
    void on(const fact::Drained&);
    void on(const fact::EditRequested&);
    void on(const fact::SwitchRequested&);
    void on(const fact::PauseRequested&);
    void on(const fact::ConnectRequested&);
    void on(const fact::EnableRequested&);
    void on(const fact::PolicyChanged&);
    void on(const fact::StopRequested&);
    void housekeeping();
    [[nodiscard]] bool is_quiet() const;  // pace.cpp

    // --- roles, roles.cpp
    void start_as_master();
    void consider_takeover();
    void consider_fenced_takeover(const Tunnel& arbiter);
    void start_with_register(const RegisterView& view);
    void start_without_register();
    void keep_consenting(const RegisterView& view);
    void note_idle_peer();
    [[nodiscard]] std::string drift_obstacle() const;
    [[nodiscard]] bool counts_as_in_sync(const RegisterView& view) const;
    [[nodiscard]] Epoch next_epoch(const RegisterView& view) const;
    void claim(const std::string& tunnel, Epoch epoch, ClaimReason reason, std::string why);
    /// @param planned  Not taken from a master that was dead or silent.
    void granted(Epoch epoch, std::vector<Member> in_sync, std::string why, bool planned,
                 std::string by = {});
    void grant_oneself(std::string why, bool planned = true);
    void switch_from_shadow(const fact::SwitchRequested&);
    void ask_take_over();
    void become_master(const Grant& grant);
    void step_down(Epoch epoch, const std::string& why, Duration grace);
    void serve_tunnels();
    void watch_tunnel_loss();
    void doubt_tunnel(std::optional<Duration> unheard);
    void see(Tunnel& tunnel, const RegisterView& view) const;
    void obey_higher_epoch(const RegisterView& view);
    void begin_handover(std::optional<RequestId> request, std::string why);
    void drive_handover();
    void end_handover(bool done, const std::string& text);
    [[nodiscard]] std::optional<std::string> handover_obstacle() const;
    // --- several gateways, gateways.cpp
    [[nodiscard]] const std::string* record_name() const;
    [[nodiscard]] const std::string* arbiter_name() const;
    [[nodiscard]] const Tunnel* arbiter() const;
    [[nodiscard]] const std::string* reachable_gateway() const;
    [[nodiscard]] bool follows(const std::string& name, const Tunnel& tunnel) const;
    [[nodiscard]] bool holds(const Tunnel& tunnel) const;
    void follow_gateways();
    bool follow_answered(const fact::ClaimAnswered& fact);
    bool follow_failed(const fact::ClaimFailed& fact);
    void stop_following();
    void record_moved(const std::string* before);
    void consent_everywhere(const std::string& arbiter);
    void obey_gateway(const std::string& name, const Tunnel& tunnel);
    [[nodiscard]] bool any_tunnel(TunnelState state) const;
    [[nodiscard]] Duration silence_limit() const;
    [[nodiscard]] std::string limit_text() const;
    void wake_up(Duration gap);
    void woken();
    void adopt(const Pause& pause);
    void show_pause();

    // --- replication on the master, publisher.cpp
    wire::HelloReply answer(const wire::Hello&);
    wire::FetchReply answer(const wire::Fetch&) const;
    wire::ReportReply answer(const wire::Report&);
    wire::TakeOverReply answer(const wire::TakeOver&);
    void append_edit(const fact::EditRequested& request);
    Revision append(Entry entry);
    void await_commit(RequestId request, Revision revision, bool repeated);
    [[nodiscard]] std::optional<std::string> edit_obstacle() const;
    [[nodiscard]] static std::optional<std::string> size_obstacle(const Entry& edit);
    [[nodiscard]] bool is_elsewhere(Revision revision, const std::set<Member>& members) const;
    void try_commit();
    void manage_in_sync();
    void ask_in_sync(std::set<Member> members);
    void confirm_in_sync(const std::set<Member>& members);
    void report_lateness();
    /// How long the edit that waits longest has waited; zero when none does.
    [[nodiscard]] Duration longest_wait() const;
    void publish_beacon();
    [[nodiscard]] std::set<Member> required() const;
    [[nodiscard]] bool session_alive() const;
    [[nodiscard]] bool shadow_ready() const;
    [[nodiscard]] bool surely_in_sync(const Member& member) const;
    [[nodiscard]] bool must_drop_absent() const;
    [[nodiscard]] Duration lost_after() const;
    void show_drift(bool drifted);

    // --- old entries and snapshots, compaction.cpp
    wire::SnapshotReply answer(const wire::FetchSnapshot&);
    void compact_log();
    void keep_for_offer(Revision merged);
    [[nodiscard]] std::uint64_t committed() const;
    [[nodiscard]] std::optional<std::uint64_t> unmerged_fork() const;
    [[nodiscard]] std::optional<std::uint64_t> lagging_shadow() const;

    // --- edits of the losing side of a partition, divergence.cpp
    struct Merged {
        std::vector<Fate> fates;
        Revision revision;
        std::optional<std::string> problem;  ///< Not possible, also not later.
    };
    void on(const fact::DivergenceLoaded&);
    void on(const fact::DivergenceMergeRequested&);
    void on(const fact::DivergenceDropped&);
    wire::OfferReply answer(const wire::Offer&);
    void on_reply(const wire::OfferReply&);
    void keep_divergence(SavedEdits edits);
    bool offer_divergence();
    void merge_own_divergences();
    Merged merge_saved(const SavedEdits& edits, const std::string& node, bool by_hand,
                       const std::string& author);
    void settle(OpenDivergence& divergence, const std::vector<Fate>& fates, Revision revision);
    void fail_by_hand(OpenDivergence& divergence, Verdict verdict, std::string text);
    void show_divergences();

    // --- replication on the shadow, follower.cpp
    void drive_following();
    void greet();
    void fetch();
    [[nodiscard]] Duration report_interval() const;
    void report();
    void on_reply(const wire::HelloReply&);
    void on_reply(const wire::FetchReply&);
    void on_reply(const wire::SnapshotReply&);
    void on_reply(const wire::ReportReply&);
    void on_reply(const wire::TakeOverReply&);
    /// An answer to another question than was asked.
    template <class Other>
    void on_reply(const Other&) {
        start_over(follow_retry);
    }
    void on_published(const wire::Update&);
    void on_published(const wire::Beacon&);
    template <class Other>
    void on_published(const Other&) {}
    void heard_of(const Position& last);
    bool take_bodies(std::span<const std::string> bodies);
    void cut_fork();
    void begin_snapshot();
    void install(Snapshot snapshot, std::string body);
    [[nodiscard]] SavedEdits summarize_alien(const Snapshot& theirs, const Document& mine,
                                             const std::vector<Logged>& saved) const;
    [[nodiscard]] std::optional<std::uint64_t> shared_with(const Snapshot& theirs) const;
    void start_over(Duration delay);
    void follow();
    void cannot_take(const std::string& what);
    [[nodiscard]] bool peer_is_master() const;

    // --- small things
    AskId next_ask() { return ++last_ask_; }
    AskId ask_peer(const wire::Message& message);
    void persist();
    std::uint64_t store_op(const Position& after);
    void withdraw_durable(std::uint64_t seq, const Position& at);
    void emit(Effect effect) { out_.list.push_back(std::move(effect)); }
    void explain(effect::Explain::Kind kind, std::string text) {
        emit(effect::Explain{kind, std::move(text)});
    }
    void note(std::string text) { explain(effect::Explain::Kind::noted, std::move(text)); }
    void reply(RequestId request, Verdict verdict, std::string text, Revision revision = {});
    void alert(const std::string& id, bool error, const std::string& text);
    void clear_alert(const std::string& id);
    [[nodiscard]] Member self() const { return {settings_.node, settings_.incarnation}; }
    [[nodiscard]] const std::string& peer_name() const;
    void refresh_pong();

    Settings settings_;
    TakeoverPolicy policy_;
    Persistent persistent_;
    std::uint64_t persist_version_ = 0;
    bool raised_at_start_ = false;          ///< `persistent_` is ahead of what is on disk.
    std::uint64_t persisted_ = 0;           ///< Versions up to this one are on disk.
    std::uint64_t disconnect_version_ = 0;  ///< `Persist` of the last order to disconnect.
    Validity judge_;
    std::int64_t wall_ms_ = 0;
    Log log_;
    Position durable_;
    std::deque<StoreOp> storing_;
    std::uint64_t last_op_ = 0;
    std::optional<std::uint64_t> compacting_;  ///< Number of the compaction that is on its way.
    Instant now_;
    Instant started_;
    AskId last_ask_ = 0;
    Outbox out_;
    std::map<std::string, std::string> alerts_;
    std::string pong_;

    // peer
    bool paired_ = false;
    bool pairing_known_ = false;
    PeerWatch watch_;
    std::optional<wire::Pong> peer_pong_;
    std::string peer_node_, peer_version_;
    std::vector<std::string> peer_plugins_;
    bool stopping_ = false;

    // roles
    bool tunnels_known_ = false;  ///< Before, nobody can say whether a gateway arbitrates.
    std::map<std::string, Tunnel> tunnels_;
    std::optional<PendingClaim> claim_;
    std::optional<Grant> grant_;
    Instant next_claim_{};
    Epoch serving_ = 0;
    bool arbitrated_ = false;  ///< `serving_` was granted by a register.
    /// Tunnel of that register; empty: of the register of record, which then need not follow.
    std::string granted_by_;
    std::optional<Instant> tunnels_lost_;
    std::optional<Instant> lost_at_;          ///< Since when the tunnel lost last was silent.
    std::optional<Instant> peer_idle_since_;  ///< Shadow: the peer answers and does not serve.
    Instant next_consent_{};
    std::optional<Handover> handover_;
    Damping damping_;
    bool waking_ = false;  ///< Master that slept: not yet sure that the role is still its own.
    std::optional<RequestId> forced_;       ///< Operator who ordered this shadow to take over.
    std::optional<Instant> invited_until_;  ///< Shadow: the master consented to our claim.
    bool draining_ = false;
    bool fenced_ =
        false;  ///< Was master, lost it against its will, and has not met the new one yet.
    bool refusal_explained_ = false;
    std::string standing_;  ///< Why a shadow cannot take over, for `peer().detail`.

    // publisher
    std::optional<Session> session_;
    std::deque<PendingEdit> pending_;
    std::set<Member> in_sync_;
    std::optional<InSyncAsk> in_sync_ask_;
    /// A change went unanswered: `in_sync_` is what may be, and the register may hold less.
    bool in_sync_doubtful_ = false;
    std::uint64_t in_sync_seq_ = 0;
    Instant next_in_sync_{};
    Instant next_beacon_{};
    std::string snapshot_bytes_;
    Position snapshot_position_;
    std::optional<OfferKept> offered_;
    bool trouble_ = false;

    Divergences divergences_;

    // follower
    Following following_ = Following::idle;
    std::optional<AskId> follow_ask_;
    Instant next_follow_{};
    Instant next_report_{};
    Epoch follow_epoch_ = 0;
    std::uint64_t follow_version_ = 0;  ///< `Persist` that holds `follow_epoch_`.
    Position reported_;
    std::uint64_t common_seq_ = 0;
    Position peer_last_;
    std::string snapshot_in_;
    Position snapshot_in_position_;
    std::uint64_t snapshot_in_total_ = 0;
    std::uint64_t told_committed_ = 0;  ///< What the master said that is safe.
    Drift drift_ = Drift::none;
    bool in_sync_with_master_ = false;
    bool was_in_sync_ = false;
};

}  // namespace umbra::core
