#pragma once

#include <umbra/sdk/result.hpp>

#include <string>
#include <string_view>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace umbra::process {

/// Owns one file descriptor.
class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Descriptor();

    [[nodiscard]] int get() const { return fd_; }
    [[nodiscard]] int release() { return std::exchange(fd_, -1); }
    explicit operator bool() const { return fd_ >= 0; }

private:
    int fd_ = -1;
};

/// What is started, and in which surroundings. Nothing here goes through a shell.
struct Launch {
    std::vector<std::string> arguments;    ///< The first one is the program, an absolute path.
    std::vector<std::string> environment;  ///< "NAME=value"; all of it, nothing is inherited.
    std::string directory = "/";           ///< Where it works.
};

/// A started process, the leader of its own session and group.
struct Spawned {
    pid_t pid = -1;
    Descriptor exit;    ///< A pidfd: readable once the process has ended. Not reaped yet.
    Descriptor output;  ///< What it writes to stdout and stderr, in order. Does not block.
};

/// Starts a process: stdin is /dev/null, every other descriptor is closed, signals are as a login
/// has them. The kernel kills it as soon as the *thread* that called this ends, however it ends, so
/// call it on one that lives as long as the process may: kill -9 of this program then leaves no
/// orphan that goes on holding a tunnel. (The kernel forgets that for a set-user-id program.)
///
/// Returns when the program runs. Errors: `invalid` when it cannot be executed, `exhausted` when
/// this host is out of processes, memory or descriptors.
Result<Spawned> spawn(const Launch& launch);

/// The absolute path of a program: as it is when it has a slash, else the first executable file of
/// that name in the directories of `path`, as in $PATH. `invalid` when there is none.
Result<std::string> find_program(std::string_view name, std::string_view path);

}  // namespace umbra::process
