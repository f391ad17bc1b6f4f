#include "tunnel.hpp"

#include "mappings_file.hpp"
#include <umbra/process/environment.hpp>

#include <algorithm>
#include <csignal>
#include <random>
#include <utility>

namespace umbra::exec_tunnel {

namespace {

using namespace std::chrono_literals;

constexpr Duration start_first = 100ms;
/// How often one looks for a program that was not there.
constexpr Duration program_pause = 2s;
/// The host waits for so long at least when it ends; a handover has its grace period before that.
constexpr Duration stop_patience_max = 3s;

std::uint32_t any_number() {
    static std::minstd_rand generator{std::random_device{}()};
    return static_cast<std::uint32_t>(generator());
}

/// 0 = none.
int signal_of(const std::string& name) {
    constexpr std::pair<const char*, int> names[] = {{"TERM", SIGTERM}, {"INT", SIGINT},
                                                     {"HUP", SIGHUP},   {"QUIT", SIGQUIT},
                                                     {"USR1", SIGUSR1}, {"USR2", SIGUSR2}};
    for (const auto& [known, number] : names)
        if (name == known) return number;
    return 0;
}

std::vector<std::string> environment_of(const Context& context,
                                        const std::vector<std::string>& more,
                                        const std::string& mappings) {
    auto environment = process::basic_environment();
    environment.push_back("UMBRA_INSTANCE=" + std::string{context.instance_name()});
    environment.push_back("UMBRA_TUNNEL=" + std::string{context.object_name()});
    environment.push_back("UMBRA_MAPPINGS=" + mappings);
    auto all = process::with(std::move(environment), more);
    if (!all) throw Failure{all.error()};
    return std::move(*all);
}

ExecOptions checked(ExecOptions options) {
    if (options.command.empty() || options.command.front().empty())
        throw Failure{Errc::invalid,
                      "command is empty; write for example command = [\"/usr/bin/chisel\", "
                      "\"client\", \"https://cloud.example\", \"R:8080:127.0.0.1:8000\"]"};
    for (const auto& word : options.command)
        if (word.find('\0') != std::string::npos)
            throw Failure{Errc::invalid, "command has a NUL character in it"};
    if (options.ready_output && options.ready_output->empty())
        throw Failure{Errc::invalid, "ready_output is empty, so that every line would contain it"};
    return options;
}

}  // namespace

Tunnel::Tunnel(boost::asio::io_context& io, Context context, ExecOptions options)
    : io_(io),
      context_(context),
      options_(checked(std::move(options))),
      environment_(environment_of(context, options_.environment,
                                  std::string{context.state_dir()} + "/mappings.json")),
      mappings_path_(std::string{context.state_dir()} + "/mappings.json"),
      program_(Error{}),
      backoff_(start_first, options_.restart_max),
      start_timer_(io),
      ready_timer_(io),
      program_timer_(io),
      activations_(io, [this] { return "the command is not ready yet: " + detail(); }) {}

// --- what the host asks for ----------------------------------------------------------------------

void Tunnel::open(TunnelSpec spec, Reply<Done> reply) {
    if (spec_) return reply.fail(Errc::conflict, "the tunnel is open already");
    spec_ = std::move(spec);
    reply.ok();
    look_for_program();
}

void Tunnel::configure(TunnelSpec spec, Reply<Done> reply) {
    if (!spec_) return reply.fail(Errc::conflict, "the tunnel is not open");
    const bool same = spec.mappings == spec_->mappings && spec.channels == spec_->channels;
    spec_ = std::move(spec);
    reply.ok();
    if (!same && child_ && !ending_) apply_mappings();
    report();
}

void Tunnel::activate(std::uint64_t epoch, Reply<Done> reply) {
    if (epoch == 0) return reply.fail(Errc::invalid, "epoch 0 is never granted");
    if (epoch < epoch_)
        return reply.fail(Errc::conflict, "epoch " + std::to_string(epoch) + " is over, " +
                                              std::to_string(epoch_) + " is in force");
    if (!spec_) return reply.fail(Errc::conflict, "the tunnel is not open");
    const bool goes_on = std::exchange(epoch_, epoch) != 0;
    if (ready_) return reply.ok();
    activations_.add(std::move(reply));
    // While an earlier one still ends, its end starts the next.
    if (!goes_on && !child_) start();
    report();
}

void Tunnel::drain(Duration grace, Reply<Done> reply) {
    drains_.push_back(std::move(reply));
    epoch_ = 0;
    ready_ = false;
    start_timer_.cancel();
    next_start_ = Duration::zero();
    trouble_.clear();
    activations_.fail(Errc::conflict, "the tunnel is drained");
    if (child_) {
        ending_ = true;
        child_->stop(signal_of(options_.stop_signal), grace);
    }
    finish_if_over();
    report();
}

void Tunnel::stop(std::function<void()> done) {
    stopping_ = true;
    stopped_ = std::move(done);
    states_.close();
    epoch_ = 0;
    for (auto* timer : {&start_timer_, &ready_timer_, &program_timer_}) timer->cancel();
    activations_.fail(Errc::closed, "the tunnel is stopping");
    if (child_)
        child_->stop(signal_of(options_.stop_signal),
                     std::min(options_.stop_timeout, stop_patience_max));
    finish_if_over();
}

// --- the command ---------------------------------------------------------------------------------

/// Standing by means that it could be started, so one looks again until it is there.
void Tunnel::look_for_program() {
    program_ =
        process::find_program(options_.command.front(), process::value_of(environment_, "PATH"));
    if (!program_) {
        program_timer_.expires_after(program_pause);
        program_timer_.async_wait([this](boost::system::error_code error) {
            if (!error) look_for_program();
        });
    }
    report();
}

Result<Done> Tunnel::write_mappings() const {
    return replace_file(mappings_path_,
                        mappings_json(std::string{context_.object_name()}, *spec_, epoch_));
}

Result<std::shared_ptr<process::Child>> Tunnel::launch() {
    if (auto written = write_mappings(); !written) return written.error();
    look_for_program();
    if (!program_) return program_.error();
    process::Launch launch{options_.command, environment_, std::string{context_.state_dir()}};
    launch.arguments.front() = *program_;
    launch.environment.push_back("UMBRA_EPOCH=" + std::to_string(epoch_));
    readiness_ = std::make_shared<Readiness>(io_, options_, [this] { on_ready(); });
    return process::Child::start(io_, launch,
                                 {.on_line =
                                      [this](std::string line) {
                                          context_.debug(line);
                                          if (readiness_) readiness_->on_line(line);
                                          tail_.add(std::move(line));
                                      },
                                  .on_exit = [this](const auto& exit) { on_exit(exit); }});
}

void Tunnel::start() {
    next_start_ = Duration::zero();
    tail_.clear();
    auto child = launch();
    if (!child) {
        activations_.fail(child.error().code, child.error().message);
        return start_later(child.error().message);
    }
    child_ = std::move(*child);
    ready_timer_.expires_after(options_.ready_timeout);
    ready_timer_.async_wait([this](boost::system::error_code error) {
        if (!error) on_timeout();
    });
    readiness_->begin();
    report();
}

void Tunnel::on_ready() {
    ready_timer_.cancel();
    if (epoch_ == 0 || ending_) return;
    ready_ = true;
    trouble_.clear();
    backoff_.reset();
    context_.info("the command is ready, process " + std::to_string(child_->pid()));
    activations_.ok();
    report();
}

void Tunnel::on_timeout() {
    if (ready_ || !child_ || ending_) return;
    tail_.add("not ready within " + process::to_text(options_.ready_timeout) + ", waited for " +
              readiness_->awaited() + (tail_.last().empty() ? "" : "; it said " + tail_.last()));
    child_->stop(signal_of(options_.stop_signal), options_.stop_timeout);
}

void Tunnel::on_exit(const process::Exit& exit) {
    child_.reset();
    ready_timer_.cancel();
    if (readiness_) readiness_->forget();
    readiness_.reset();
    ready_ = false;
    const bool expected = std::exchange(ending_, false);
    finish_if_over();
    if (epoch_ != 0 && expected) {
        start();
    } else if (epoch_ != 0) {
        const auto why =
            "the command " + to_text(exit) + (tail_.last().empty() ? "" : ": " + tail_.last());
        activations_.fail(Errc::unavailable, why);
        start_later(why);
    }
    report();
}

void Tunnel::start_later(const std::string& why) {
    if (why != trouble_) context_.warn(why);
    trouble_ = why;
    next_start_ = backoff_.next(any_number());
    start_timer_.expires_after(next_start_);
    start_timer_.async_wait([this](boost::system::error_code error) {
        if (!error && epoch_ != 0 && !child_) start();
    });
    report();
}

void Tunnel::apply_mappings() {
    if (const int signal = signal_of(options_.reload_signal); signal != 0) {
        if (auto written = write_mappings(); !written)
            return context_.error(written.error().message);
        return child_->signal_leader(signal);
    }
    // What it is started with next has the new ones.
    ending_ = true;
    ready_ = false;
    child_->stop(signal_of(options_.stop_signal), options_.stop_timeout);
}

void Tunnel::finish_if_over() {
    if (child_) return;
    for (auto& reply : std::exchange(drains_, {})) reply.ok();
    if (const auto stopped = std::exchange(stopped_, nullptr)) stopped();
}

// --- what the host sees --------------------------------------------------------------------------

TunnelState Tunnel::state() const {
    if (!spec_) return TunnelState::down;
    if (ready_) return TunnelState::active;
    if (epoch_ != 0) return TunnelState::connecting;
    if (child_) return TunnelState::draining;
    return program_.ok() ? TunnelState::standby : TunnelState::refused;
}

std::string Tunnel::detail() const {
    if (!spec_) return "not open";
    if (ready_) return {};
    if (next_start_ > Duration::zero())
        return trouble_ + "; next start in " + process::to_text(next_start_);
    if (!program_.ok()) return program_.error().message;
    if (child_ && ending_) return "the command is asked to end";
    if (child_ && readiness_)
        return (trouble_.empty() ? "" : trouble_ + "; started again, ") +
               ("waiting for " + readiness_->awaited());
    return {};
}

void Tunnel::report() { states_.report(state(), ready_ ? 1 : 0, detail()); }

}  // namespace umbra::exec_tunnel
