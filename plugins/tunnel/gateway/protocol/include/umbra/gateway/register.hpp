#pragma once

#include <umbra/gateway/control.hpp>
#include <umbra/sdk/result.hpp>
#include <umbra/sdk/time.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

namespace umbra::gateway {

/// Number of a mastership. Grows with every change of master and is never reused.
using Epoch = std::uint64_t;

/// What the gateway keeps on disk of one pair.
struct Record {
    std::uint64_t serial = 0;  ///< Grows with every store; the newer of two copies has more.
    Epoch epoch = 0;
    Member holder;                                    ///< Empty node: nobody.
    std::map<std::string, std::string> incarnations;  ///< The known one of every node.
    std::set<Member> in_sync;
    std::uint64_t in_sync_seq = 0;

    bool operator==(const Record&) const = default;
};

/// @pre the names are within `name_bytes_max`, the counts within `members_max`
[[nodiscard]] Bytes encode(const Record& record);
/// @return `data_loss` for whatever `encode` did not write, down to one flipped bit.
[[nodiscard]] Result<Record> decode_record(ByteView bytes);
/// CRC-32C (Castagnoli), as at the end of an encoded record.
[[nodiscard]] std::uint32_t crc32c(ByteView bytes);

inline constexpr std::size_t record_bytes_max = 80 * 1024;
inline constexpr Epoch epoch_max = Epoch{1} << 62;
/// Requests of one node that wait for a store; the next one is refused.
inline constexpr std::size_t waiting_max = 16;

/// What a gateway tells of a pair to those that share its record.
struct PairNote {
    Epoch epoch = 0;            ///< It routes nothing below, and will not.
    bool hears_holder = false;  ///< The holder of that epoch.
    bool consent = false;       ///< That holder lets `successor` (empty: anyone in sync) follow.
    std::string successor;
    std::map<std::string, Epoch> reports;  ///< Highest epoch each node has reported.

