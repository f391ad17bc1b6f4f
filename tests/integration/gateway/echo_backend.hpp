#pragma once

#include "integration/gateway/link_fixture.hpp"

#include <array>
#include <memory>

namespace umbra::gateway::testing {

/// An internal system: accepts, sends back what it gets, counts.
class EchoBackend {
public:
    explicit EchoBackend(asio::io_context& io)
        : acceptor_(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
        accept();
    }
    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    std::size_t accepted = 0;
    std::size_t bytes = 0;

private:
    struct Session : std::enable_shared_from_this<Session> {
        Session(EchoBackend& b, tcp::socket s) : backend(b), socket(std::move(s)) {}
        void read() {
            socket.async_read_some(asio::buffer(buffer), [me = shared_from_this()](auto e, auto n) {
                me->backend.bytes += n;
                if (e) return me->socket.shutdown(tcp::socket::shutdown_send, e), void();
                asio::async_write(me->socket, asio::buffer(me->buffer, n), [me](auto failed, auto) {
                    if (!failed) me->read();
                });
            });
        }
        EchoBackend& backend;
        tcp::socket socket;
        std::array<char, 16384> buffer{};
    };
    void accept() {
        acceptor_.async_accept([this](boost::system::error_code error, tcp::socket socket) {
            if (error) return;
            ++accepted;
            std::make_shared<Session>(*this, std::move(socket))->read();
            accept();
        });
    }
    tcp::acceptor acceptor_;
};

}  // namespace umbra::gateway::testing
