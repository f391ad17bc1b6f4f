#include "session.hpp"

#include <algorithm>
#include <csignal>

namespace umbra::ssh_tunnel {

namespace {

using namespace std::chrono_literals;

/// How often one looks whether the control socket is there, while the session is being made.
constexpr Duration control_poll = 20ms;
/// A client that is told to end does so at once, unless it hangs.
constexpr Duration end_patience = 1s;

}  // namespace

Session::Session(boost::asio::io_context& io, SessionSpec spec, Handlers handlers)
    : io_(io), spec_(std::move(spec)), handlers_(std::move(handlers)), timer_(io) {}

Result<std::shared_ptr<Session>> Session::start(boost::asio::io_context& io, SessionSpec spec,
                                                Handlers handlers) {
    const std::shared_ptr<Session> session{new Session(io, std::move(spec), std::move(handlers))};
    auto child = process::Child::start(
        io, session->spec_.launch,
        {.on_line = [session](std::string line) { session->tail_.add(std::move(line)); },
         .on_exit = [session](const process::Exit& exit) { session->end(exit); }});
    if (!child) return child.error();
    session->child_ = std::move(*child);
    session->look_for_control();
    return session;
}

/// The socket appears when the session is authenticated, so its answer is the sign that it is up.
void Session::look_for_control() {
    control_ = std::make_shared<Control>(io_);
    control_->connect(spec_.control, [self = shared_from_this()](const Result<Done>& result) {
        if (self->ended_ || self->leaving_) return;
        if (result.ok()) {
            self->up_ = true;
            if (self->handlers_.on_up) self->handlers_.on_up();
            return self->work();
        }
        if (result.error().code != Errc::unavailable) {
            self->tail_.add(result.error().message);
            return self->child_->stop(SIGTERM, end_patience);
        }
        self->timer_.expires_after(control_poll);
        self->timer_.async_wait([self](boost::system::error_code error) {
            if (!error && !self->ended_ && !self->leaving_) self->look_for_control();
        });
    });
}

void Session::want(std::vector<Forward> forwards) {
    wanted_ = {std::make_move_iterator(forwards.begin()), std::make_move_iterator(forwards.end())};
    failed_.clear();
    work();
}

void Session::work() {
    if (!up_ || busy_ || ended_) return;
    // First what goes: something else may take its port.
    const auto surplus = std::find_if(open_.begin(), open_.end(),
                                      [&](const auto& f) { return !wanted_.contains(f); });
    if (surplus != open_.end()) {
        busy_ = true;
        return control_->close(*surplus,
                               [self = shared_from_this(), forward = *surplus](const auto& result) {
                                   self->answered(forward, false, result);
                               });
    }
    const auto missing = std::find_if(wanted_.begin(), wanted_.end(), [&](const auto& f) {
        return !open_.contains(f) && !failed_.contains(f);
    });
    if (missing == wanted_.end()) return settle();
    busy_ = true;
    control_->open(*missing, [self = shared_from_this(), forward = *missing](const auto& result) {
        self->answered(forward, true, result);
    });
}

void Session::answered(const Forward& forward, bool opened, const Result<Done>& result) {
    busy_ = false;
    if (ended_) return;
    if (!result.ok() && result.error().code != Errc::refused) {
        // Without its control socket nobody can tell what is open: a new session can.
        tail_.add(result.error().message);
        return child_->stop(SIGTERM, end_patience);
    }
    if (!opened) {
        open_.erase(forward);
    } else if (result.ok()) {
        open_.insert(forward);
    } else {
        failed_[forward] = why_not(forward, result.error().message);
    }
    work();
}

void Session::settle() {
    if (leaving_) return stop_listening();
    if (handlers_.on_settled) handlers_.on_settled();
}

void Session::leave(Duration grace) {
    if (ended_) return;
    leaving_ = true;
    timer_.cancel();
    if (!up_ || grace <= Duration::zero()) return child_->stop(SIGTERM, end_patience);
    timer_.expires_after(grace);
    timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
        if (!error) self->child_->stop(SIGTERM, end_patience);
    });
    want({});
}

/// From then on the client ends by itself when its last stream has.
void Session::stop_listening() {
    busy_ = true;
    control_->stop_listening([self = shared_from_this()](const Result<Done>& result) {
        if (self->ended_) return;
        // This connection counts as a stream.
        self->control_->hang_up();
        if (!result.ok()) self->child_->stop(SIGTERM, end_patience);
    });
}

void Session::end(const process::Exit& exit) {
    ended_ = true;
    up_ = false;
    timer_.cancel();
    if (control_) control_->hang_up();
    const auto handlers = std::exchange(handlers_, {});
    if (handlers.on_end)
        handlers.on_end(reason_of(tail_.lines(), exit, spec_.server, spec_.known_hosts));
}

std::string Session::why_not(const Forward& forward, const std::string& said) const {
    const auto at = to_text(forward.listen_host, forward.listen_port);
    if (forward.kind == Forward::Kind::local)
        return forward.owner + ": ssh cannot listen on " + at + " of this host (" + said + ")";
    return forward.owner + ": the server does not listen on " + at +
           ": an earlier session or another program has it, or AllowTcpForwarding, PermitListen or "
           "GatewayPorts there forbid it";
}

}  // namespace umbra::ssh_tunnel
