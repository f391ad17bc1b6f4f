#include "backend_dial.hpp"

#include "proxy_header.hpp"
#include <umbra/gateway/link.hpp>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <sys/socket.h>

namespace umbra::gateway {

namespace asio = boost::asio;
using asio::ip::tcp;

std::unique_ptr<Duplex> BackendConnection::duplex() && {
    return tls ? tls_duplex(std::move(socket), std::move(tls)) : plain_duplex(std::move(socket));
}

BackendDial::BackendDial(BackendPlace& place, BackendTarget target, Outcome outcome)
    : place_(place),
      target_(std::move(target)),
      outcome_(std::move(outcome)),
      left_(place.order.next(*target_.mapping, target_.offset, boot_now())),
      timer_(place.io) {
    std::reverse(left_.begin(), left_.end());
}

std::shared_ptr<BackendDial> BackendDial::start(BackendPlace& place, BackendTarget target,
                                                Outcome outcome) {
    auto dial = std::make_shared<BackendDial>(place, std::move(target), std::move(outcome));
    dial->next();
    return dial;
}

void BackendDial::next() {
    at_ = std::move(left_.back());
    left_.pop_back();
    ++tried_;
    dial_ = Dial::start(
        place_.io, at_, place_.connect_timeout,
        [me = shared_from_this()](Result<tcp::socket> result) {
            me->dial_.reset();
            if (!result) return me->attempt_failed(result.error());
            me->on_connected(std::move(*result));
        },
        [me = this](const asio::ip::address& address) {
            return me->place_.rules.forbids(address, me->at_.host);
        });
}

void BackendDial::on_connected(tcp::socket socket) {
    BackendConnection connection{std::move(socket), at_, nullptr};
    if (target_.mapping->proxy_v2) {
        boost::system::error_code error;
        const Bytes header = proxy_header(target_.client, connection.socket.remote_endpoint(error),
                                          target_.asked_host);
        // Into an empty send buffer: it fits, or the backend is gone.
        const ssize_t sent = ::send(connection.socket.native_handle(), header.data(), header.size(),
                                    MSG_NOSIGNAL | MSG_DONTWAIT);
        if (error || sent != static_cast<ssize_t>(header.size()))
            return attempt_failed(
                {Errc::unavailable, to_text(at_) + " went away before the PROXY header"});
    }
    if (target_.mapping->protocol.ends_with("+tls")) return start_tls(std::move(connection));
    place_.order.answered(at_);
    finish(std::move(connection));
}

void BackendDial::start_tls(BackendConnection connection) {
    auto context = place_.trust.context_for(target_.mapping->tls);
    if (!context) return attempt_failed(context.error());
    auto session = TlsSession::make(**context, target_.mapping->tls, at_.host);
    if (!session) return attempt_failed(session.error());
    connection.tls = std::move(*session);
    shaking_ = std::make_shared<BackendConnection>(std::move(connection));
    timer_.expires_after(place_.connect_timeout);
    timer_.async_wait([me = shared_from_this()](boost::system::error_code error) {
        if (error || !me->shaking_) return;
        me->shaking_->socket.close(error);
        me->shaking_.reset();
        me->attempt_failed({Errc::timeout, "TLS to " + to_text(me->at_) + " took too long"});
    });
    asio::co_spawn(
        place_.io,
        [me = shared_from_this(), connection = shaking_]() -> asio::awaitable<std::string> {
            return me->handshake(*connection);
        },
        [me = shared_from_this(), connection = shaking_](std::exception_ptr, std::string fault) {
            if (me->shaking_ != connection) return;  // Canceled, or too late.
            me->timer_.cancel();
            me->shaking_.reset();
            if (!fault.empty())
                return me->attempt_failed(
                    {Errc::refused, "TLS to " + to_text(me->at_) + ": " + fault});
            me->place_.order.answered(me->at_);
            me->finish(std::move(*connection));
        });
}

asio::awaitable<std::string> BackendDial::handshake(BackendConnection& connection) {
    constexpr auto waits = asio::as_tuple(asio::use_awaitable);
    std::array<char, 8192> room;
    for (;;) {
        const TlsSession::Step step = connection.tls->handshake();
        // Also after a failure: the backend is told why.
        const std::string out = connection.tls->take_output();
        const auto [failed, sent] =
            co_await asio::async_write(connection.socket, asio::buffer(out), waits);
        (void)sent;
        if (step == TlsSession::Step::done) co_return failed ? failed.message() : std::string{};
        if (step != TlsSession::Step::wants_input) co_return connection.tls->fault();
        if (failed) co_return failed.message();
        const auto [error, count] =
            co_await connection.socket.async_read_some(asio::buffer(room), waits);
        if (error == asio::error::eof) co_return "the backend ended the connection";
        if (error) co_return error.message();
        connection.tls->feed(std::span(room).first(count));
    }
}

void BackendDial::attempt_failed(Error error) {
    if (!outcome_) return;
    // Where a name leads to a forbidden address, that is no fault of the backend.
    if (error.code != Errc::denied) place_.order.failed(at_, boot_now());
    if (!left_.empty()) return next();
    if (tried_ > 1) error.message += " (the last of " + std::to_string(tried_) + " backends)";
    finish(std::move(error));
}

void BackendDial::finish(Result<BackendConnection> result) {
    if (!outcome_) return;
    auto outcome = std::move(outcome_);
    cancel();
    outcome(std::move(result));
}

void BackendDial::cancel() {
    outcome_ = nullptr;
    timer_.cancel();
    if (auto dial = std::exchange(dial_, nullptr)) dial->cancel();
    if (auto connection = std::exchange(shaking_, nullptr)) {
        boost::system::error_code ignored;
        connection->socket.close(ignored);
    }
}

}  // namespace umbra::gateway
