#pragma once

#include "mux.hpp"
#include <umbra/sdk/result.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace umbra::ssh_tunnel {

/// A connection to the control socket of one running client: one request at a time. The socket is
/// there once the session is established and authenticated, and closes with it.
///
/// Threads: the loop's.
class Control : public std::enable_shared_from_this<Control> {
public:
    /// `refused`: the client or the server said no. Any other error: the connection is unusable.
    using Callback = std::function<void(const Result<Done>&)>;

    explicit Control(boost::asio::io_context& io) : socket_(io) {}

    /// Connects and exchanges the greeting. `unavailable` while there is no such socket.
    void connect(const std::string& path, Callback done);
    void open(const Forward& forward, Callback done);
    void close(const Forward& forward, Callback done);
    void stop_listening(Callback done);
    /// Without an answer to what is open.
    void hang_up();

private:
    void send(std::string message, Callback done);
    void receive();
    void take_messages();
    void finish(const Result<Done>& result);

    boost::asio::local::stream_protocol::socket socket_;
    std::string outgoing_, incoming_;
    std::array<char, 1024> buffer_{};
    std::uint32_t request_ = 0;
    Callback done_;
};

}  // namespace umbra::ssh_tunnel
