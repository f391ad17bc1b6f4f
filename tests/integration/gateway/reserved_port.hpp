#pragma once

#include "integration/gateway/link_fixture.hpp"

namespace umbra::gateway::testing {

/// A port that nobody else gets meanwhile: bound, but not listened on.
class ReservedPort {
public:
    explicit ReservedPort(asio::io_context& io) : socket_(io) {
        socket_.open(tcp::v4());
        socket_.set_option(asio::socket_base::reuse_address(true));
        socket_.bind({asio::ip::address_v4::loopback(), 0});
    }
    [[nodiscard]] std::uint16_t port() const { return socket_.local_endpoint().port(); }
    [[nodiscard]] std::string address() const { return "127.0.0.1:" + std::to_string(port()); }
    void listen() { socket_.listen(); }
    void stop_listening() {
        const auto at = socket_.local_endpoint();
        socket_.close();
        socket_.open(tcp::v4());
        socket_.set_option(asio::socket_base::reuse_address(true));
        socket_.bind(at);
    }

private:
    tcp::acceptor socket_;
};

}  // namespace umbra::gateway::testing