    bool operator==(const PairNote&) const = default;
};

/// What happened. `ask` is copied into the answer.
namespace fact {
/// A link said HELLO: every link, not only the first of a node.
struct Connected {
    std::string node;
    std::string incarnation;
    BootId boot{};
    Epoch epoch_known = 0;  ///< Highest epoch the node has stored.
};
/// The last link of that process closed.
struct Disconnected {
    std::string node;
    BootId boot{};
};
/// Any frame counts. Need not be told of each: before a claim and when a deadline passes is enough.
struct Heard {
    std::string node;
    Instant at;
};
struct Claimed {
    std::string node;
    std::uint64_t ask = 0;
    Epoch epoch = 0;
    ClaimReason reason = ClaimReason::first;
};
struct Consented {
    std::string node;
    std::uint64_t ask = 0;
    Epoch epoch = 0;
    std::string successor;  ///< Empty: anyone in sync.
};
struct InSyncAsked {
    std::string node;
    std::uint64_t ask = 0;
    Epoch epoch = 0;
    std::uint64_t seq = 0;
    std::set<Member> members;
};
struct Stored {};  ///< The last `Store` is on disk.
struct Ticked {};  ///< Time passed; due when `next_deadline()` is reached.
/// The gateway itself stood still for `gap`: silence in that time proves nothing.
struct Stalled {
    Duration gap;
};
// Of a store that several gateways share.
/// The record there is another one than ours: another gateway changed it, or a request of ours
/// whose answer was lost. An older one than ours means that the store lost what it had.
struct RecordChanged {
    Record record;
    bool drain = false;  ///< Its epoch came by consent: open streams may finish.
};
/// The store has no record, though the pair is not new.
struct RecordLost {};
/// The store under way was not done: another gateway came first, and `RecordChanged` said with
/// what. It is decided anew.
struct StoreLost {};
/// Nothing can be stored; whether the store under way was done is not known.
struct StoreUnreachable {
    std::string text;  ///< Why, for whoever is refused.
};
struct StoreReachable {
    std::string name;  ///< Of the store, as `RegisterView::store`.
};
/// What the other gateways say; replaces what they said before.
struct HeardElsewhere {
    std::string heard_by;                  ///< A gateway that hears the holder; empty: none.
    std::string doubt;                     ///< Why it is not sure that none hears it; empty: it is.
    std::optional<Epoch> consent;          ///< The holder consented there, under this epoch.
    std::string successor;                 ///< Of the consent; empty: anyone in sync.
    std::map<std::string, Epoch> reports;  ///< Highest epoch each node has reported there.
    bool operator==(const HeardElsewhere&) const = default;
};

struct Enrolled {
    std::string node;
};
struct Removed {  ///< By an operator: the node is no longer waited for.
    std::string node;
};
/// By an operator: the connected incarnation of `node` counts as in sync, whatever is lost by it.
struct Admitted {
    std::string node;
    std::uint64_t ask = 0;
};
}  // namespace fact
using Fact =
    std::variant<fact::Connected, fact::Disconnected, fact::Heard, fact::Claimed, fact::Consented,
                 fact::InSyncAsked, fact::Stored, fact::Ticked, fact::Stalled, fact::RecordChanged,
                 fact::RecordLost, fact::StoreLost, fact::StoreUnreachable, fact::StoreReachable,
                 fact::HeardElsewhere, fact::Enrolled, fact::Removed, fact::Admitted>;

/// What to do, in this order. Views are those of the moment of the step.
namespace effect {
/// Make it durable, then report `fact::Stored`. One at a time is under way. Where gateways share a
/// store it takes the place of `Register::record()` or of nothing, and `fact::Stored` waits until
/// no other gateway routes below its epoch.
struct Store {
    Record record;
    bool drain = false;  ///< For the other gateways: as in `CutBelow`.
    bool operator==(const Store&) const = default;
};
/// The link of `fact::Connected` is accepted.
struct Welcome {
    std::string node;
    BootId boot{};
    RegisterView view;
    bool operator==(const Welcome&) const = default;
};
/// The link of `fact::Connected` is not: answer and close it.
struct Refuse {
    std::string node;
    BootId boot{};
    std::string text;
    bool operator==(const Refuse&) const = default;
};
/// Close the links of that older process of the node; its `Disconnected` is not expected.
struct CutLinks {
    std::string node;
    BootId boot{};
    bool operator==(const CutLinks&) const = default;
};
struct AnswerClaim {
    std::string node;
    std::uint64_t ask = 0;
    bool granted = false;
    RegisterView view;
    std::string text;
    bool operator==(const AnswerClaim&) const = default;
};
struct AnswerConsent {
    std::string node;
    std::uint64_t ask = 0;
    bool ok = false;
    std::string text;
    bool operator==(const AnswerConsent&) const = default;
};
struct AnswerInSync {
    std::string node;
    std::uint64_t ask = 0;
    bool ok = false;
    std::string text;
    bool operator==(const AnswerInSync&) const = default;
};
struct AnswerAdmit {
    std::uint64_t ask = 0;
    bool ok = false;
    std::string text;
    bool operator==(const AnswerAdmit&) const = default;
};
struct PushRegister {
    std::string node;
    RegisterView view;
    bool operator==(const PushRegister&) const = default;
};
/// Once when the holder's links closed, once more when it counts as gone.
struct PushHolderLost {
    std::string node;
    RegisterView view;
    bool gone = false;
    bool operator==(const PushHolderLost&) const = default;
};
struct PushFenced {
    std::string node;
    RegisterView view;
    bool drain = false;  ///< Handover by consent: open streams may finish.
    bool operator==(const PushFenced&) const = default;
};
/// Route nothing more below `epoch`; cut what is open below it unless `keep_draining`.
struct CutBelow {
    Epoch epoch = 0;
    bool keep_draining = false;
    bool operator==(const CutBelow&) const = default;
};
struct Alert {
    std::string text;
    bool operator==(const Alert&) const = default;
};
}  // namespace effect
using Effect = std::variant<effect::Store, effect::Welcome, effect::Refuse, effect::CutLinks,
                            effect::AnswerClaim, effect::AnswerConsent, effect::AnswerInSync,
                            effect::AnswerAdmit, effect::PushRegister, effect::PushHolderLost,
                            effect::PushFenced, effect::CutBelow, effect::Alert>;

/// Decides which node of one pair may serve, and under which epoch: rules R1-R5, R7 and R8.
///
/// Pure: equal facts at equal instants give equal effects. Copyable and comparable, so that a test
/// can explore every interleaving.
///
/// Promises:
///  - an epoch is granted at most once, only to a member in sync, and only after its record is on
///    disk: `AnswerClaim{granted}` follows the `Stored` of its `Store`;
///  - what is told to nodes (`RegisterView`) is what is on disk;
///  - `CutBelow` comes before the answer that lets the claimant begin.
///
/// Thread-safety: none; one loop owns it.
class Register {
public:
    struct Settings {
        Duration lease = std::chrono::milliseconds{600};
        /// Time a holder has to come back after its last link closed.
        Duration return_grace = std::chrono::milliseconds{200};
        /// The same after a start of the gateway, where nobody is connected yet.
        Duration restart_grace = std::chrono::seconds{2};
        Duration consent_ttl = std::chrono::seconds{5};
        /// Several gateways keep the record together. Nothing is stored before `StoreReachable`.
        bool shared = false;

