#pragma once

#include "settings.hpp"
#include <umbra/sdk/transport.hpp>

#include <zmq.hpp>

#include <optional>
#include <string>

namespace umbra::zeromq {

enum class Wait : std::uint8_t { no, yes };

/// A message as it came from a socket.
struct Message {
    Frames frames;
    /// Key of the sender as the ZAP handler let it in; empty where the socket is not a server.
    std::string user_id;
    /// It had more parts than `frames_max` and an envelope; `frames` is cut there.
    bool too_many_frames = false;
};

/// Takes the next message. False when there is none, or the context was shut down.
[[nodiscard]] bool receive(zmq::socket_t& socket, Message& message, Wait wait = Wait::no);

/// Sends `envelope` and then `frames` as one message without waiting. False when it was not taken:
/// queue full, nobody connected, receiver gone.
bool send_frames(zmq::socket_t& socket, const Frames& envelope, const Frames& frames);
bool send_frames(zmq::socket_t& socket, const Frames& frames);

/// Why these frames cannot be sent; empty when they can.
[[nodiscard]] std::string why_not_sendable(const Frames& frames, std::int64_t message_max);

[[nodiscard]] std::string to_little_endian(std::uint64_t number);
/// Nothing when it is not 8 bytes.
[[nodiscard]] std::optional<std::uint64_t> from_little_endian(const std::string& bytes);

}  // namespace umbra::zeromq
