#pragma once

#include <umbra/process/lines.hpp>
#include <umbra/process/spawn.hpp>
#include <umbra/sdk/time.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <string>

namespace umbra::process {

/// How a process ended.
struct Exit {
    bool signaled = false;
    int code = 0;  ///< Exit status, or the number of the signal.

    bool operator==(const Exit&) const = default;
};
/// "exited with status 3", "was killed by signal 9 (Killed)".
std::string to_text(const Exit& exit);

/// One running process whose output is read line by line and whose end is noticed at once. When the
/// leader has ended, whatever is left of its group is killed. Leaves no zombie: destroyed before
/// the end, it kills the group and waits for the leader.
///
/// Threads: the loop's, on which start() is called too (see spawn()).
class Child : public std::enable_shared_from_this<Child> {
public:
    struct Handlers {
        std::function<void(std::string line)> on_line;
        std::function<void(const Exit&)> on_exit;  ///< Once, after the last line.
    };

    /// @return `invalid` or `exhausted`, as spawn().
    static Result<std::shared_ptr<Child>> start(boost::asio::io_context& io, const Launch& launch,
                                                Handlers handlers);
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    [[nodiscard]] bool is_running() const { return !reaped_; }
    [[nodiscard]] pid_t pid() const { return pid_; }
    /// To the whole group. Nothing when it has ended.
    void signal(int number);
    /// To the process alone.
    void signal_leader(int number);
    /// `number` to the group, and SIGKILL when the leader still runs after `patience` (0: at once).
    void stop(int number, Duration patience);
    /// The handlers are not called any more.
    void forget();

private:
    Child(boost::asio::io_context& io, Spawned spawned, Handlers handlers);
    void read_output();
    void watch_exit();
    void take_exit();
    bool read_some();

    const pid_t pid_;
    Handlers handlers_;
    boost::asio::posix::stream_descriptor exit_, output_;
    boost::asio::steady_timer patience_;
    LineSplitter lines_;
    bool reaped_ = false;
};

}  // namespace umbra::process
