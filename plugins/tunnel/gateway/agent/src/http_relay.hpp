#pragma once

#include "backend_dial.hpp"
#include "relay.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace umbra::gateway {

/// A client that has begun a request must have sent its head by then.
inline constexpr Duration request_head_limit = std::chrono::seconds(30);
/// A connection on which no request comes is ended.
inline constexpr Duration http_idle_limit = std::chrono::minutes(5);
/// What a client still sends after the last answer is read and dropped for so long.
inline constexpr Duration http_linger = std::chrono::seconds(2);

/// What an HTTP relay works with.
struct HttpRelaySettings {
    boost::asio::io_context& io;
    std::unique_ptr<Duplex> client;
    std::string client_address;  ///< Without a port.
    /// Today's rules; null when the mapping is gone or suspended. Asked for each request.
    std::function<std::shared_ptr<const Mapping>()> mapping;
    std::function<std::shared_ptr<BackendDial>(std::shared_ptr<const Mapping>,
                                               BackendDial::Outcome)>
        dial;
    std::function<void(std::string text)> on_denied;  ///< The client asked for what it may not.
    std::function<void(std::string text)> on_failed;  ///< The backend did not do its part.
    Duration response_timeout{};                      ///< Until the head of an answer; 0: none.
    Relay::Over over;
};

/// Every request of a client's connection, one after the other: checked against the mapping, passed
/// on, and answered by the backend or, when it is denied or the backend fails, by the relay itself.
/// The backend is dialed for the first request that is permitted. Bodies stream through as they
/// are; after an upgrade all bytes do.
[[nodiscard]] std::shared_ptr<Relay> start_http_relay(HttpRelaySettings settings);

}  // namespace umbra::gateway
