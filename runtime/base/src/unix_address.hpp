#pragma once

#include <umbra/sdk/result.hpp>

#include <string>

namespace umbra::base {

/// The path in "unix:/path", if it fits a socket address. `unsupported` for addresses of kinds
/// that are known but not spoken yet, `invalid` for everything else.
Result<std::string> unix_path(const std::string& address);

/// Binds and listens: replaces the socket of a dead process, refuses anything else that is in the
/// way. @return A listening descriptor, non-blocking; its path has mode 0660.
Result<int> listen_unix(const std::string& path, int backlog);

}  // namespace umbra::base
