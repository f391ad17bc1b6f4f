#include "duplex.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <cerrno>
#include <poll.h>
#include <sys/socket.h>
#include <type_traits>

namespace umbra::gateway {

namespace asio = boost::asio;
using asio::awaitable;

namespace {

constexpr auto waits = asio::as_tuple(asio::use_awaitable);

template <class Socket>
void close_socket(Socket& socket, bool in_order) {
    boost::system::error_code ignored;
    // Whoever waits for the rest must not take a broken connection for a finished one.
    if (!in_order) socket.set_option(asio::socket_base::linger(true, 0), ignored);
    socket.close(ignored);
}

template <class Socket>
bool has_nothing(Socket& socket) {
    char one = 0;
    const ssize_t got = ::recv(socket.native_handle(), &one, 1, MSG_PEEK | MSG_DONTWAIT);
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

/// The other end of a local socket is closed, not only its direction towards here.
template <class Socket>
bool is_hung_up(Socket& socket) {
    pollfd one{socket.native_handle(), POLLIN, 0};
    return ::poll(&one, 1, 0) > 0 && (one.revents & POLLHUP) != 0;
}

template <class Socket>
class SocketDuplex final : public Duplex {
public:
    explicit SocketDuplex(Socket socket) : socket_(std::move(socket)) {}

    awaitable<Read> read(std::span<char> room) override {
        const auto [error, count] =
            co_await socket_.async_read_some(asio::buffer(room.data(), room.size()), waits);
        if (!error) co_return Read{count, {}};
        // A stream that is cut closes its socket at once, and may say so on another thread later.
        if (error == asio::error::eof && is_local && !finished_ && is_hung_up(socket_))
            co_return Read{0, "the stream was cut"};
        if (error == asio::error::eof) co_return Read{};
        co_return Read{0, error.message()};
    }
    awaitable<std::string> write(std::string_view bytes) override {
        const auto [error, count] =
            co_await asio::async_write(socket_, asio::buffer(bytes.data(), bytes.size()), waits);
        (void)count;
        co_return error ? error.message() : std::string{};
    }
    awaitable<std::string> finish() override {
        boost::system::error_code error;
        finished_ = true;
        socket_.shutdown(Socket::shutdown_send, error);
        co_return error ? error.message() : std::string{};
    }
    bool is_quiet() override { return has_nothing(socket_); }
    void close(bool in_order) override { close_socket(socket_, in_order); }

private:
    static constexpr bool is_local = std::is_same_v<Socket, asio::local::stream_protocol::socket>;

    Socket socket_;
    bool finished_ = false;
};

class TlsDuplex final : public Duplex {
public:
    TlsDuplex(asio::ip::tcp::socket socket, std::unique_ptr<TlsSession> tls)
        : socket_(std::move(socket)), tls_(std::move(tls)), sent_(socket_.get_executor()) {}

    awaitable<Read> read(std::span<char> room) override {
        for (;;) {
            std::size_t count = 0;
            const TlsSession::Step step = tls_->read(room, count);
            // Reading may have to answer, for example a change of keys.
            if (std::string fault = co_await send(); !fault.empty()) co_return Read{0, fault};
            if (step == TlsSession::Step::done) co_return Read{count, {}};
            if (step == TlsSession::Step::ended) co_return Read{};
            if (step == TlsSession::Step::failed) co_return Read{0, tls_->fault()};
            const auto [error, got] =
                co_await socket_.async_read_some(asio::buffer(received_), waits);
            if (error == asio::error::eof)
                co_return Read{0, "the connection ended without TLS having been ended"};
            if (error) co_return Read{0, error.message()};
            tls_->feed(std::span(received_).first(got));
        }
    }
    awaitable<std::string> write(std::string_view bytes) override {
        if (tls_->write(bytes) != TlsSession::Step::done) co_return tls_->fault();
        co_return co_await send();
    }
    awaitable<std::string> finish() override {
        tls_->finish();
        co_return co_await send();
    }
    bool is_quiet() override { return has_nothing(socket_); }
    void close(bool in_order) override {
        close_socket(socket_, in_order);
        sent_.cancel();
    }

private:
    /// Sends what TLS has produced. Reader and writer may both come here: one sends, the other
    /// waits until that is done.
    awaitable<std::string> send() {
        while (sending_) {
            sent_.expires_at(asio::steady_timer::time_point::max());
            co_await sent_.async_wait(waits);
            if (!socket_.is_open()) co_return "closed";
        }
        sending_ = true;
        std::string fault;
        for (std::string out = tls_->take_output(); !out.empty() && fault.empty();
             out = tls_->take_output()) {
            const auto [error, count] =
                co_await asio::async_write(socket_, asio::buffer(out), waits);
            (void)count;
            if (error) fault = error.message();
        }
        sending_ = false;
        sent_.cancel();
        co_return fault;
    }

    asio::ip::tcp::socket socket_;
    std::unique_ptr<TlsSession> tls_;
    asio::steady_timer sent_;  ///< Canceled when a send is over.
    bool sending_ = false;
    std::array<char, 16384> received_{};
};

}  // namespace

std::unique_ptr<Duplex> plain_duplex(asio::ip::tcp::socket socket) {
    return std::make_unique<SocketDuplex<asio::ip::tcp::socket>>(std::move(socket));
}
std::unique_ptr<Duplex> local_duplex(asio::local::stream_protocol::socket socket) {
    return std::make_unique<SocketDuplex<asio::local::stream_protocol::socket>>(std::move(socket));
}
std::unique_ptr<Duplex> tls_duplex(asio::ip::tcp::socket socket, std::unique_ptr<TlsSession> tls) {
    return std::make_unique<TlsDuplex>(std::move(socket), std::move(tls));
}

}  // namespace umbra::gateway
