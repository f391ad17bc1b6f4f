#include "readiness.hpp"

#include <boost/asio/connect.hpp>

#include <utility>

namespace umbra::exec_tunnel {

namespace asio = boost::asio;

namespace {

constexpr Duration knock_pause = std::chrono::milliseconds{100};

}  // namespace

Readiness::Readiness(asio::io_context& io, const ExecOptions& options,
                     std::function<void()> on_ready)
    : options_(options),
      on_ready_(std::move(on_ready)),
      said_(!options.ready_output),
      accepts_(!options.ready_address),
      resolver_(io),
      socket_(io),
      timer_(io) {}

void Readiness::begin() {
    if (!accepts_) return knock();
    if (!said_) return;
    timer_.expires_after(options_.ready_after);
    timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
        if (!error) self->check();
    });
}

void Readiness::on_line(const std::string& line) {
    if (said_ || line.find(*options_.ready_output) == std::string::npos) return;
    said_ = true;
    check();
}

void Readiness::knock() {
    const auto& address = *options_.ready_address;
    const auto colon = address.rfind(':');
    auto host = address.substr(0, colon);
    if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
    resolver_.async_resolve(
        host, address.substr(colon + 1),
        [self = shared_from_this()](boost::system::error_code error, const auto& found) {
            if (!self->on_ready_) return;
            if (error) return self->knock_later();
            asio::async_connect(self->socket_, found,
                                [self](boost::system::error_code refused, const auto&) {
                                    boost::system::error_code ignored;
                                    self->socket_.close(ignored);
                                    if (!self->on_ready_) return;
                                    if (refused) return self->knock_later();
                                    self->accepts_ = true;
                                    self->check();
                                });
        });
}

void Readiness::knock_later() {
    timer_.expires_after(knock_pause);
    timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
        if (!error && self->on_ready_) self->knock();
    });
}

void Readiness::check() {
    if (!said_ || !accepts_) return;
    if (const auto on_ready = std::exchange(on_ready_, nullptr)) on_ready();
}

void Readiness::forget() {
    on_ready_ = nullptr;
    timer_.cancel();
    resolver_.cancel();
    boost::system::error_code ignored;
    socket_.close(ignored);
}

std::string Readiness::awaited() const {
    if (!said_) return "a line with \"" + *options_.ready_output + "\"";
    if (!accepts_) return *options_.ready_address + " to accept";
    return "it to run for a while";
}

}  // namespace umbra::exec_tunnel