        bool operator==(const Settings&) const = default;
    };

    /// @param record   as read from disk; a default one for a new pair
    /// @param lost     the record on disk was missing or damaged although the pair is not new
    /// @param members  nodes enrolled in the pair
    Register(const Settings& settings, Record record, bool lost, std::set<std::string> members,
             Instant now);

    /// @pre `now` is not earlier than in the previous call
    [[nodiscard]] std::vector<Effect> step(Instant now, const Fact& fact);

    /// When `fact::Ticked` is due at the latest.
    [[nodiscard]] std::optional<Instant> next_deadline() const;

    [[nodiscard]] RegisterView view(Instant now) const;
    /// Whether streams may be routed to this process of the node under `epoch`.
    [[nodiscard]] bool may_activate(const std::string& node, const BootId& boot, Epoch epoch) const;
    /// What is on disk.
    [[nodiscard]] const Record& record() const noexcept { return record_; }
    /// R8: waits for reports of all members and grants nothing.
    [[nodiscard]] bool rebuilding() const noexcept { return rebuilding_; }
    /// Members whose report is still missing while `rebuilding()`.
    [[nodiscard]] std::set<std::string> missing_reports() const;
    [[nodiscard]] const std::set<std::string>& members() const noexcept { return members_; }
    /// For the other gateways. @pre `fact::Heard` was told lately
    [[nodiscard]] PairNote note(Instant now) const;

    bool operator==(const Register&) const = default;

private:
    using Effects = std::vector<Effect>;
    struct Node {
        std::string incarnation;
        BootId boot{};
        bool connected = false;
        Instant heard;                ///< Last sign of life.
        std::deque<BootId> replaced;  ///< Processes cut off by a newer one: they may not return.
        bool operator==(const Node&) const = default;
    };
    struct Consent {
        std::string successor;
        Instant until;
        bool operator==(const Consent&) const = default;
    };
    static constexpr std::size_t replaced_max = 4;
    enum class Request : std::uint8_t { incarnation, claim, in_sync, admit };
    /// A request that changes the record and therefore waits for the store under way.
    struct Waiting {
        Request request = Request::claim;
        std::string node;
        BootId boot{};
        std::uint64_t ask = 0;
        Epoch epoch = 0;
        ClaimReason reason = ClaimReason::first;
        std::uint64_t seq = 0;
        std::set<Member> members;
        bool operator==(const Waiting&) const = default;
    };
    /// The store under way and who waits for it; nobody's name for a rebuilt record.
    struct Storing {
        Record record;
        Waiting request;
        bool drain = false;
        bool operator==(const Storing&) const = default;
    };

