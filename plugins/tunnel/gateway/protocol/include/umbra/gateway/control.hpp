#pragma once

#include <umbra/gateway/wire.hpp>
#include <umbra/sdk/result.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The messages on stream 1 of a link, between an instance ("agent", A) and the gateway (G).
///
/// On the wire: u16 length of what follows | u8 type | body. Numbers in network order, texts with a
/// u16 length in front. Liveness is not a matter of this stream: links ping each other with frames.
namespace umbra::gateway {

inline constexpr std::uint16_t protocol_version = 1;
/// What TLS agrees on as ALPN is "umbra/1" or "umbra/1.1"; the latter permits the messages `Keys`,
/// `KeysStored` and `Retire`, which older ends take for a broken rule.
inline constexpr int protocol_minor = 1;
inline constexpr std::size_t control_bytes_max = 65535;       ///< type and body of one message
inline constexpr std::size_t control_bytes_max_early = 4096;  ///< the same, before the welcome
inline constexpr std::size_t name_bytes_max = 255;            ///< node, incarnation, gateway name
inline constexpr std::size_t text_bytes_max = 1024;           ///< sentences for people
inline constexpr std::size_t members_max = 64;                ///< of an in-sync set
inline constexpr std::size_t pin_bytes_max = 71;              ///< "sha256:" and 64 digits

/// Part a link plays: which process, which of its connections.
using BootId = std::array<std::uint8_t, 16>;
using InvitationId = std::array<std::uint8_t, 16>;
using Digest = std::array<std::uint8_t, 32>;

/// One node with one data directory: a fresh disk is another incarnation.
struct Member {
    std::string node{};
    std::string incarnation{};

    auto operator<=>(const Member&) const = default;
};

/// By which keys an end is known: pins, "sha256:" and 64 hexadecimal digits.
struct KeyPins {
    std::string present{};
    std::string next{};  ///< Will replace it; empty: none.

    [[nodiscard]] bool contains(std::string_view pin) const {
        return !pin.empty() && (pin == present || pin == next);
    }
    bool operator==(const KeyPins&) const = default;
};

/// The register of one pair as the gateway shows it to its nodes.
struct RegisterView {
    std::uint64_t epoch = 0;  ///< 0 = never granted to anybody.
    std::string holder{};
    bool holder_alive = false;
    std::int64_t holder_heard_ns = 0;  ///< Age of the holder's last sign of life.
    std::uint64_t in_sync_seq = 0;
    std::vector<Member> in_sync{};  ///< Sorted.
    std::string store{};            ///< Names the store that several gateways share; else empty.

