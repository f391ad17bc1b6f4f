#include "child.hpp"

#include "text.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace umbra::host {

namespace {

constexpr std::size_t output_max = 4 * 1024 * 1024;
constexpr int exit_thrown = 70;

void write_all(int descriptor, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(written));
    }
}

[[noreturn]] void be_the_child(int answer, pid_t parent, const std::function<std::string()>& work) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(exit_thrown);
    // A crash here is an expected outcome: no core file, no handler of the parent.
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
    for (const int number : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGTERM, SIGINT, SIGPIPE})
        ::signal(number, SIG_DFL);
    if (const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC); nowhere >= 0) {
        ::dup2(nowhere, STDIN_FILENO);
        ::dup2(nowhere, STDOUT_FILENO);
        ::dup2(nowhere, STDERR_FILENO);
    }
    try {
        write_all(answer, work());
    } catch (...) {
        ::_exit(exit_thrown);
    }
    ::_exit(0);
}

/// Reads to the end of the pipe. @return false when the time or the space is over.
bool read_to_end(int descriptor, Duration limit, std::string& output) {
    using Clock = std::chrono::steady_clock;
    const auto end = Clock::now() + limit;
    std::array<char, 16 * 1024> chunk{};
    while (output.size() < output_max) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
        if (left <= 0) return false;
        pollfd waiting{descriptor, POLLIN, 0};
        const int ready = ::poll(&waiting, 1, static_cast<int>(std::min<long long>(left, 60'000)));
        if (ready <= 0) continue;
        const ssize_t got = ::read(descriptor, chunk.data(), chunk.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return got == 0;
        output.append(chunk.data(), static_cast<std::size_t>(got));
    }
    return false;
}

std::string end_text(int status) {
    if (WIFSIGNALED(status)) {
        const int number = WTERMSIG(status);
        const char* name = ::sigabbrev_np(number);
        return "crashed with SIG" + std::string{name == nullptr ? "?" : name} + " (" +
               ::sigdescr_np(number) + ")";
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    return "ended the process with status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace

ChildOutcome run_in_child(const std::function<std::string()>& work, Duration limit) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return {{}, "was not tried (" + system_text(errno) + ")"};
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(ends[0]);
        be_the_child(ends[1], parent, work);
    }
    ::close(ends[1]);
    if (child < 0) {
        ::close(ends[0]);
        return {{}, "was not tried (" + system_text(errno) + ")"};
    }
    ChildOutcome outcome;
    const bool ended = read_to_end(ends[0], limit, outcome.output);
    ::close(ends[0]);
    if (!ended) ::kill(child, SIGKILL);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    outcome.why = ended ? end_text(status) : "hung for " + span_text(limit.count());
    return outcome;
}

}  // namespace umbra::host
