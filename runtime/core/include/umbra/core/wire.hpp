#pragma once

#include <umbra/core/merge.hpp>
#include <umbra/core/types.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// What the two instances say to each other. `README.md` of this room holds the formats with a
/// worked example; the transport carries each message as one frame.
namespace umbra::core::wire {

constexpr std::uint16_t protocol = 3;
constexpr std::size_t message_bytes_max = 900'000;   ///< Below the transport's frame limit.
constexpr std::size_t fetch_bytes_max = 256 * 1024;  ///< Entries in one answer (at least one).
constexpr std::size_t snapshot_chunk_bytes = 256 * 1024;

/// First frame of a ping; the transport answers it by itself with the `Pong` that was set.
constexpr std::string_view ping_frame = "umbra-ping-1";

/// What a shadow adjusted, shown on the master (nanoseconds).
struct Timers {
    std::int64_t check_interval = 0, connect_timeout = 0, request_timeout = 0, takeover_delay = 0;
    bool operator==(const Timers&) const = default;
};

struct Pong {
    std::string node, incarnation, version;
    Role role = Role::shadow;
    Epoch epoch = 0;       ///< Highest this node has stored.
    bool serving = false;  ///< It is master and its epoch is in force.
    Position last;
    Pause pause{};
    bool operator==(const Pong&) const = default;
};

/// Shadow to master: let me follow you.
struct Hello {
    std::uint16_t proto = protocol;
    std::string node, incarnation, version;
    std::vector<std::string> plugins;
    Epoch epoch = 0;
    std::vector<Position> boundaries;  ///< As `Log::boundaries()`.
    Timers timers;
};
struct HelloReply {
    bool accepted = false;
    std::string reason;  ///< When not accepted: one sentence.
    std::string node, incarnation, version;
    std::vector<std::string> plugins;
    Epoch epoch = 0;
    std::uint64_t common_seq = 0;  ///< Last entry that both may share; the hash decides.
    bool snapshot = false;         ///< Nothing is shared: fetch a snapshot.
};

/// Shadow to master: entries from `from_seq` on; mine before it has hash `previous`.
struct Fetch {
    std::uint64_t from_seq = 0;
    Hash previous{};
};
struct FetchReply {
    bool mismatch = false;     ///< Not what follows `previous` here, or compacted.
    bool unavailable = false;  ///< Not the master at the moment: say hello again.
    std::vector<std::string> bodies;
};

struct FetchSnapshot {
    std::uint64_t offset = 0;
};
struct SnapshotReply {
    Position position;
    std::uint64_t total = 0;
    std::string chunk;
};

/// Shadow to master, at every check interval and whenever more became durable: the acknowledgement.
struct Report {
    std::string node, incarnation;
    Epoch epoch = 0;
    Position durable;
    std::string state;
    bool can_serve = false;  ///< At least one tunnel stands by.
    Timers timers;
    std::int64_t rtt_us = 0;
    bool drifted = false;  ///< Its configuration is not that of the beacon at the same revision.
    /// The gateway has lost the master: age of the last sign of life from it, in nanoseconds.
    std::optional<std::int64_t> unheard_ns{};
};
struct ReportReply {
    bool known = false;  ///< False: say hello again.
    bool in_sync = false;
    Epoch epoch = 0;
    Position last;
    std::uint64_t committed = 0;  ///< Up to here nothing will be cut any more.
};

/// Master to shadow: claim the epoch after `epoch`, I have agreed to it.
struct TakeOver {
    Epoch epoch = 0;
    Position last;
};
struct TakeOverReply {
    bool accepted = false;
    std::string reason;
};

/// Published by the master: new entries.
struct Update {
    Epoch epoch = 0;
    std::vector<std::string> bodies;
};
/// Published by the master now and then: makes the loss of the last update visible.
struct Beacon {
    Epoch epoch = 0;
    Position last;
    Hash digest{};
};

/// Shadow to master: these edits of mine are not in your log, merge what can be merged.
struct Offer {
    std::string node;
    SavedEdits edits;
    bool by_hand = false;  ///< An operator wants what conflicts too.
    std::string author;    ///< That operator.
};
struct OfferReply {
    std::string id;
    bool accepted = false;
    bool final = false;  ///< Not accepted, and asking again would change nothing.
    std::string reason;  ///< When not accepted: one sentence.
    Revision revision;   ///< The edit that merges; 0.0 when nothing was to be changed.
    bool durable = false;
    std::vector<Fate> fates;  ///< One for each key that was offered.
};

using Message =
    std::variant<Pong, Hello, HelloReply, Fetch, FetchReply, FetchSnapshot, SnapshotReply, Report,
                 ReportReply, TakeOver, TakeOverReply, Update, Beacon, Offer, OfferReply>;

[[nodiscard]] std::string encode(const Message& message);
/// Makes one encoded update of two that follow each other: `message` has the entries of `more` as
/// well. False, and it is as it was, when they are not updates of the same epoch.
[[nodiscard]] bool merge_update(std::string& message, std::string_view more);
/// Nothing for anything that is not exactly one well-formed message of at most `message_bytes_max`.
[[nodiscard]] std::optional<Message> decode(std::string_view bytes);

}  // namespace umbra::core::wire
