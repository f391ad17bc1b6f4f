#include "farewell.hpp"

#include "client.hpp"
#include "context.hpp"

#include <boost/asio/steady_timer.hpp>

#include <array>
#include <memory>
#include <sys/socket.h>

namespace umbra::gateway {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr Duration farewell_time_max = std::chrono::seconds{1};
constexpr std::size_t farewell_bytes_max = 64 * 1024;

class Farewell : public std::enable_shared_from_this<Farewell> {
public:
    Farewell(Context& context, tcp::socket socket)
        : context_(context), socket_(std::move(socket)), limit_(context.io, farewell_time_max) {
        ++context_.farewells_now;
    }
    Farewell(const Farewell&) = delete;
    Farewell& operator=(const Farewell&) = delete;
    ~Farewell() { --context_.farewells_now; }

    void start() {
        limit_.async_wait([me = shared_from_this()](boost::system::error_code error) {
            if (!error) me->close();
        });
        wait();
    }

private:
    void wait() {
        socket_.async_wait(tcp::socket::wait_read,
                           [me = shared_from_this()](boost::system::error_code error) {
                               if (!error) me->drop();
                           });
    }
    void drop() {
        std::array<char, 4096> unread;
        while (dropped_ < farewell_bytes_max) {
            const auto got =
                ::recv(socket_.native_handle(), unread.data(), unread.size(), MSG_DONTWAIT);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0 && errno == EAGAIN) return wait();
            if (got <= 0) break;
            dropped_ += static_cast<std::size_t>(got);
        }
        close();
    }
    void close() {
        boost::system::error_code ignored;
        limit_.cancel();
        socket_.close(ignored);
    }

    Context& context_;
    tcp::socket socket_;
    asio::steady_timer limit_;
    std::size_t dropped_ = 0;
};

}  // namespace

void farewell(Context& context, tcp::socket socket, std::string_view words) {
    say(socket, words);
    boost::system::error_code error;
    socket.shutdown(tcp::socket::shutdown_send, error);
    if (error || context.farewells_now >= farewells_max) {
        socket.close(error);
        return;
    }
    std::make_shared<Farewell>(context, std::move(socket))->start();
}

}  // namespace umbra::gateway
