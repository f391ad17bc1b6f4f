#include "gateway_dial.hpp"

#include <boost/asio/write.hpp>

#include <utility>

namespace umbra::gateway {

namespace asio = boost::asio;
using asio::ip::tcp;

GatewayDial::GatewayDial(asio::io_context& io, Route route)
    : route_(std::move(route)), socket_(io), timer_(io) {}

std::shared_ptr<GatewayDial> GatewayDial::start(asio::io_context& io, Route route, Duration timeout,
                                                Outcome outcome) {
    auto dial = std::make_shared<GatewayDial>(io, std::move(route));
    dial->outcome_ = std::move(outcome);
    const auto& proxy = dial->route_.proxy;
    if (proxy) {
        dial->timer_.expires_after(timeout);
        dial->timer_.async_wait([dial](boost::system::error_code error) {
            if (!error)
                dial->finish(Error{Errc::timeout, "the proxy " + to_text(dial->route_.proxy->at) +
                                                      " did not answer in time"});
        });
    }
    dial->dial_ = Dial::start(
        io, proxy ? proxy->at : dial->route_.gateway, timeout, [dial](Result<tcp::socket> result) {
            dial->dial_.reset();
            if (result && dial->route_.proxy) return dial->on_proxy(std::move(*result));
            if (!result && dial->route_.proxy)
                return dial->finish(Error{result.error().code,
                                          "the proxy: " + result.error().message,
                                          result.error().sys_errno});
            dial->finish(std::move(result));
        });
    return dial;
}

void GatewayDial::on_proxy(tcp::socket socket) {
    socket_ = std::move(socket);
    const Proxy& proxy = *route_.proxy;
    std::string password = proxy.password;
    if (!proxy.password_file.empty()) {
        auto read = read_proxy_password(proxy.password_file);
        if (!read) return finish(read.error());
        password = std::move(*read);
    }
    request_ = connect_request(route_.gateway, proxy, password);
    answer_.emplace(route_.gateway, proxy);
    asio::async_write(socket_, asio::buffer(request_),
                      [me = shared_from_this()](boost::system::error_code error, std::size_t) {
                          if (error)
                              return me->finish(Error{Errc::unavailable,
                                                      "the proxy " + to_text(me->route_.proxy->at) +
                                                          " broke off: " + error.message()});
                          me->read();
                      });
}

void GatewayDial::read() {
    if (!outcome_) return;
    socket_.async_read_some(
        asio::buffer(buffer_),
        [me = shared_from_this()](boost::system::error_code error, std::size_t count) {
            if (error)
                return me->finish(Error{Errc::unavailable,
                                        "the proxy " + to_text(me->route_.proxy->at) +
                                            " broke off before it answered: " + error.message()});
            const auto answered = me->answer_->feed({me->buffer_.data(), count});
            if (!answered) return me->read();
            if (!*answered) return me->finish(answered->error());
            me->finish(std::move(me->socket_));
        });
}

void GatewayDial::finish(Result<tcp::socket> result) {
    if (!outcome_) return;
    const auto outcome = std::exchange(outcome_, nullptr);
    cancel();
    outcome(std::move(result));
}

void GatewayDial::cancel() {
    outcome_ = nullptr;
    timer_.cancel();
    if (dial_) dial_->cancel();
    boost::system::error_code ignored;
    socket_.close(ignored);
}

}  // namespace umbra::gateway
