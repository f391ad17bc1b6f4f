#pragma once

#include "client.hpp"
#include <umbra/config/shared_document.hpp>

#include <string>
#include <variant>
#include <vector>

namespace umbra::cli {

/// The configuration of the instance, now or at a revision; or the exit status after an error was
/// printed.
std::variant<core::Document, int> fetch_document(const Connection& connection,
                                                 const std::string& revision);

/// Words KEY=VALUE, the values as typed; or the exit status after an error was printed.
std::variant<std::vector<core::Change>, int> changes_of(const std::vector<std::string>& pairs);

}  // namespace umbra::cli
