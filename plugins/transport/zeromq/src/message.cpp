#include "message.hpp"

namespace umbra::zeromq {

namespace {

std::string user_id_of(const zmq::message_t& frame) {
    const char* text = ::zmq_msg_gets(frame.handle(), "User-Id");
    return text == nullptr ? std::string{} : std::string{text};
}

}  // namespace

bool receive(zmq::socket_t& socket, Message& message, Wait wait) {
    message = {};
    const auto flags = wait == Wait::yes ? zmq::recv_flags::none : zmq::recv_flags::dontwait;
    bool more = true;
    while (more) {
        zmq::message_t frame;
        try {
            if (!socket.recv(frame, flags)) return false;
        } catch (const zmq::error_t& failure) {
            if (failure.num() == EINTR) continue;
            if (failure.num() == ETERM) return false;
            throw;
        }
        more = frame.more();
        if (message.frames.size() >= frames_max + envelope_max) {
            message.too_many_frames = true;
            continue;
        }
        if (message.user_id.empty()) message.user_id = user_id_of(frame);
        message.frames.emplace_back(static_cast<const char*>(frame.data()), frame.size());
    }
    return true;
}

bool send_frames(zmq::socket_t& socket, const Frames& envelope, const Frames& frames) {
    const std::size_t count = envelope.size() + frames.size();
    for (std::size_t i = 0; i < count; ++i) {
        const auto& part = i < envelope.size() ? envelope[i] : frames[i - envelope.size()];
        const auto flags = i + 1 < count ? zmq::send_flags::dontwait | zmq::send_flags::sndmore
                                         : zmq::send_flags::dontwait;
        try {
            // Only the first part can be refused: libzmq takes a message whole or not at all.
            if (!socket.send(zmq::buffer(part), flags)) return false;
        } catch (const zmq::error_t& failure) {
            if (failure.num() == EHOSTUNREACH || failure.num() == ETERM) return false;
            throw;
        }
    }
    return true;
}

bool send_frames(zmq::socket_t& socket, const Frames& frames) {
    return send_frames(socket, {}, frames);
}

std::string why_not_sendable(const Frames& frames, std::int64_t message_max) {
    if (frames.empty()) return "a message needs at least one part";
    if (frames.size() > frames_max)
        return "a message of " + std::to_string(frames.size()) + " parts is over the limit of " +
               std::to_string(frames_max);
    for (const auto& frame : frames) {
        if (frame.size() > static_cast<std::size_t>(message_max))
            return "a part of " + std::to_string(frame.size()) +
                   " bytes is over the limit max_message = " + std::to_string(message_max);
    }
    return {};
}

std::string to_little_endian(std::uint64_t number) {
    std::string bytes(sizeof number, '\0');
    for (auto& byte : bytes) {
        byte = static_cast<char>(number & 0xff);
        number >>= 8;
    }
    return bytes;
}

std::optional<std::uint64_t> from_little_endian(const std::string& bytes) {
    std::uint64_t number = 0;
    if (bytes.size() != sizeof number) return std::nullopt;
    for (std::size_t i = bytes.size(); i-- > 0;)
        number = number << 8 | static_cast<unsigned char>(bytes[i]);
    return number;
}

}  // namespace umbra::zeromq
