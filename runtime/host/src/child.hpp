#pragma once

#include <umbra/sdk/time.hpp>

#include <functional>
#include <string>

namespace umbra::host {

struct ChildOutcome {
    std::string output;  ///< What `work` returned.
    std::string why;     ///< "crashed with SIGSEGV (…)", "hung for 10 s"; empty = it returned.
};

/// Runs `work` in a forked child and waits for it, at most `limit`; then the child is killed.
/// What the child prints goes nowhere.
[[nodiscard]] ChildOutcome run_in_child(const std::function<std::string()>& work, Duration limit);

}  // namespace umbra::host
