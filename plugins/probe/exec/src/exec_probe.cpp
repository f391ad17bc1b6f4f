#include "exec_probe.hpp"

#include <umbra/process/backoff.hpp>
#include <umbra/process/environment.hpp>

#include <algorithm>
#include <csignal>
#include <ctime>
#include <utility>

namespace umbra::exec_probe {

namespace {

/// The host's own deadline is met by this much, so that our answer is the one that counts.
constexpr Duration answer_margin = std::chrono::milliseconds{100};

/// The clock of the deadlines of the binary interface.
Instant now_monotonic() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return Instant{std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec}};
}

std::vector<std::string> checked(std::vector<std::string> command) {
    if (command.empty() || command.front().empty())
        throw Failure{Errc::invalid,
                      "command is empty; write for example command = [\"/bin/true\"]"};
    for (const auto& word : command)
        if (word.find('\0') != std::string::npos)
            throw Failure{Errc::invalid, "command has a NUL character in it"};
    return command;
}

std::vector<std::string> environment_of(const Context& context,
                                        const std::vector<std::string>& more) {
    auto environment = process::basic_environment();
    environment.push_back("UMBRA_INSTANCE=" + std::string{context.instance_name()});
    environment.push_back("UMBRA_PROBE=" + std::string{context.object_name()});
    auto all = process::with(std::move(environment), more);
    if (!all) throw Failure{all.error()};
    return std::move(*all);
}

}  // namespace

ProbeResult judge(const process::Exit& exit, const std::string& line,
                  std::optional<std::int64_t> degraded, Duration latency) {
    if (exit == process::Exit{})
        return {Health::healthy, latency, process::one_line(line, detail_max)};
    const bool is_degraded = degraded && !exit.signaled && exit.code == *degraded;
    const auto text = to_text(exit) + (line.empty() ? "" : ": " + line);
    return {is_degraded ? Health::degraded : Health::down, latency,
            process::one_line(text, detail_max)};
}

ExecProbe::ExecProbe(Context context, Options options)
    : context_(context),
      command_(checked(std::move(options.command))),
      degraded_(options.degraded_status),
      environment_(environment_of(context, options.environment)),
      timeout_(options.timeout),
      loop_([context](const std::string& text) { context.error("internal error: " + text); }) {}

ExecProbe::~ExecProbe() {
    if (!stop_asked_) stop(Reply<Done>{});
}

void ExecProbe::check(Reply<ProbeResult> reply) {
    if (stop_asked_) return reply.fail(Errc::closed, "the probe is stopping");
    loop_.post([this, reply = std::move(reply)]() mutable { start(std::move(reply)); });
}

void ExecProbe::change_options(const Options& options, Reply<Done> reply) {
    loop_.post([this, timeout = options.timeout, reply = std::move(reply)]() mutable {
        timeout_ = timeout;
        reply.ok();
    });
}

void ExecProbe::stop(Reply<Done> reply) {
    stop_asked_ = true;
    loop_.post([this, reply = std::move(reply)]() mutable {
        stopped_ = std::move(reply);
        stopping_ = true;
        for (const auto& run : runs_) {
            if (run->reply) run->reply.fail(Errc::closed, "the probe is stopping");
            run->timer.cancel();
            run->child->stop(SIGKILL, Duration::zero());
        }
        end_if_over();
    });
}

void ExecProbe::start(Reply<ProbeResult> reply) {
    if (runs_.size() >= checks_max)
        return reply.fail(Errc::exhausted,
                          "already " + std::to_string(checks_max) + " checks are in flight");
    const auto began = now_monotonic();
    auto patience = timeout_;
    if (const auto deadline = reply.deadline_ns(); deadline != 0)
        patience = std::min(patience, Instant{Duration{deadline}} - answer_margin - began);

    process::Launch launch{command_, environment_};
    auto program = process::find_program(command_.front(), process::value_of(environment_, "PATH"));
    if (!program) return reply.fail(program.error());
    launch.arguments.front() = *program;

    const auto run = std::make_shared<Run>(
        Run{std::move(reply), began, patience, boost::asio::steady_timer{loop_.io()}, nullptr, {}});
    auto child = process::Child::start(
        loop_.io(), launch,
        {.on_line = [run](std::string line) { run->line = std::move(line); },
         .on_exit = [this, run](const process::Exit& exit) { on_exit(run, exit); }});
    if (!child) return run->reply.fail(child.error());
    run->child = std::move(*child);
    runs_.push_back(run);
    run->timer.expires_after(std::max(patience, Duration::zero()));
    run->timer.async_wait([this, run](boost::system::error_code error) {
        if (!error) on_timeout(*run);
    });
}

/// Answered now; the place is given back when the process is gone.
void ExecProbe::on_timeout(Run& run) {
    if (!run.reply) return;
    const auto text = "no end within " + process::to_text(run.patience) +
                      (run.line.empty() ? "" : ": " + run.line);
    run.reply.ok({Health::down, now_monotonic() - run.began, process::one_line(text, detail_max)});
    run.child->stop(SIGKILL, Duration::zero());
}

void ExecProbe::on_exit(const RunPointer& run, const process::Exit& exit) {
    auto reply = std::move(run->reply);
    const auto result = judge(exit, run->line, degraded_, now_monotonic() - run->began);
    run->timer.cancel();
    runs_.remove(run);
    if (reply) reply.ok(result);
    end_if_over();
}

void ExecProbe::end_if_over() {
    if (!stopping_ || !runs_.empty()) return;
    loop_.finish([stopped = std::make_shared<Reply<Done>>(std::move(stopped_))] { stopped->ok(); });
}

}  // namespace umbra::exec_probe
