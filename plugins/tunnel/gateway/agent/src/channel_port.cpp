#include "channel_port.hpp"

namespace umbra::gateway {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

namespace {

/// After an accept that failed, most likely for want of descriptors.
constexpr Duration accept_pause = 100ms;

}  // namespace

ChannelPort::ChannelPort(asio::io_context& io, Endpoint at)
    : resolver_(io),
      acceptor_(io),
      timer_(io),
      at_(std::move(at)),
      random_(std::random_device{}()) {}

std::shared_ptr<ChannelPort> ChannelPort::open(asio::io_context& io, Endpoint at, Events events) {
    auto port = std::make_shared<ChannelPort>(io, std::move(at));
    port->events_ = std::move(events);
    port->attempt();
    return port;
}

void ChannelPort::close() {
    events_.reset();
    timer_.cancel();
    resolver_.cancel();
    boost::system::error_code ignored;
    acceptor_.close(ignored);
}

std::uint16_t ChannelPort::port() const {
    boost::system::error_code error;
    const auto bound = acceptor_.local_endpoint(error);
    return error ? 0 : bound.port();
}

void ChannelPort::attempt() {
    boost::system::error_code error;
    // An address needs no resolver, whose thread nothing can interrupt.
    if (const auto address = asio::ip::make_address(at_.host, error); !error)
        return listen({address, at_.port});
    resolver_.async_resolve(at_.host, std::to_string(at_.port),
                            tcp::resolver::numeric_service | tcp::resolver::passive,
                            [me = shared_from_this()](boost::system::error_code failed,
                                                      const tcp::resolver::results_type& found) {
                                if (!me->events_) return;
                                if (failed) return me->later(failed.message());
                                me->listen(found.begin()->endpoint());
                            });
}

void ChannelPort::listen(const tcp::endpoint& address) {
    boost::system::error_code error;
    acceptor_.open(address.protocol(), error);
    if (!error) acceptor_.set_option(asio::socket_base::reuse_address(true), error);
    if (!error) acceptor_.bind(address, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
        boost::system::error_code ignored;
        acceptor_.close(ignored);
        return later(error.message());
    }
    backoff_.reset();
    accept();
    tell("");
}

void ChannelPort::accept() {
    acceptor_.async_accept(
        [me = shared_from_this()](boost::system::error_code error, tcp::socket socket) {
            if (!me->events_) return;
            if (!error) {
                if (!me->trouble_.empty()) me->tell("");
                if (me->events_) me->events_->on_socket(std::move(socket));
            } else if (error != asio::error::connection_aborted) {
                me->wait(accept_pause, [me] { me->accept(); });
                return me->tell("cannot accept on " + to_text(me->at_) + ": " + error.message());
            }
            if (me->events_) me->accept();
        });
}

void ChannelPort::later(const std::string& why) {
    const Duration pause = backoff_.next(static_cast<std::uint32_t>(random_()));
    wait(pause, [me = shared_from_this()] { me->attempt(); });
    tell("cannot listen on " + to_text(at_) + ": " + why + "; attempt " +
         std::to_string(backoff_.attempts() + 1) +
         (pause == Duration::zero() ? " at once" : " in " + std::to_string(pause / 1ms) + " ms"));
}

void ChannelPort::wait(Duration pause, std::function<void()> then) {
    timer_.expires_after(pause);
    timer_.async_wait([me = shared_from_this(), then](boost::system::error_code error) {
        if (!error && me->events_) then();
    });
}

void ChannelPort::tell(std::string trouble) {
    if (!events_ || trouble == trouble_) return;
    trouble_ = std::move(trouble);
    // The owner may close the port in answer.
    const auto on_change = events_->on_change;
    if (on_change) on_change();
}

}  // namespace umbra::gateway
