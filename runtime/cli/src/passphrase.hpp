#pragma once

#include <umbra/sdk/result.hpp>
#include <umbra/seal/secret.hpp>

#include <string>

namespace umbra::cli {

/// Where a passphrase comes from when no file is named.
inline constexpr const char* passphrase_variable = "UMBRA_PASSPHRASE";

/// The first line of `file`; without one what UMBRA_PASSPHRASE has; else asks on the terminal,
/// without echo.
/// @param twice  Asks again and compares: for one that nothing can be compared with.
/// Errors: `denied` for a file that others may read; `invalid` when there is no way to get one, or
/// it cannot be one.
[[nodiscard]] Result<seal::Secret> get_passphrase(const std::string& file, bool twice);

}  // namespace umbra::cli
