#pragma once

#include "options.hpp"
#include "readiness.hpp"
#include <umbra/process/backoff.hpp>
#include <umbra/process/child.hpp>
#include <umbra/sdk/tunnel.hpp>
#include <umbra/supervised/activations.hpp>
#include <umbra/supervised/state_queue.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace umbra::exec_tunnel {

/// The provider behind the plugin's border. Standing by is a program that is there; active is one
/// that runs and is ready. Between activate() and drain() a command that ends is started again.
///
/// Threads: the loop's.
class Tunnel {
public:
    /// Throws Failure when the options cannot work.
    Tunnel(boost::asio::io_context& io, Context context, ExecOptions options);

    void open(TunnelSpec spec, Reply<Done> reply);
    void configure(TunnelSpec spec, Reply<Done> reply);
    void activate(std::uint64_t epoch, Reply<Done> reply);
    void drain(Duration grace, Reply<Done> reply);
    void next_event(Reply<TunnelEvent> reply) { states_.ask(std::move(reply)); }
    void stop(std::function<void()> done);

private:
    void look_for_program();
    [[nodiscard]] Result<Done> write_mappings() const;
    void start();
    [[nodiscard]] Result<std::shared_ptr<process::Child>> launch();
    void on_ready();
    void on_timeout();
    void on_exit(const process::Exit& exit);
    void start_later(const std::string& why);
    void apply_mappings();
    void finish_if_over();

    void report();
    [[nodiscard]] TunnelState state() const;
    [[nodiscard]] std::string detail() const;

    boost::asio::io_context& io_;
    const Context context_;
    const ExecOptions options_;
    const std::vector<std::string> environment_;
    const std::string mappings_path_;

    std::optional<TunnelSpec> spec_;
    Result<std::string> program_;  ///< Where it is, or why there is none.
    std::uint64_t epoch_ = 0;      ///< Asked to serve under it; 0: not.
    std::shared_ptr<process::Child> child_;
    std::shared_ptr<Readiness> readiness_;
    process::Tail tail_;
    bool ready_ = false;
    bool ending_ = false;    ///< The command was asked to end; another one may follow at once.
    std::string trouble_;    ///< Why it does not run.
    Duration next_start_{};  ///< 0: it is not waited for.
    process::Backoff backoff_;
    boost::asio::steady_timer start_timer_, ready_timer_, program_timer_;
    supervised::Activations activations_;
    std::vector<Reply<Done>> drains_;
    bool stopping_ = false;
    std::function<void()> stopped_;
    supervised::StateQueue states_;
};

}  // namespace umbra::exec_tunnel
