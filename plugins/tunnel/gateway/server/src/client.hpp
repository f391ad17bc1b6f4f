#pragma once

#include "admission.hpp"
#include "preamble.hpp"
#include <umbra/sdk/time.hpp>

#include <boost/asio/ip/tcp.hpp>

#include <cstdint>
#include <string>

namespace umbra::gateway {

struct Context;

/// A connection of a cloud client until its stream takes it over. None of its bytes is read before
/// the far side said yes, so until then it can be sent elsewhere or wait.
struct Client {
    explicit Client(boost::asio::ip::tcp::socket connection) : socket(std::move(connection)) {}

    boost::asio::ip::tcp::socket socket;
    Admission::Place place;  ///< Kept until its stream has ended.
    std::string address;     ///< "host:port"
    std::string host;        ///< Virtual, what it wants.
    std::uint16_t port = 0;
    const Dialect* dialect = nullptr;  ///< Null: it is told nothing.
    bool answered = false;             ///< Has heard something of it.

    Instant deadline;              ///< Waits no longer than this.
    std::uint64_t not_before = 0;  ///< Activation that has to come first.
    std::uint64_t epoch = 0;       ///< Of its stream.
    unsigned attempts = 0;
    bool parked = false;
    bool settled = false;  ///< Served, or turned away.
};

[[nodiscard]] std::string to_text(const boost::asio::ip::tcp::endpoint& endpoint);
/// Closes with a reset, so that the client knows at once and does not take it for an empty answer.
void abort_connection(boost::asio::ip::tcp::socket& socket);

/// Sends a few bytes into an empty send buffer: either they fit or the client is gone.
void say(boost::asio::ip::tcp::socket& socket, std::string_view words);

/// The client's connection ends here: it is told why in its own protocol, where it has one, else it
/// is reset. Counted, and logged with its address at a bounded rate. `text`: what the far side
/// said.
void turn_away(Context& context, Client& client, Refusal refusal, std::string_view text = {});
/// The same with other last words; empty: it is reset.
void turn_away_with(Context& context, Client& client, Refusal refusal, std::string_view last_words,
                    std::string_view text = {});

}  // namespace umbra::gateway
