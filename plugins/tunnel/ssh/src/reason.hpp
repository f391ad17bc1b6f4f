#pragma once

#include <umbra/process/child.hpp>

#include <deque>
#include <string>

namespace umbra::ssh_tunnel {

/// Why a session ended or did not come up.
struct Reason {
    std::string text;
    bool refused = false;  ///< Trying again mends nothing before somebody changes something.

    bool operator==(const Reason&) const = default;
};

/// From what the client said last, and how it ended. Pure.
/// @param server  Its address. @param known_hosts  The file that names its key.
Reason reason_of(const std::deque<std::string>& lines, const process::Exit& exit,
                 const std::string& server, const std::string& known_hosts);

}  // namespace umbra::ssh_tunnel
