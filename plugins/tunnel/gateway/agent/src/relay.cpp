#include "relay.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/local/connect_pair.hpp>
#include <boost/asio/post.hpp>

#include <array>

namespace umbra::gateway {

namespace asio = boost::asio;

namespace {

constexpr std::size_t pump_bytes = 16384;  // What a TLS record holds.

class ByteRelay final : public Relay, public std::enable_shared_from_this<ByteRelay> {
public:
    ByteRelay(std::unique_ptr<Duplex> stream, std::unique_ptr<Duplex> backend, Over over)
        : stream_(std::move(stream)), backend_(std::move(backend)), over_(std::move(over)) {}

    void start(asio::io_context& io) {
        spawn(io, *stream_, *backend_, "towards the backend: ");
        spawn(io, *backend_, *stream_, "from the backend: ");
    }
    void abort() override {
        end("cut");
        stream_->close(false);
    }

private:
    void spawn(asio::io_context& io, Duplex& from, Duplex& to, const char* where) {
        asio::co_spawn(
            io, [me = shared_from_this(), &from, &to] { return pump(from, to); },
            [me = shared_from_this(), where](std::exception_ptr failed, std::string fault) {
                if (failed) fault = "internal error";
                if (!fault.empty()) return me->end(where + fault);
                if (++me->finished_ == 2) me->end("");
            });
    }
    void end(std::string why) {
        if (!over_) return;
        const bool in_order = why.empty();
        std::exchange(over_, nullptr)(std::move(why));
        backend_->close(in_order);
        if (in_order) stream_->close(true);
    }

    std::unique_ptr<Duplex> stream_, backend_;
    Over over_;
    int finished_ = 0;
};

}  // namespace

asio::awaitable<std::string> pump(Duplex& from, Duplex& to) {
    std::array<char, pump_bytes> room;
    for (;;) {
        const Duplex::Read got = co_await from.read(room);
        if (!got.fault.empty()) co_return got.fault;
        if (got.count == 0) co_return co_await to.finish();
        std::string fault = co_await to.write({room.data(), got.count});
        if (!fault.empty()) co_return fault;
    }
}

std::shared_ptr<Relay> start_byte_relay(asio::io_context& io, std::unique_ptr<Duplex> stream,
                                        std::unique_ptr<Duplex> backend, Relay::Over over) {
    auto relay =
        std::make_shared<ByteRelay>(std::move(stream), std::move(backend), std::move(over));
    relay->start(io);
    return relay;
}

Result<SocketPair> SocketPair::make(asio::io_context& io) {
    asio::local::stream_protocol::socket a(io), b(io);
    boost::system::error_code error;
    asio::local::connect_pair(a, b, error);
    asio::ip::tcp::socket stream(io);
    if (!error) {
        const int handle = a.release(error);
        if (!error) stream.assign(asio::ip::tcp::v4(), handle, error);
    }
    if (error) return Error{Errc::exhausted, "no sockets for another stream: " + error.message()};
    return SocketPair{std::move(stream), local_duplex(std::move(b))};
}

}  // namespace umbra::gateway
