#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace umbra::cli {

/// Exit statuses of `umbra`, as scripts rely on them.
enum ExitStatus : int {
    exit_done = 0,
    exit_failed = 1,       ///< The operation failed.
    exit_usage = 2,        ///< Wrong usage or an invalid file.
    exit_unreachable = 3,  ///< The instance cannot be reached.
    exit_refused = 4,      ///< Refused in the present state.
    exit_provisional = 5,  ///< Done here, and not yet as safe as promised: a takeover may undo it.
};

/// Prints `umbra: sentence` and detail lines on stderr. @return `status`, to return it from main.
int fail(ExitStatus status, std::string_view sentence,
         const std::vector<std::string>& details = {});

/// Prints `umbra: warning: sentence` on stderr.
void print_warning(std::string_view sentence);

/// Prints on stdout; what is not one gets a newline at the end.
void print_line(std::string_view text);

}  // namespace umbra::cli
