#pragma once

#include <umbra/config/problem.hpp>
#include <umbra/config/schema.hpp>
#include <umbra/etcd/client.hpp>
#include <umbra/sdk/time.hpp>

#include <optional>
#include <string>

namespace umbra::gateway {

/// [gateway.register] with store = "etcd": one register for several gateways.
struct SharedRegisterSettings {
    etcd::ClientSettings client;
    std::string prefix;  ///< Ends with a slash.
    Duration hold{};     ///< The gateway routes for so long after it last confirmed the register.

    /// Values as the file has them, for `reload`; the password is not among them.
    std::string endpoints, user, password_file, ca_file, cert_file, key_file;
};

[[nodiscard]] const config::Table& register_schema();

/// Reads the table, and the password. What is wrong goes to `problems`.
/// @param lease  [gateway] lease
/// @return Nothing with store = "file".
[[nodiscard]] std::optional<SharedRegisterSettings> load_register(const config::Section& table,
                                                                  const config::Source& source,
                                                                  Duration lease,
                                                                  config::Problems& problems);

}  // namespace umbra::gateway
