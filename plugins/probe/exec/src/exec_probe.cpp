#include "exec_probe.hpp"

#include <umbra/process/environment.hpp>

#include <csignal>
#include <utility>

namespace umbra::exec_probe {

namespace {

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

/// One command under way. Its end is that of the check.
class Run final : public threaded::Work {
public:
    Run(std::shared_ptr<process::Child> child, std::shared_ptr<const std::string> line)
        : child_(std::move(child)), line_(std::move(line)) {}

    void cancel() override { child_->stop(SIGKILL, Duration::zero()); }
    std::string missed(const std::string& within) const override {
        return "no end within " + within + (line_->empty() ? "" : ": " + *line_);
    }

private:
    const std::shared_ptr<process::Child> child_;
    const std::shared_ptr<const std::string> line_;  ///< The last one of the output.
};

}  // namespace

ProbeResult judge(const process::Exit& exit, const std::string& line,
                  std::optional<std::int64_t> degraded, Duration latency) {
    if (exit == process::Exit{})
        return {Health::healthy, latency, process::one_line(line, threaded::detail_max)};
    const bool is_degraded = degraded && !exit.signaled && exit.code == *degraded;
    const auto text = to_text(exit) + (line.empty() ? "" : ": " + line);
    return {is_degraded ? Health::degraded : Health::down, latency,
            process::one_line(text, threaded::detail_max)};
}

Commands::Commands(boost::asio::io_context& io, const Context& context, const ExecOptions& options)
    : io_(io),
      command_(checked(options.command)),
      degraded_(options.degraded_status),
      environment_(environment_of(context, options.environment)) {}

Result<std::unique_ptr<threaded::Work>> Commands::begin(
    const std::shared_ptr<threaded::Check>& check) {
    process::Launch launch{command_, environment_};
    auto program = process::find_program(command_.front(), process::value_of(environment_, "PATH"));
    if (!program) return program.error();
    launch.arguments.front() = *program;

    const auto line = std::make_shared<std::string>();
    auto child = process::Child::start(
        io_, launch,
        {.on_line = [line](std::string text) { *line = std::move(text); },
         .on_exit =
             [this, check, line](const process::Exit& exit) {
                 check->finish(judge(exit, *line, degraded_, check->latency()));
             }});
    if (!child) return child.error();
    return std::unique_ptr<threaded::Work>(std::make_unique<Run>(std::move(*child), line));
}

}  // namespace umbra::exec_probe
