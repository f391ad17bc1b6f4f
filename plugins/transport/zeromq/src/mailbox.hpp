#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>

namespace umbra::zeromq {

class Engine;

/// A call of the host on its way to the socket thread.
class Command {
public:
    virtual ~Command() = default;
    virtual void run(Engine& engine) = 0;
    /// Instead of `run()`, when the thread is stopping.
    virtual void refuse() = 0;
};

/// How the host's thread reaches the socket thread: a queue, and a descriptor to poll beside the
/// sockets. `post()` and `wake()` from any thread; the rest from the socket thread.
class Mailbox {
public:
    Mailbox() : fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
    ~Mailbox() { ::close(fd_); }
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    void post(std::unique_ptr<Command> command) {
        std::unique_lock lock{mutex_};
        if (closed_) {
            lock.unlock();
            command->refuse();
            return;
        }
        const bool first = commands_.empty();
        commands_.push_back(std::move(command));
        lock.unlock();
        // Whoever takes the first takes them all.
        if (first) wake();
    }
    void wake() { ::eventfd_write(fd_, 1); }

    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] std::deque<std::unique_ptr<Command>> take() {
        eventfd_t value = 0;
        ::eventfd_read(fd_, &value);
        const std::scoped_lock lock{mutex_};
        return std::exchange(commands_, {});
    }
    /// Refuses what waits and what comes.
    void close() {
        {
            const std::scoped_lock lock{mutex_};
            closed_ = true;
        }
        for (auto& command : take()) command->refuse();
    }

private:
    int fd_;
    std::mutex mutex_;
    std::deque<std::unique_ptr<Command>> commands_;
    bool closed_ = false;
};

}  // namespace umbra::zeromq
