#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace umbra::gateway {

/// Why a client is turned away. What it is told, in the protocol that it came by, follows from it.
enum class Refusal : std::uint8_t {
    network,          ///< Its address is not among those that are let in.
    per_source,       ///< Its address has too many connections already.
    clients,          ///< Too many clients, of this way in or of all of them.
    bad_request,      ///< It did not say properly where it wants to go.
    denied,           ///< No mapping permits what it asks for.
    backend_refused,  ///< The internal system refuses connections.
    backend_timeout,  ///< The internal system did not answer in time.
    streams,          ///< Too many streams on the links.
    park_full,        ///< Nobody serves, and too many wait.
    park_timeout,     ///< Nobody serves, and it has waited long enough.
};
inline constexpr std::size_t refusals = 10;

/// As in `status --json`: "per_source".
[[nodiscard]] std::string_view name_of(Refusal refusal) noexcept;
/// For logs: "its address has too many connections".
[[nodiscard]] std::string_view text_of(Refusal refusal) noexcept;

using RefusalCounts = std::array<std::uint64_t, refusals>;

}  // namespace umbra::gateway
