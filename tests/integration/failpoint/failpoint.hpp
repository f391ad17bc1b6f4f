#pragma once

#include "integration/failpoint/page.hpp"

#include <atomic>
#include <string>
#include <sys/types.h>
#include <vector>

namespace umbra::failpoint {

/// How a program that was started with a failpoint ended.
struct Ended {
    int signal = 0;  ///< 0: it ended by itself, with `status`.
    int status = 0;
    std::string out;  ///< Its standard output.
};

/// What happens to a program at its n-th change of the files below one directory. The program is
/// started with the library of calls.cpp in front of the C library.
class Failpoint {
public:
    /// @param library  The shared object.
    /// @param room     A directory for the page and the trace, outside of what is watched.
    Failpoint(std::string library, const std::string& room);
    ~Failpoint();
    Failpoint(const Failpoint&) = delete;
    Failpoint& operator=(const Failpoint&) = delete;

    /// Runs a program to its end. @param at  0: nothing happens, the calls are counted.
    Ended run(const std::vector<std::string>& command, const std::string& under, How how,
              std::uint64_t at, bool traced = false);

    /// Ends the program that runs, if one does. Any thread.
    void kill() const;

    /// Of the last run.
    [[nodiscard]] std::uint64_t calls() const { return page_->calls; }
    [[nodiscard]] bool struck() const { return page_->struck != 0; }
    /// "pwrite of /path", for messages.
    [[nodiscard]] std::string where() const;
    [[nodiscard]] const std::string& trace_file() const { return trace_file_; }

private:
    std::string library_, page_file_, trace_file_;
    Page* page_ = nullptr;
    std::atomic<pid_t> pid_{-1};
};

}  // namespace umbra::failpoint
