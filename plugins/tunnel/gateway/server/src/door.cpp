#include "door.hpp"

#include "client.hpp"
#include <umbra/base/clock.hpp>

namespace umbra::gateway {

using boost::asio::ip::tcp;

namespace {

/// Without descriptors every accept fails at once: try again when some may have been closed.
constexpr auto pause_time = std::chrono::milliseconds{50};

}  // namespace

Door::Door(Context& context, std::string what, OnSocket on_socket)
    : acceptor_(context.io),
      pause_(context.io),
      what_(std::move(what)),
      on_socket_(std::move(on_socket)) {}

Result<std::unique_ptr<Door>> Door::open(Context& context, std::string what,
                                         const config::Endpoint& address, OnSocket on_socket) {
    std::unique_ptr<Door> door(new Door(context, std::move(what), std::move(on_socket)));
    boost::system::error_code error;
    tcp::resolver resolver(context.io);
    const auto found =
        resolver.resolve(address.host, std::to_string(address.port),
                         tcp::resolver::passive | tcp::resolver::numeric_service, error);
    auto& acceptor = door->acceptor_;
    if (!error) {
        const tcp::endpoint endpoint = found.begin()->endpoint();
        acceptor.open(endpoint.protocol(), error);
        if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
        if (!error) acceptor.bind(endpoint, error);
        if (!error) acceptor.listen(tcp::acceptor::max_listen_connections, error);
    }
    if (error)
        return Error{
            Errc::unavailable,
            "cannot listen on " + to_string(address) + " (" + door->what_ + "): " + error.message(),
            error.value()};
    door->address_ = to_text(acceptor.local_endpoint(error));
    door->accept();
    return door;
}

void Door::close() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
}

void Door::accept() {
    acceptor_.async_accept([this](boost::system::error_code error, tcp::socket socket) {
        if (error == boost::asio::error::operation_aborted || !acceptor_.is_open()) return;
        if (!error) {
            on_socket_(std::move(socket));
            return accept();
        }
        if (error == boost::asio::error::connection_aborted) return accept();
        if (auto more = log_.pass(base::boot_now()))
            base::warn("gateway", "{} cannot accept connections: {} ({} more like it)", what_,
                       error.message(), *more);
        pause_.expires_after(pause_time);
        pause_.async_wait([this](boost::system::error_code stopped) {
            if (!stopped) accept();
        });
    });
}

}  // namespace umbra::gateway
