#include "tunnel.hpp"

#include "command_line.hpp"
#include <umbra/process/environment.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <random>
#include <system_error>
#include <unistd.h>

namespace umbra::ssh_tunnel {

namespace {

using namespace std::chrono_literals;

constexpr const char* control_prefix = "control-";
constexpr const char* known_hosts_file = "known_hosts";
constexpr Duration dial_first = 100ms;
/// A port that is taken is asked for again within the time that the host waits for an activation.
constexpr Duration forward_first = 100ms, forward_most = 800ms;

std::uint32_t any_number() {
    static std::minstd_rand generator{std::random_device{}()};
    return static_cast<std::uint32_t>(generator());
}

Failure failure(const std::string& what, int error) {
    return Failure{
        Error{Errc::unavailable, what + ": " + std::generic_category().message(error), error}};
}

/// Sockets that a killed instance left: a client does not listen where something is.
void remove_control_sockets(int directory) {
    const int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* list = copy < 0 ? nullptr : ::fdopendir(copy);
    if (list == nullptr) return;
    while (const auto* entry = ::readdir(list))
        if (std::string_view{entry->d_name}.starts_with(control_prefix))
            ::unlinkat(directory, entry->d_name, 0);
    ::closedir(list);
}

void write_file(int directory, const char* name, const std::string& text) {
    const process::Descriptor file{
        ::openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        throw failure(std::string{"cannot write "} + name + " in the state directory", errno);
}

}  // namespace

Tunnel::Tunnel(boost::asio::io_context& io, Context context, SshOptions options)
    : io_(io),
      context_(context),
      options_(std::move(options)),
      dial_backoff_(dial_first, options_.reconnect_max),
      forward_backoff_(forward_first, forward_most),
      dial_timer_(io),
      forward_timer_(io),
      activations_(io, [this] { return "not every forward is answered yet; " + detail(); }) {
    if (auto checked = check(options_); !checked) throw Failure{checked.error()};
    const std::string path{context_.state_dir()};
    state_dir_ = process::Descriptor{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!state_dir_) throw failure("cannot open " + path, errno);
    remove_control_sockets(state_dir_.get());
    known_hosts_ = options_.known_hosts.value_or(path + "/" + known_hosts_file);
    if (!options_.known_hosts)
        write_file(state_dir_.get(), known_hosts_file, known_hosts_text(options_.host_keys));
}

// --- what the host asks for ----------------------------------------------------------------------

void Tunnel::open(TunnelSpec spec, Reply<Done> reply) {
    if (spec_) return reply.fail(Errc::conflict, "the tunnel is open already");
    spec_ = std::move(spec);
    take_plan();
    reply.ok();
    dial();
}

void Tunnel::configure(TunnelSpec spec, Reply<Done> reply) {
    if (!spec_) return reply.fail(Errc::conflict, "the tunnel is not open");
    spec_ = std::move(spec);
    take_plan();
    reply.ok();
    if (epoch_ != 0 && session_ && session_->is_up()) {
        forward_backoff_.reset();
        try_forwards();
    }
    report();
}

void Tunnel::take_plan() {
    plan_ = plan_of(*spec_, options_.bind);
    for (const auto& refusal : plan_.refusals) context_.warn(refusal);
}

void Tunnel::activate(std::uint64_t epoch, Reply<Done> reply) {
    if (epoch == 0) return reply.fail(Errc::invalid, "epoch 0 is never granted");
    if (epoch < epoch_)
        return reply.fail(Errc::conflict, "epoch " + std::to_string(epoch) + " is over, " +
                                              std::to_string(epoch_) + " is in force");
    if (!session_ || !session_->is_up())
        return reply.fail(Errc::unavailable, "no session with the server: " + detail());
    const bool goes_on = std::exchange(epoch_, epoch) != 0;
    if (serving_) return reply.ok();
    activations_.add(std::move(reply));
    // Whoever tries already answers this one too.
    if (!goes_on && !forward_paused_) try_forwards();
}

void Tunnel::drain(Duration grace, Reply<Done> reply) {
    drains_.push_back(std::move(reply));
    const bool had_forwards = epoch_ != 0;
    epoch_ = 0;
    serving_ = forward_paused_ = false;
    forward_timer_.cancel();
    activations_.fail(Errc::conflict, "the tunnel is drained");
    if (grace <= Duration::zero())
        for (const auto& session : leaving_) session->leave(grace);
    if (had_forwards && session_) {
        leave(std::exchange(session_, nullptr), grace);
        dial();  // The next one stands by while the streams of this one end.
    } else if (session_) {
        session_->want({});  // Forgets what failed.
    }
    finish_if_over();
    report();
}

void Tunnel::stop(std::function<void()> done) {
    stopping_ = true;
    stopped_ = std::move(done);
    states_.close();
    dial_timer_.cancel();
    forward_timer_.cancel();
    activations_.fail(Errc::closed, "the tunnel is stopping");
    for (const auto& session : leaving_) session->leave(Duration::zero());
    if (session_) leave(std::exchange(session_, nullptr), Duration::zero());
    finish_if_over();
}

// --- the session ---------------------------------------------------------------------------------

void Tunnel::dial() {
    if (stopping_) return;
    const auto name = control_prefix + std::to_string(++sessions_);
    process::Launch launch{command_line(options_, name, known_hosts_), process::basic_environment(),
                           std::string{context_.state_dir()}};
    // In the words that reason_of() knows.
    launch.environment = process::with(std::move(launch.environment), {"LC_ALL=C"}).value();
    // The client works in that directory and we reach it through a descriptor: a path of a Unix
    // socket is short, that of a state directory need not be.
    auto control = "/proc/self/fd/" + std::to_string(state_dir_.get()) + "/" + name;
    auto started =
        Session::start(io_, {std::move(launch), std::move(control), options_.address, known_hosts_},
                       {.on_up = [this] { on_up(); },
                        .on_settled = [this] { on_settled(); },
                        .on_end = [this](const Reason& reason) { on_end(reason); }});
    if (started) {
        session_ = std::move(*started);
    } else {
        dial_later({started.error().message, started.error().code == Errc::invalid});
    }
    report();
}

void Tunnel::on_up() {
    dial_backoff_.reset();
    trouble_ = {};
    context_.info("connected to " + options_.address);
    report();
}

void Tunnel::on_end(const Reason& reason) {
    session_.reset();
    serving_ = forward_paused_ = false;
    forward_timer_.cancel();
    // The host activates again once there is a session; it knows whether it still may.
    epoch_ = 0;
    activations_.fail(Errc::unavailable, "the session ended: " + reason.text);
    dial_later(reason);
    report();
}

void Tunnel::dial_later(Reason reason) {
    if (stopping_) return;
    if (reason.text != trouble_.text)
        context_.warn("no session with " + options_.address + ": " + reason.text);
    const auto pause = dial_backoff_.next(any_number());
    trouble_ = std::move(reason);
    next_attempt_ = pause;
    dial_timer_.expires_after(pause);
    dial_timer_.async_wait([this](boost::system::error_code error) {
        if (!error && !session_) dial();
    });
}

// --- the forwards --------------------------------------------------------------------------------

void Tunnel::try_forwards() {
    forward_paused_ = false;
    forward_timer_.cancel();
    session_->want(plan_.forwards);
}

void Tunnel::try_later() {
    forward_paused_ = true;
    next_attempt_ = forward_backoff_.next(any_number());
    forward_timer_.expires_after(next_attempt_);
    forward_timer_.async_wait([this](boost::system::error_code error) {
        if (error) return;
        forward_paused_ = false;
        if (epoch_ != 0 && session_ && session_->is_up()) try_forwards();
    });
}

void Tunnel::on_settled() {
    if (epoch_ == 0) return;
    const bool none = !plan_.forwards.empty() && session_->open_forwards() == 0;
    serving_ = !none;
    if (serving_) activations_.ok();
    if (session_->failed().empty()) {
        forward_backoff_.reset();
    } else {
        try_later();
    }
    if (none) fail_activation(failures());
    report();
}

/// Stands by again: the host asks anew as long as it means to serve.
void Tunnel::fail_activation(const std::string& why) {
    epoch_ = 0;
    activations_.fail(Errc::unavailable, why);
}

// --- sessions that end ---------------------------------------------------------------------------

void Tunnel::leave(SessionPointer session, Duration grace) {
    if (leaving_.size() >= leaving_max) leaving_.front()->leave(Duration::zero());
    leaving_.push_back(session);
    session->set_handlers(
        {nullptr, nullptr, [this, raw = session.get()](const Reason&) { on_left(raw); }});
    session->leave(grace);
}

void Tunnel::on_left(const Session* session) {
    std::erase_if(leaving_, [&](const auto& other) { return other.get() == session; });
    finish_if_over();
    report();
}

void Tunnel::finish_if_over() {
    if (!leaving_.empty()) return;
    for (auto& reply : std::exchange(drains_, {})) reply.ok();
    if (const auto stopped = std::exchange(stopped_, nullptr)) stopped();
}

// --- what the host sees --------------------------------------------------------------------------

TunnelState Tunnel::state() const {
    if (!spec_) return TunnelState::down;
    if (session_ && session_->is_up()) return serving_ ? TunnelState::active : TunnelState::standby;
    if (!leaving_.empty()) return TunnelState::draining;
    return trouble_.refused ? TunnelState::refused : TunnelState::connecting;
}

std::string Tunnel::failures() const {
    std::string text;
    if (!session_) return text;
    for (const auto& [forward, why] : session_->failed()) {
        if (!text.empty()) {
            text += " (and " + std::to_string(session_->failed().size() - 1) + " more)";
            break;
        }
        text = why;
    }
    return text;
}

std::string Tunnel::detail() const {
    if (!spec_) return "not open";
    std::string text = session_ && session_->is_up() ? failures() : trouble_.text;
    if (!text.empty() && (forward_paused_ || !session_))
        text += "; next attempt in " + process::to_text(next_attempt_);
    if (text.empty() && !(session_ && session_->is_up()))
        text = "connecting to " + options_.address;
    for (const auto& refusal : plan_.refusals) text += (text.empty() ? "" : "; ") + refusal;
    if (!leaving_.empty())
        text += (text.empty() ? "" : "; ") + std::to_string(leaving_.size()) +
                " earlier session(s) live on until their streams end";
    return text;
}

void Tunnel::report() { states_.report(state(), session_ && session_->is_up() ? 1 : 0, detail()); }

}  // namespace umbra::ssh_tunnel
