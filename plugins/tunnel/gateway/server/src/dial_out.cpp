#include "dial_out.hpp"

#include <boost/asio/connect.hpp>

#include <utility>
#include <vector>

namespace umbra::gateway {

namespace asio = boost::asio;
using asio::ip::tcp;

std::shared_ptr<DialOut> DialOut::start(asio::io_context& io, const config::Endpoint& to,
                                        Duration limit, Outcome outcome) {
    auto dial = std::make_shared<DialOut>(io);
    dial->outcome_ = std::move(outcome);
    dial->name_ = to_string(to);
    dial->timer_.expires_after(limit);
    dial->timer_.async_wait([dial](boost::system::error_code error) {
        if (!error) dial->finish(asio::error::timed_out);
    });
    dial->resolve(to);
    return dial;
}

void DialOut::resolve(const config::Endpoint& to) {
    boost::system::error_code error;
    // An address needs no resolver, whose thread nothing can interrupt.
    if (const auto address = asio::ip::make_address(to.host, error); !error)
        return connect({tcp::endpoint(address, to.port)});
    resolver_.async_resolve(to.host, std::to_string(to.port), tcp::resolver::numeric_service,
                            [me = shared_from_this()](boost::system::error_code failed,
                                                      const tcp::resolver::results_type& found) {
                                if (failed) return me->finish(failed);
                                me->connect({found.begin(), found.end()});
                            });
}

void DialOut::connect(std::vector<tcp::endpoint> addresses) {
    if (!outcome_) return;
    const auto list = std::make_shared<std::vector<tcp::endpoint>>(std::move(addresses));
    asio::async_connect(
        socket_, *list,
        [me = shared_from_this(), list](boost::system::error_code error, const tcp::endpoint&) {
            me->finish(error);
        });
}

void DialOut::finish(const boost::system::error_code& error) {
    if (!outcome_) return;
    const auto outcome = std::move(outcome_);
    Result<tcp::socket> result =
        error ? Result<tcp::socket>(
                    Error{error == asio::error::timed_out ? Errc::timeout : Errc::refused,
                          "cannot reach " + name_ + ": " + error.message(), error.value()})
              : Result<tcp::socket>(std::move(socket_));
    cancel();
    outcome(std::move(result));
}

void DialOut::cancel() {
    outcome_ = nullptr;
    timer_.cancel();
    resolver_.cancel();
    boost::system::error_code ignored;
    socket_.close(ignored);
}

}  // namespace umbra::gateway
