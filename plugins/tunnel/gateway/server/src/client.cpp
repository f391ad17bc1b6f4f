#include "client.hpp"

#include <sys/socket.h>

namespace umbra::gateway {

using boost::asio::ip::tcp;

std::string to_text(const tcp::endpoint& endpoint) {
    const auto host = endpoint.address().to_string();
    const auto port = ":" + std::to_string(endpoint.port());
    return endpoint.address().is_v6() ? "[" + host + "]" + port : host + port;
}

std::string peer_of(const tcp::socket& socket) {
    boost::system::error_code error;
    const auto endpoint = socket.remote_endpoint(error);
    return error ? "unknown" : to_text(endpoint);
}

void abort_connection(tcp::socket& socket) {
    boost::system::error_code ignored;
    socket.set_option(boost::asio::socket_base::linger(true, 0), ignored);
    socket.close(ignored);
}

void turn_away(Client& client, StatusCode code) {
    client.settled = true;
    if (!client.answer) return abort_connection(client.socket);
    const auto answer = client.answer(code);
    boost::system::error_code ignored;
    // A few bytes into an empty send buffer: either they fit or the client is gone.
    (void)::send(client.socket.native_handle(), answer.data(), answer.size(),
                 MSG_NOSIGNAL | MSG_DONTWAIT);
    client.socket.shutdown(tcp::socket::shutdown_send, ignored);
    client.socket.close(ignored);
}

}  // namespace umbra::gateway
