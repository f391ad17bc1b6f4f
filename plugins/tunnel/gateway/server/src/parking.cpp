// Clients that wait and have gone: what can be known of that without reading from them.
#include "pair.hpp"

#include <algorithm>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace umbra::gateway {

using boost::asio::ip::tcp;

namespace {

/// The client has said that it sends no more: it is gone, or waits for an answer.
bool is_half_closed(tcp::socket& socket) {
    tcp_info info{};
    socklen_t size = sizeof info;
    return ::getsockopt(socket.native_handle(), IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
           info.tcpi_state == TCP_CLOSE_WAIT;
}

/// It has closed without a word.
bool is_over(tcp::socket& socket) {
    char byte = 0;
    return ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

}  // namespace

/// A reset is noticed, and a close before any byte. A close behind a request is not told from a
/// half-close of somebody who waits for the answer; see `drop_half_closed`.
void Pair::watch_parked(const std::shared_ptr<Client>& client) {
    client->socket.async_wait(tcp::socket::wait_error,
                              [this, weak = std::weak_ptr(client)](auto error) {
                                  if (const auto gone = weak.lock(); !error && gone && gone->parked)
                                      gave_up(gone);
                              });
    client->socket.async_wait(tcp::socket::wait_read,
                              [this, weak = std::weak_ptr(client)](auto error) {
                                  const auto gone = weak.lock();
                                  if (!error && gone && gone->parked && is_over(gone->socket))
                                      gave_up(gone);
                              });
}

void Pair::gave_up(const std::shared_ptr<Client>& client) {
    ++context_.counters.park_gave_up;
    unpark(*client);
    std::erase(parked_, client);
    client->settled = true;
    client->place = {};
    abort_connection(client->socket);
}

/// When there is no place left: of those who have closed their side most do not wait any more, so
/// the oldest of them makes room for one who does. Looks once a tick only: it asks for each client.
bool Pair::drop_half_closed() {
    if (swept_) return false;
    swept_ = true;
    const auto found = std::ranges::find_if(
        parked_, [](const auto& client) { return is_half_closed(client->socket); });
    if (found == parked_.end()) return false;
    gave_up(std::shared_ptr<Client>(*found));
    swept_ = false;  // There may be more of them.
    return true;
}

}  // namespace umbra::gateway
