#pragma once

#include <umbra/base/http_server.hpp>

#include <string>

namespace umbra::base {

/// Largest answer that is taken.
inline constexpr std::size_t http_answer_max = 64 * 1024 * 1024;

/// Sends one request and waits for its answer, on a connection of its own.
///
/// @param address  "unix:/run/umbra/admin.sock"
/// @param timeout  For everything together.
/// @return Any answer, whatever its status. `unavailable` when nothing listens there, `denied` when
///         the socket may not be opened, `timeout` and `closed` when the answer did not come (the
///         effect of the request is unknown), `invalid` for a bad address, `unsupported` for a kind
///         of address that this version does not speak.
/// Threads: any; blocks the caller.
Result<HttpResponse> http_request(const std::string& address, const HttpRequest& request,
                                  Duration timeout);

}  // namespace umbra::base
