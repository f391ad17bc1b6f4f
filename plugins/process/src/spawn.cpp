#include <umbra/process/spawn.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <system_error>
#include <unistd.h>

namespace umbra::process {

namespace {

/// Below it are the places that the child's own descriptors get.
constexpr int high_descriptor = 10;
constexpr int failure_descriptor = 3;
constexpr int highest_signal = 64;
constexpr int exit_of_failed_exec = 127;

std::string text_of(int error) { return std::generic_category().message(error); }

Error out_of(const char* what, int error) {
    return {Errc::exhausted, std::string{"cannot make "} + what + ": " + text_of(error), error};
}

struct Pipe {
    Descriptor read, write;
};

Result<Pipe> make_pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return out_of("a pipe", errno);
    return Pipe{Descriptor{ends[0]}, Descriptor{ends[1]}};
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
    std::vector<char*> list;
    list.reserve(texts.size() + 1);
    // execve() takes char* for the sake of old programs and does not write through it.
    for (const auto& text : texts) list.push_back(const_cast<char*>(text.c_str()));
    list.push_back(nullptr);
    return list;
}

/// Everything the child needs, made before it is: between fork and exec nothing may be allocated,
/// because another thread may have held the allocator's lock.
struct Prepared {
    std::vector<char*> arguments, environment;
    const char* directory;
    int null, output, failure;
    pid_t parent;
};

void restore_signals() {
    for (int signal = 1; signal <= highest_signal; ++signal) ::signal(signal, SIG_DFL);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void give_up(int descriptor) {
    const int error = errno;
    [[maybe_unused]] const auto put = ::write(descriptor, &error, sizeof error);
    ::_exit(exit_of_failed_exec);
}

/// The child, from fork to exec.
[[noreturn]] void become(const Prepared& prepared) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != prepared.parent) ::_exit(exit_of_failed_exec);  // It died meanwhile.
    // One's own session: no terminal to ask for passwords, one's own group for signals.
    ::setsid();
    // This program may run with stdin closed, so any of them may lie where another one has to go.
    const int null = ::fcntl(prepared.null, F_DUPFD, high_descriptor);
    const int output = ::fcntl(prepared.output, F_DUPFD, high_descriptor);
    const int failure = ::fcntl(prepared.failure, F_DUPFD, high_descriptor);
    if (null < 0 || output < 0 || failure < 0) give_up(prepared.failure);
    ::dup2(null, STDIN_FILENO);
    ::dup2(output, STDOUT_FILENO);
    ::dup2(output, STDERR_FILENO);
    ::dup3(failure, failure_descriptor, O_CLOEXEC);
    ::close_range(failure_descriptor + 1, ~0U, 0);
    restore_signals();
    if (::chdir(prepared.directory) != 0) give_up(failure_descriptor);
    ::execve(prepared.arguments[0], prepared.arguments.data(), prepared.environment.data());
    give_up(failure_descriptor);
}

/// The error of the child's exec, 0 = it runs. The write end closes by itself when it does.
int wait_for_exec(int descriptor) {
    int error = 0;
    ssize_t got = 0;
    do {
        got = ::read(descriptor, &error, sizeof error);
    } while (got < 0 && errno == EINTR);
    return got == static_cast<ssize_t>(sizeof error) ? error : 0;
}

void reap(pid_t pid) {
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
}

/// glibc 2.36 declares a function for it that C++ cannot link. Closed on exec by the kernel's rule.
int open_pidfd(pid_t pid) { return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)); }

bool is_executable_file(const std::string& path) {
    struct stat found {};
    return ::stat(path.c_str(), &found) == 0 && S_ISREG(found.st_mode) &&
           ::access(path.c_str(), X_OK) == 0;
}

}  // namespace

Descriptor::~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
}

Result<Spawned> spawn(const Launch& launch) {
    if (launch.arguments.empty()) return Error{Errc::invalid, "there is no command"};
    auto output = make_pipe();
    if (!output) return output.error();
    auto failure = make_pipe();
    if (!failure) return failure.error();
    const Descriptor null{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    if (!null) return out_of("a descriptor of /dev/null", errno);
    const int flags = ::fcntl(output->read.get(), F_GETFL);
    if (::fcntl(output->read.get(), F_SETFL, flags | O_NONBLOCK) != 0)
        return out_of("a pipe that does not block", errno);

    const Prepared prepared{pointers(launch.arguments),
                            pointers(launch.environment),
                            launch.directory.c_str(),
                            null.get(),
                            output->write.get(),
                            failure->write.get(),
                            ::getpid()};
    const pid_t pid = ::fork();
    if (pid < 0) return out_of("a process", errno);
    if (pid == 0) become(prepared);

    failure->write = Descriptor{};
    if (const int error = wait_for_exec(failure->read.get()); error != 0) {
        reap(pid);
        return Error{Errc::invalid,
                     "cannot execute " + launch.arguments.front() + ": " + text_of(error), error};
    }
    Spawned spawned{pid, Descriptor{open_pidfd(pid)}, std::move(output->read)};
    if (!spawned.exit) {
        const int error = errno;
        ::kill(-pid, SIGKILL);
        reap(pid);
        return out_of("a descriptor of a process", error);
    }
    return spawned;
}

Result<std::string> find_program(std::string_view name, std::string_view path) {
    const std::string program{name};
    if (program.find('/') != std::string::npos) {
        if (is_executable_file(program)) return program;
        return Error{Errc::invalid, program + " is no program that this user may execute"};
    }
    while (!path.empty()) {
        const auto colon = path.find(':');
        const auto directory = path.substr(0, colon);
        path = colon == std::string_view::npos ? std::string_view{} : path.substr(colon + 1);
        if (directory.empty() || directory.front() != '/') continue;
        auto candidate = std::string{directory} + "/" + program;
        if (is_executable_file(candidate)) return candidate;
    }
    return Error{Errc::invalid, "there is no program \"" + program + "\" on the PATH"};
}

}  // namespace umbra::process
