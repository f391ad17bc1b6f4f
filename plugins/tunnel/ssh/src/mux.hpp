#pragma once

#include "plan.hpp"
#include <umbra/sdk/result.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

/// The protocol of OpenSSH's control socket, version 4, as its PROTOCOL.mux describes it: how a
/// running client is asked for forwards. Pure.
namespace umbra::ssh_tunnel::mux {

inline constexpr std::uint32_t version = 4;
/// A message beyond that is none of ours.
inline constexpr std::size_t message_bytes_max = 64 * 1024;

std::string hello();
std::string open_forward(std::uint32_t request, const Forward& forward);
std::string close_forward(std::uint32_t request, const Forward& forward);
/// No new requests are taken, and the client ends when its last stream has.
std::string stop_listening(std::uint32_t request);

struct Hello {
    std::uint32_t version = 0;
};
struct Answer {
    std::uint32_t request = 0;
    bool ok = false;
    std::string reason;  ///< When it is not ok.
};
using Message = std::variant<Hello, Answer>;

/// Takes the first message off `bytes`; nothing when it is not all there yet. `invalid` when these
/// are no messages of this protocol.
Result<std::optional<Message>> take(std::string& bytes);

}  // namespace umbra::ssh_tunnel::mux
