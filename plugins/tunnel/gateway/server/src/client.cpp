#include "client.hpp"

#include "context.hpp"
#include "farewell.hpp"
#include "log_room.hpp"
#include <umbra/base/clock.hpp>

#include <fmt/format.h>

#include <sys/socket.h>

namespace umbra::gateway {

using boost::asio::ip::tcp;

namespace {

std::uint64_t& counter_of(Counters& counters, Refusal refusal) {
    switch (refusal) {
        case Refusal::network:
            return counters.refused_network;
        case Refusal::per_source:
            return counters.refused_per_source;
        case Refusal::clients:
            return counters.refused_clients;
        case Refusal::bad_request:
            return counters.bad_requests;
        case Refusal::denied:
            return counters.denied;
        case Refusal::backend_refused:
        case Refusal::backend_timeout:
            return counters.backend_failed;
        case Refusal::streams:
            return counters.over_limit;
        case Refusal::park_full:
            return counters.park_full;
        case Refusal::park_timeout:
            break;
    }
    return counters.park_timeouts;
}

void note_refusal(Context& context, const Client& client, Refusal refusal, std::string_view text) {
    ++counter_of(context.counters, refusal);
    // Each kind at a rate of its own: one must not hide another.
    auto& rate = context.refusal_log[static_cast<std::size_t>(refusal)];
    if (auto more = rate.pass(base::boot_now()))
        base::info(log_room, "client {}{} is turned away: {}{}{} ({} more like it)", client.address,
                   client.host.empty() ? "" : fmt::format(" of {}:{}", client.host, client.port),
                   text_of(refusal), text.empty() ? "" : ": ", text, *more);
}

}  // namespace

std::string to_text(const tcp::endpoint& endpoint) {
    const auto host = endpoint.address().to_string();
    const auto port = ":" + std::to_string(endpoint.port());
    return endpoint.address().is_v6() ? "[" + host + "]" + port : host + port;
}

void abort_connection(tcp::socket& socket) {
    boost::system::error_code ignored;
    socket.set_option(boost::asio::socket_base::linger(true, 0), ignored);
    socket.close(ignored);
}

void say(tcp::socket& socket, std::string_view words) {
    if (words.empty()) return;
    (void)::send(socket.native_handle(), words.data(), words.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void turn_away(Context& context, Client& client, Refusal refusal, std::string_view text) {
    const auto* dialect = client.dialect;
    if (dialect == nullptr) return turn_away_with(context, client, refusal, {}, text);
    std::string words(client.answered ? std::string_view() : dialect->before_request);
    turn_away_with(context, client, refusal, words + dialect->refused(refusal), text);
}

void turn_away_with(Context& context, Client& client, Refusal refusal, std::string_view last_words,
                    std::string_view text) {
    client.settled = true;
    if (auto* tally = client.place.tally()) ++tally->refused[static_cast<std::size_t>(refusal)];
    note_refusal(context, client, refusal, text);
    if (last_words.empty()) {
        abort_connection(client.socket);
    } else {
        farewell(context, std::move(client.socket), last_words);
    }
    client.place = {};
}

}  // namespace umbra::gateway
