#pragma once

#include <umbra/sdk/result.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace umbra::instance {

/// What a shadow needs to introduce itself to a master once: `umbra-peer1.` and base64url of JSON.
/// The secret is that of a key pair made for this one introduction; the master keeps only its
/// public half, and only for `invitation_life`.
struct Invitation {
    std::string node;      ///< The inviter.
    std::string identity;  ///< Its pinned key.
    std::string publish, respond;
    std::string secret;

    bool operator==(const Invitation&) const = default;
};

[[nodiscard]] std::string encode(const Invitation& invitation);
[[nodiscard]] Result<Invitation> decode_invitation(std::string_view text);

/// The one question of a guest, and its answer.
struct JoinRequest {
    std::string node, identity, version;
    std::string publish, respond;
};
struct JoinReply {
    bool accepted = false;
    std::string reason;
    std::string node;
};

[[nodiscard]] std::string encode(const JoinRequest& request);
[[nodiscard]] Result<JoinRequest> decode_join_request(std::string_view text);
[[nodiscard]] std::string encode(const JoinReply& reply);
[[nodiscard]] Result<JoinReply> decode_join_reply(std::string_view text);

}  // namespace umbra::instance
