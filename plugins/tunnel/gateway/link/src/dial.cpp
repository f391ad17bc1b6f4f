#include <umbra/gateway/dial.hpp>

#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>

#include <charconv>
#include <vector>

namespace umbra::gateway {

namespace asio = boost::asio;
using asio::ip::tcp;

std::string to_text(const Endpoint& endpoint) {
    const bool v6 = endpoint.host.find(':') != std::string::npos;
    return (v6 ? "[" + endpoint.host + "]" : endpoint.host) + ":" + std::to_string(endpoint.port);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
    const Error bad{Errc::invalid, "\"" + std::string(text) + "\" is not host:port"};
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return bad;
    std::string_view host = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    if (host.starts_with('[') && host.ends_with(']'))
        host = host.substr(1, host.size() - 2);
    else if (host.find(':') != std::string_view::npos)
        return bad;
    Endpoint endpoint{std::string(host), 0};
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), endpoint.port);
    if (host.empty() || error != std::errc{} || end != digits.data() + digits.size() ||
        endpoint.port == 0)
        return bad;
    return endpoint;
}

std::shared_ptr<Dial> Dial::start(asio::io_context& io, Endpoint to, Duration timeout,
                                  Outcome outcome, Forbids forbids) {
    auto dial = std::make_shared<Dial>(io);
    dial->outcome_ = std::move(outcome);
    dial->forbids_ = std::move(forbids);
    dial->run(std::move(to), timeout);
    return dial;
}

void Dial::run(Endpoint to, Duration timeout) {
    name_ = to_text(to);
    timer_.expires_after(timeout);
    timer_.async_wait([me = shared_from_this()](boost::system::error_code error) {
        if (!error) me->fail(asio::error::timed_out);
    });
    boost::system::error_code error;
    // An address needs no resolver, whose thread nothing can interrupt.
    if (const auto address = asio::ip::make_address(to.host, error); !error)
        return connect({tcp::endpoint(address, to.port)});
    resolver_.async_resolve(to.host, std::to_string(to.port), tcp::resolver::numeric_service,
                            [me = shared_from_this()](boost::system::error_code failed,
                                                      const tcp::resolver::results_type& found) {
                                if (failed) return me->fail(failed);
                                std::vector<tcp::endpoint> addresses;
                                for (const auto& entry : found)
                                    addresses.push_back(entry.endpoint());
                                me->connect(std::move(addresses));
                            });
}

void Dial::connect(std::vector<tcp::endpoint> addresses) {
    if (!outcome_) return;
    if (forbids_) {
        std::string why;
        std::erase_if(addresses, [&](const tcp::endpoint& one) {
            const std::string kind = forbids_(one.address());
            if (!kind.empty()) why = one.address().to_string() + ", " + kind;
            return !kind.empty();
        });
        // Later, like every outcome: the caller does not have the dial yet.
        if (addresses.empty())
            return asio::post(timer_.get_executor(), [me = shared_from_this(), why] {
                me->finish(Error{Errc::denied, me->name_ + " leads to " + why +
                                                   ", which no mapping names and no "
                                                   "permit_networks permits"});
            });
    }
    auto list = std::make_shared<std::vector<tcp::endpoint>>(std::move(addresses));
    asio::async_connect(
        socket_, *list,
        [me = shared_from_this(), list](boost::system::error_code error, const tcp::endpoint&) {
            if (error) return me->fail(error);
            me->finish(std::move(me->socket_));
        });
}

void Dial::fail(const boost::system::error_code& error) {
    const Errc code = error == asio::error::timed_out            ? Errc::timeout
                      : error == asio::error::connection_refused ? Errc::refused
                                                                 : Errc::unavailable;
    finish(Error{code, "cannot reach " + name_ + ": " + error.message(), error.value()});
}

void Dial::finish(Result<tcp::socket> result) {
    if (!outcome_) return;
    auto outcome = std::move(outcome_);
    cancel();
    outcome(std::move(result));
}

void Dial::cancel() {
    outcome_ = nullptr;
    timer_.cancel();
    resolver_.cancel();
    boost::system::error_code ignored;
    socket_.close(ignored);
}

}  // namespace umbra::gateway
