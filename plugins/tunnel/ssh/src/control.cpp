#include "control.hpp"

#include <boost/asio/write.hpp>

#include <utility>

namespace umbra::ssh_tunnel {

namespace asio = boost::asio;

void Control::connect(const std::string& path, Callback done) {
    done_ = std::move(done);
    socket_.async_connect({path}, [self = shared_from_this()](boost::system::error_code error) {
        if (!self->done_) return;
        if (error) return self->finish(Error{Errc::unavailable, error.message(), error.value()});
        self->send(mux::hello(), std::exchange(self->done_, nullptr));
        self->receive();
    });
}

void Control::open(const Forward& forward, Callback done) {
    send(mux::open_forward(++request_, forward), std::move(done));
}

void Control::close(const Forward& forward, Callback done) {
    send(mux::close_forward(++request_, forward), std::move(done));
}

void Control::stop_listening(Callback done) {
    send(mux::stop_listening(++request_), std::move(done));
}

void Control::hang_up() {
    done_ = nullptr;
    boost::system::error_code ignored;
    socket_.close(ignored);
}

void Control::send(std::string message, Callback done) {
    done_ = std::move(done);
    outgoing_ = std::move(message);
    asio::async_write(socket_, asio::buffer(outgoing_),
                      // An error shows when reading, after what was said before it broke.
                      [self = shared_from_this()](boost::system::error_code, std::size_t) {});
}

void Control::receive() {
    socket_.async_read_some(
        asio::buffer(buffer_),
        [self = shared_from_this()](boost::system::error_code error, std::size_t count) {
            if (error) return self->finish(Error{Errc::closed, "the session ended", error.value()});
            self->incoming_.append(self->buffer_.data(), count);
            self->take_messages();
            if (self->socket_.is_open()) self->receive();
        });
}

void Control::take_messages() {
    for (;;) {
        auto taken = mux::take(incoming_);
        if (!taken) {
            finish(taken.error());
            return hang_up();
        }
        if (!taken.value()) return;
        if (const auto* hello = std::get_if<mux::Hello>(&*taken.value())) {
            if (hello->version == mux::version) {
                finish(Done{});
            } else {
                finish(Error{Errc::unsupported,
                             "this ssh speaks version " + std::to_string(hello->version) +
                                 " of the control protocol, not " + std::to_string(mux::version)});
            }
        } else if (const auto& answer = std::get<mux::Answer>(*taken.value());
                   answer.request == request_) {
            if (answer.ok) {
                finish(Done{});
            } else {
                finish(Error{Errc::refused, answer.reason});
            }
        }
    }
}

void Control::finish(const Result<Done>& result) {
    if (const auto done = std::exchange(done_, nullptr)) done(result);
}

}  // namespace umbra::ssh_tunnel
