#include "reason.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace umbra::ssh_tunnel {

namespace {

const std::string* line_with(const std::deque<std::string>& lines, std::string_view part) {
    const auto found = std::find_if(lines.rbegin(), lines.rend(), [&](const auto& line) {
        return line.find(part) != std::string::npos;
    });
    return found == lines.rend() ? nullptr : &*found;
}

/// What only somebody who changes a file or an option can mend, in the client's own words.
constexpr std::array<std::string_view, 8> needs_somebody{
    "Permission denied (",  "UNPROTECTED PRIVATE KEY",
    "bad permissions",      "Load key \"",
    "not accessible",       "Bad configuration option",
    "command-line line 0:", "Too many authentication failures"};

std::string without_name(std::string line) {
    constexpr std::string_view name = "ssh: ";
    return line.starts_with(name) ? line.substr(name.size()) : line;
}

}  // namespace

Reason reason_of(const std::deque<std::string>& lines, const process::Exit& exit,
                 const std::string& server, const std::string& known_hosts) {
    if (line_with(lines, "REMOTE HOST IDENTIFICATION HAS CHANGED"))
        return {"the host key of " + server + " is not the one in " + known_hosts +
                    ": the server is another one now, or somebody is in between; nothing is sent "
                    "to it",
                true};
    if (line_with(lines, "host key is known for"))
        return {"no host key of " + server + " is in " + known_hosts +
                    "; ssh-keyscan prints it, check it before you trust it",
                true};
    if (line_with(lines, "Host key verification failed"))
        return {"the host key of " + server + " does not verify with " + known_hosts, true};
    for (const auto part : needs_somebody)
        if (const auto* line = line_with(lines, part)) return {without_name(*line), true};
    if (!lines.empty()) return {without_name(lines.back()), false};
    return {"ssh " + to_text(exit), false};
}

}  // namespace umbra::ssh_tunnel
