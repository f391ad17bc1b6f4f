#pragma once

#include "control.hpp"
#include "plan.hpp"
#include "reason.hpp"
#include <umbra/process/child.hpp>
#include <umbra/sdk/time.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace umbra::ssh_tunnel {

/// How a client is started.
struct SessionSpec {
    process::Launch launch;
    std::string control;  ///< Path of the control socket as this program reaches it.
    std::string server, known_hosts;
};

/// One running OpenSSH client: its session with the server, and the forwards in it. Forwards are
/// opened and closed one at a time while it runs; streams of the others notice nothing.
///
/// Threads: the loop's. Lives on its own until the process has ended.
class Session : public std::enable_shared_from_this<Session> {
public:
    struct Handlers {
        std::function<void()> on_up;       ///< Once, when it is established and authenticated.
        std::function<void()> on_settled;  ///< What want() asked for was tried, all of it.
        std::function<void(const Reason&)> on_end;  ///< Once.
    };

    static Result<std::shared_ptr<Session>> start(boost::asio::io_context& io, SessionSpec spec,
                                                  Handlers handlers);

    [[nodiscard]] bool is_up() const { return up_; }
    /// Makes the open forwards equal to these; those that failed before are tried again.
    void want(std::vector<Forward> forwards);
    [[nodiscard]] std::size_t open_forwards() const { return open_.size(); }
    /// What was wanted and is not open, with the reason.
    [[nodiscard]] const std::map<Forward, std::string>& failed() const { return failed_; }

    /// Closes the forwards, lets their streams live on for `grace` (0: cuts them), then ends.
    void leave(Duration grace);
    /// Others from now on.
    void set_handlers(Handlers handlers) { handlers_ = std::move(handlers); }

private:
    Session(boost::asio::io_context& io, SessionSpec spec, Handlers handlers);
    void look_for_control();
    void work();
    void answered(const Forward& forward, bool opened, const Result<Done>& result);
    void settle();
    void stop_listening();
    void end(const process::Exit& exit);
    [[nodiscard]] std::string why_not(const Forward& forward, const std::string& said) const;

    boost::asio::io_context& io_;
    const SessionSpec spec_;
    Handlers handlers_;
    std::shared_ptr<process::Child> child_;
    std::shared_ptr<Control> control_;
    boost::asio::steady_timer timer_;
    process::Tail tail_;
    bool up_ = false, busy_ = false, leaving_ = false, ended_ = false;
    std::set<Forward> wanted_, open_;
    std::map<Forward, std::string> failed_;
};

}  // namespace umbra::ssh_tunnel
