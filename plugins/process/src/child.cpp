#include <umbra/process/child.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <sys/wait.h>
#include <unistd.h>

namespace umbra::process {

namespace asio = boost::asio;

namespace {

/// A pipe holds 64 KiB. Who still writes after that left the group, and is not waited for.
constexpr int last_reads_max = 16;

}  // namespace

std::string to_text(const Exit& exit) {
    if (!exit.signaled) return "exited with status " + std::to_string(exit.code);
    return "was killed by signal " + std::to_string(exit.code) + " (" + ::strsignal(exit.code) +
           ")";
}

Result<std::shared_ptr<Child>> Child::start(asio::io_context& io, const Launch& launch,
                                            Handlers handlers) {
    auto spawned = spawn(launch);
    if (!spawned) return spawned.error();
    const std::shared_ptr<Child> child{new Child(io, std::move(*spawned), std::move(handlers))};
    child->read_output();
    child->watch_exit();
    return child;
}

Child::Child(asio::io_context& io, Spawned spawned, Handlers handlers)
    : pid_(spawned.pid),
      handlers_(std::move(handlers)),
      exit_(io, spawned.exit.release()),
      output_(io, spawned.output.release()),
      patience_(io) {}

Child::~Child() {
    if (reaped_) return;
    ::kill(-pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

void Child::signal(int number) {
    if (!reaped_) ::kill(-pid_, number);
}

void Child::signal_leader(int number) {
    if (!reaped_) ::kill(pid_, number);
}

void Child::stop(int number, Duration patience) {
    if (reaped_) return;
    if (patience <= Duration::zero()) return signal(SIGKILL);
    signal(number);
    patience_.expires_after(patience);
    patience_.async_wait([self = shared_from_this()](boost::system::error_code error) {
        if (!error) self->signal(SIGKILL);
    });
}

void Child::forget() { handlers_ = {}; }

void Child::read_output() {
    // Waits and reads in one handler, so that no bytes are on their way when the end is noticed.
    output_.async_wait(asio::posix::stream_descriptor::wait_read,
                       [self = shared_from_this()](boost::system::error_code error) {
                           if (!error && !self->reaped_ && self->read_some()) self->read_output();
                       });
}

/// False: nothing is there, now or for ever.
bool Child::read_some() {
    std::array<char, 4096> buffer{};
    const auto got = ::read(output_.native_handle(), buffer.data(), buffer.size());
    if (got <= 0) return got < 0 && errno == EINTR;
    lines_.feed({buffer.data(), static_cast<std::size_t>(got)}, [this](std::string line) {
        if (handlers_.on_line) handlers_.on_line(std::move(line));
    });
    return true;
}

void Child::watch_exit() {
    exit_.async_wait(asio::posix::stream_descriptor::wait_read,
                     [self = shared_from_this()](boost::system::error_code error) {
                         if (!error) self->take_exit();
                     });
}

void Child::take_exit() {
    siginfo_t info{};
    // Its number is its own until it is reaped, so this is surely its group.
    if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT | WNOHANG) == 0 &&
        info.si_pid == 0)
        return watch_exit();
    ::kill(-pid_, SIGKILL);
    while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) < 0 && errno == EINTR) {
    }
    for (int i = 0; i < last_reads_max && read_some(); ++i) {
    }
    lines_.finish([this](std::string line) {
        if (handlers_.on_line) handlers_.on_line(std::move(line));
    });
    reaped_ = true;
    patience_.cancel();
    boost::system::error_code ignored;
    exit_.close(ignored);
    output_.close(ignored);
    const auto handlers = std::exchange(handlers_, {});
    if (handlers.on_exit) handlers.on_exit({info.si_code != CLD_EXITED, info.si_status});
}

}  // namespace umbra::process
