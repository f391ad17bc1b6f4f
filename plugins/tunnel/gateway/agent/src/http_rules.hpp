#pragma once

#include "http_head.hpp"
#include <umbra/gateway/dial.hpp>
#include <umbra/sdk/tunnel.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace umbra::gateway {

/// What is wrong with the target of a request; nothing when it is "/path" or "/path?query" that
/// every server reads in the same way. Refused, never normalised: other forms of a target, dot
/// segments, backslashes, bytes outside printable ASCII, and the percent-encodings of "/", "\",
/// dots that make a dot segment, control characters and overlong UTF-8; also encoded twice.
[[nodiscard]] std::optional<HttpFault> target_fault(std::string_view target);

/// The resource of a mapping that permits a request; null: denied.
[[nodiscard]] const Resource* permitting(const Mapping& mapping, std::string_view method,
                                         std::string_view path, bool upgrade);
/// "/a" with sub-paths covers "/a", "/a/" and "/a/b", but not "/ab".
[[nodiscard]] bool covers_path(const Resource& resource, std::string_view path);

/// The head that the backend gets. Fields stay as they are, but for: X-Forwarded-For, to which the
/// client's address is appended; X-Forwarded-Host, which is always the Host that was asked for;
/// X-Forwarded-Proto, "http" unless whoever ended TLS in front of the gateway has set it; and Host,
/// if the mapping says so.
[[nodiscard]] HttpRequest forwarded(HttpRequest request, const Mapping& mapping,
                                    const Endpoint& backend, std::string_view client_address);

/// With `rewrite_host`, a redirect of the backend to itself becomes one to the same place as the
/// client sees it: without scheme and host.
void rewrite_locations(HttpResponse& response, const Mapping& mapping, const Endpoint& backend);

/// A whole answer of the agent itself, for example to what is denied.
[[nodiscard]] std::string own_answer(int status, std::string_view text, bool keep_alive,
                                     bool with_body);

}  // namespace umbra::gateway
