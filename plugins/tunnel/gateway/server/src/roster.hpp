#pragma once

#include <umbra/gateway/invitation.hpp>
#include <umbra/sdk/result.hpp>
#include <umbra/sdk/time.hpp>

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::gateway {

inline constexpr std::size_t invitations_max = 64;
inline constexpr std::size_t pairs_max = 256;
inline constexpr int wrong_proofs_max = 5;
inline constexpr std::chrono::seconds invitation_life = std::chrono::minutes{15};

/// A node that may connect: known by the pin of its key.
struct EnrolledNode {
    std::string node;
    std::string pair;
    std::string pin;
    std::string since;       ///< Wall time, for people.
    std::string next_pin{};  ///< Of the key that will replace it; empty: none.
    std::string knows{};     ///< Newest key of this gateway that it has stored; empty: unknown.

    bool operator==(const EnrolledNode&) const = default;
};

struct OpenInvitation {
    InvitationId id{};
    Digest key{};  ///< SHA-256 of the secret.
    std::string node;
    std::string pair;
    std::int64_t expires = 0;  ///< Seconds since 1970: it has to survive a restart.
    int wrong = 0;             ///< Proofs that did not fit.

    bool operator==(const OpenInvitation&) const = default;
};

/// Who is let in, and who was invited: the content of `enrolled.json`. A plain value; the server
/// changes a copy, makes it durable, and then takes it over.
class Roster {
public:
    [[nodiscard]] static Result<Roster> parse(std::string_view json);
    [[nodiscard]] std::string to_json() const;

    /// By the present or the next one.
    [[nodiscard]] const EnrolledNode* find_pin(std::string_view pin) const;
    [[nodiscard]] const EnrolledNode* find_node(std::string_view pair, std::string_view node) const;
    [[nodiscard]] const OpenInvitation* find_invitation(const InvitationId& id) const;
    [[nodiscard]] const std::vector<EnrolledNode>& nodes() const noexcept { return nodes_; }
    [[nodiscard]] std::set<std::string> members(std::string_view pair) const;
    /// Pairs whose register must be on disk: a missing one was lost.
    [[nodiscard]] const std::set<std::string>& pairs() const noexcept { return pairs_; }

    /// @param now  Seconds since 1970.
    void drop_expired(std::int64_t now);
    /// @return `exhausted` at `invitations_max`.
    Result<Done> invite(OpenInvitation invitation);
    /// Uses the invitation up. A node of that name that was enrolled before is replaced.
    /// @pre the invitation is there
    void enrol(const InvitationId& id, std::string pin, std::string since);
    /// @return whether the invitation is used up by it
    bool count_wrong(const InvitationId& id);
    /// The node says over a link of the key `shown` which keys it has; no other is let in.
    /// @return `refused` when `shown` is not its key any more, or another node has one of `theirs`
    Result<Done> set_keys(std::string_view pair, std::string_view node, std::string_view shown,
                          const KeyPins& theirs);
    /// It has stored this key of the gateway. @return `conflict` when that is no news
    Result<Done> note_known(std::string_view pair, std::string_view node, std::string pin);
    [[nodiscard]] std::vector<const EnrolledNode*> who_does_not_know(std::string_view pin) const;
    /// @return false when there is no such node
    bool remove(std::string_view pair, std::string_view node);

    bool operator==(const Roster&) const = default;

private:
    [[nodiscard]] EnrolledNode* node_at(std::string_view pair, std::string_view node);

    std::vector<EnrolledNode> nodes_;
    std::vector<OpenInvitation> invitations_;
    std::set<std::string> pairs_;
};

/// A fresh invitation and what of it is kept.
struct NewInvitation {
    Invitation sent;
    OpenInvitation kept;
};
[[nodiscard]] Result<NewInvitation> make_invitation(std::string node, std::string pair,
                                                    const Digest& gateway_pin, std::int64_t now);
/// HMAC-SHA256 over the TLS exporter value, compared in constant time.
[[nodiscard]] bool proof_fits(const OpenInvitation& invitation, ByteView exporter,
                              const Digest& proof);

}  // namespace umbra::gateway