    bool operator==(const RegisterView&) const = default;
};

/// Values are on the wire and equal those of `umbra_claim_reason`.
enum class ClaimReason : std::uint8_t {
    first = 1,         ///< Nobody ever held it, or this node did and restarted.
    peer_refused = 2,  ///< The holder's host refuses connections: its process is gone.
    peer_silent = 3,   ///< The takeover delay passed.
    handover = 4,      ///< The holder consented.
    forced = 5,        ///< An operator ordered it.
    follow = 6,        ///< The register of record, at another gateway, granted it.
};

/// Why a link is turned away. On the wire.
enum class RefusalCode : std::uint8_t {
    not_enrolled = 1,    ///< This key belongs to nobody here.
    wrong_name = 2,      ///< The key is enrolled for another node.
    incarnation = 3,     ///< The same identity is connected with another data directory.
    version = 4,         ///< No common protocol version.
    limit = 5,           ///< Too many links.
    bad_invitation = 6,  ///< Unknown, used, expired, or the proof does not fit.
    internal = 7,        ///< The gateway can not serve at the moment, for example its disk failed.
};

namespace msg {

// A -> G, first message of an enrolled key.
struct Hello {
    std::uint16_t proto = protocol_version;
    std::string node{};
    std::string incarnation{};
    BootId boot{};  ///< Random per process start.
    std::uint64_t epoch_known = 0;
    std::uint8_t link_index = 0;
    std::uint8_t links_total = 1;
    bool operator==(const Hello&) const = default;
};
/// A -> G, the only first message permitted to an unknown key.
/// `proof` = HMAC-SHA256(key = SHA-256(secret), data = TLS exporter `enrol_exporter_label`, 32
/// bytes), so that a relay in between can not use it.
struct Enrol {
    InvitationId invitation{};
    Digest proof{};
    std::string node{};
    bool operator==(const Enrol&) const = default;
};
struct Claim {
    std::uint64_t ask = 0;  ///< Copied into the answer; unique per process start.
    std::uint64_t epoch = 0;
    ClaimReason reason = ClaimReason::first;
    bool operator==(const Claim&) const = default;
};
struct Activate {
    std::uint64_t ask = 0;
    std::uint64_t epoch = 0;
    bool operator==(const Activate&) const = default;
};
/// Lets `successor` (empty: anyone in sync) claim the next epoch. Answered with `Answer`.
struct Consent {
    std::uint64_t ask = 0;
    std::uint64_t epoch = 0;
    std::string successor{};
    bool operator==(const Consent&) const = default;
};
/// No new streams to this node; open ones go on. Not answered.
struct Drain {
    std::uint64_t epoch = 0;
    bool operator==(const Drain&) const = default;
};
/// Replaces the in-sync set. Answered with `Answer`.
struct InSync {
    std::uint64_t ask = 0;
    std::uint64_t epoch = 0;
    std::uint64_t seq = 0;
    std::vector<Member> members{};
    bool operator==(const InSync&) const = default;
};

// G -> A
struct Welcome {
    std::string gateway{};
    RegisterView view{};
    std::uint32_t ping_ms = 0;   ///< The agent pings this often.
    std::uint32_t lease_ms = 0;  ///< Silent for this long counts as gone.
    bool operator==(const Welcome&) const = default;
};
/// The link is closed after it.
struct Refused {
    RefusalCode code = RefusalCode::internal;
    std::string text{};
    bool operator==(const Refused&) const = default;
};
/// The link is closed after it; the node dials again and says Hello.
struct Enrolled {
    std::string gateway{};
    bool operator==(const Enrolled&) const = default;
};
struct ClaimAnswer {
    std::uint64_t ask = 0;
    bool granted = false;
    RegisterView view{};
    std::string text{};
    bool operator==(const ClaimAnswer&) const = default;
};
/// From now on new streams are routed to this node.
struct Activated {
    std::uint64_t ask = 0;
    std::uint64_t epoch = 0;
    bool operator==(const Activated&) const = default;
};
struct RefusedEpoch {
    std::uint64_t ask = 0;
    RegisterView view{};
    bool operator==(const RefusedEpoch&) const = default;
};
struct Answer {
    std::uint64_t ask = 0;
    bool accepted = false;
    std::string text{};
    bool operator==(const Answer&) const = default;
};
struct Register {
    RegisterView view{};
    bool operator==(const Register&) const = default;
};
struct HolderLost {
    RegisterView view{};
    bool operator==(const HolderLost&) const = default;
};
/// A higher epoch was granted. With `drain` the open streams may live on, else they are cut.
struct Fenced {
    RegisterView view{};
    bool drain = false;
    bool operator==(const Fenced&) const = default;
};

/// Both directions: the sender closes the link on purpose.
struct Bye {
    std::string text{};
    bool operator==(const Bye&) const = default;
};

/// Both directions, after the welcome: the sender's key on new links from now on, and the one that
/// will replace it. The receiver believes both and no other, and answers once it has stored that.
struct Keys {
    KeyPins pins{};
    bool operator==(const Keys&) const = default;
};
/// Both directions, the answer.
struct KeysStored {
    KeyPins pins{};
    bool operator==(const KeysStored&) const = default;
};
/// A -> G: no new streams over this link while the node has another one; the agent closes it when
/// its last stream has ended, and dials again with the keys of now. Not answered.
struct Retire {
    bool operator==(const Retire&) const = default;
};

}  // namespace msg

using ControlMessage =
    std::variant<msg::Hello, msg::Enrol, msg::Claim, msg::Activate, msg::Consent, msg::Drain,
                 msg::InSync, msg::Welcome, msg::Refused, msg::Enrolled, msg::ClaimAnswer,
                 msg::Activated, msg::RefusedEpoch, msg::Answer, msg::Register, msg::HolderLost,
                 msg::Fenced, msg::Bye, msg::Keys, msg::KeysStored, msg::Retire>;

/// Label and length of the TLS exporter value that an `Enrol` proves knowledge over.
inline constexpr std::string_view enrol_exporter_label = "EXPORTER-umbra-enrol";
inline constexpr std::size_t enrol_exporter_bytes = 32;

/// One message with its length in front.
/// @pre Names are at most `name_bytes_max` long, sets at most `members_max` large. Texts are cut.
[[nodiscard]] Bytes encode(const ControlMessage& message);

/// @param bytes  Type and body of one message, without the length.
/// @return `Errc::invalid` naming the type, for anything that `encode` does not write.
[[nodiscard]] Result<ControlMessage> decode_control(ByteView bytes);

/// Cuts the bytes of the control stream into messages. Keeps at most one unfinished message.
class ControlReader {
public:
    /// Largest accepted message (type and body) from now on; begins with the early limit.
    void set_limit(std::size_t bytes) noexcept { limit_ = bytes; }
    void push(ByteView bytes);
    /// @return nothing when the next message is not complete yet; an error is final.
    [[nodiscard]] Result<std::optional<ControlMessage>> next();

private:
    Bytes buffer_;
    std::size_t head_ = 0;
    std::size_t limit_ = control_bytes_max_early;
};

}  // namespace umbra::gateway