    void on(Instant now, const fact::Connected& f, Effects& out);
    void on(Instant now, const fact::Disconnected& f, Effects& out);
    void on(Instant now, const fact::Heard& f, Effects& out);
    void on(Instant now, const fact::Claimed& f, Effects& out);
    void on(Instant now, const fact::Consented& f, Effects& out);
    void on(Instant now, const fact::RecordChanged& f, Effects& out);
    void on(Instant now, const fact::RecordLost& f, Effects& out);
    void on(Instant now, const fact::StoreLost& f, Effects& out);
    void on(Instant now, const fact::StoreUnreachable& f, Effects& out);
    void on(Instant now, const fact::StoreReachable& f, Effects& out);
    void on(Instant now, const fact::HeardElsewhere& f, Effects& out);
    void on(Instant now, const fact::InSyncAsked& f, Effects& out);
    void on(Instant now, const fact::Stored& f, Effects& out);
    void on(Instant now, const fact::Ticked& f, Effects& out);
    void on(Instant now, const fact::Stalled& f, Effects& out);
    void on(Instant now, const fact::Enrolled& f, Effects& out);
    void on(Instant now, const fact::Removed& f, Effects& out);
    void on(Instant now, const fact::Admitted& f, Effects& out);

    void work(Instant now, Effects& out);
    void submit(Instant now, Waiting request, Effects& out);
    void decide(Instant now, const Waiting& request, Effects& out);
    void decide_claim(Instant now, const Waiting& claim, Effects& out);
    void decide_in_sync(Instant now, const Waiting& ask, Effects& out);
    void rebuild(Effects& out);
    void granted(Instant now, const Storing& done, const Record& before, Effects& out);
    void store(Record next, Waiting request, bool drain, Effects& out);
    void refuse(Instant now, const Waiting& request, std::string text, Effects& out) const;
    void note_report(const std::string& node, Epoch epoch);
    void holder_checks(Instant now, Effects& out);
    void push_register(Instant now, const std::string& except, Effects& out) const;
    void push_holder_lost(Instant now, bool gone, Effects& out) const;

    [[nodiscard]] bool is_holder(const std::string& node) const;
    [[nodiscard]] const Node* connected(const std::string& node) const;
    [[nodiscard]] bool holder_connected() const;
    [[nodiscard]] bool heard_elsewhere() const { return !elsewhere_.heard_by.empty(); }
    [[nodiscard]] Instant gone_at() const;
    [[nodiscard]] bool consents_to(Instant now, const std::string& node) const;
    [[nodiscard]] std::optional<std::string> objection_to_follow(Instant now,
                                                                 const Waiting& claim) const;
    [[nodiscard]] std::optional<std::string> objection(Instant now, const Waiting& claim) const;
    [[nodiscard]] std::string holder_sentence(Instant now) const;

    Settings settings_;
    Record record_;
    std::set<std::string> members_;
    std::map<std::string, Node> nodes_;
    std::map<std::string, Epoch> reports_;  ///< Highest epoch each node has reported.
    std::optional<Storing> storing_;
    std::deque<Waiting> waiting_;
    std::optional<Consent> consent_;
    Instant holder_back_until_;  ///< While its links are closed: when it counts as gone.
    fact::HeardElsewhere elsewhere_;
    std::string store_;        ///< Name of the shared store.
    std::string unreachable_;  ///< Why nothing can be stored; empty: it can.
    bool rebuilding_ = false;
    bool lost_ = false;  ///< `rebuilding_`, and what was granted before is not known at all.
    bool holder_gone_told_ = false;
};

}  // namespace umbra::gateway
