#include "stream_impl.hpp"

#include "link_impl.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>

namespace umbra::gateway {

namespace asio = boost::asio;
using asio::ip::tcp;

StreamImpl::StreamImpl(LinkImpl& link, std::uint32_t id, Role role)
    : link_(&link), id_(id), role_(role) {}

void StreamImpl::begin(OpenRequest request) {
    request_ = std::move(request);
    const Bytes preamble = encode(request_);
    send_.sent(static_cast<std::uint32_t>(preamble.size()));
    link_->put({FrameType::data, flag::syn, id_, static_cast<std::uint32_t>(preamble.size())},
               preamble);
}

void StreamImpl::attach(tcp::socket socket) {
    if (ended_ || socket_) return;
    boost::system::error_code ignored;
    socket.native_non_blocking(true, ignored);
    socket.set_option(tcp::no_delay(true), ignored);
    socket_.emplace(std::move(socket));
    if (role_ == Role::acceptor) {
        const Bytes status = encode(OpenStatus{});
        send_.sent(static_cast<std::uint32_t>(status.size()));
        link_->put({FrameType::data, flag::ack, id_, static_cast<std::uint32_t>(status.size())},
                   status);
    }
    drain();
    if (!ended_) arm_read();
}

void StreamImpl::refuse(StatusCode code, std::string text) {
    if (ended_ || role_ == Role::opener || socket_) return;
    const Bytes status = encode(OpenStatus{code, text});
    link_->put(
        {FrameType::data, flag::ack | flag::fin, id_, static_cast<std::uint32_t>(status.size())},
        status);
    finish(StreamEnd::refused, text);
}

void StreamImpl::reset(std::string why) {
    if (ended_) return;
    send_reset();
    finish(StreamEnd::reset, why);
}

void StreamImpl::send_reset() { link_->put({FrameType::window, flag::rst, id_, 0}); }

// --- from the link to the user -------------------------------------------------------------------

void StreamImpl::on_payload(ByteView payload) {
    if (ended_) return;
    if (!preamble_done_) {
        keep(payload);
        take_preamble();
        return;
    }
    bytes_in_ += payload.size();
    if (waiting() == 0 && socket_ && !fin_delivered_ && link_->may_deliver()) {
        const ssize_t sent = ::send(socket_->native_handle(), payload.data(), payload.size(),
                                    MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            credit(static_cast<std::size_t>(sent));
            payload = payload.subspan(static_cast<std::size_t>(sent));
        } else if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR) {
            reset(std::string("cannot write to the connection: ") + std::strerror(errno));
            return;
        }
    }
    if (payload.empty()) return;
    keep(payload);
    if (socket_ && link_->may_deliver()) arm_write();
}

void StreamImpl::keep(ByteView bytes) {
    received_.push(bytes);
    link_->queued(static_cast<std::ptrdiff_t>(bytes.size()));
}

void StreamImpl::drop(std::size_t bytes) {
    received_.pop(bytes);
    link_->queued(-static_cast<std::ptrdiff_t>(bytes));
    credit(bytes);
}

void StreamImpl::take_preamble() {
    static_assert(open_bytes_max + 2 <= ByteQueue::block_bytes_min);
    const ByteView bytes = received_.front();
    std::size_t taken = 0;
    std::optional<OpenStatus> status;
    if (role_ == Role::acceptor) {
        auto found = decode_open(bytes);
        if (!found) return link_->violated(found.error().message);
        if (!found->has_value()) return;
        taken = (*found)->taken;
        request_ = std::move((*found)->value);
    } else {
        auto found = decode_status(bytes);
        if (!found) return link_->violated(found.error().message);
        if (!found->has_value()) return;
        taken = (*found)->taken;
        status = std::move((*found)->value);
    }
    preamble_done_ = true;
    drop(taken);
    bytes_in_ += waiting();
    if (role_ == Role::acceptor) return link_->offer(self());
    if (status->code == StatusCode::ok) {
        if (events_.on_status) events_.on_status(*status);
        drain();
        return;
    }
    auto on_status = std::move(events_.on_status);
    finish(StreamEnd::refused, status->text);
    if (on_status) on_status(*status);
}

void StreamImpl::credit(std::size_t bytes) {
    const std::uint32_t grant = receive_.delivered(bytes, link_->path());
    if (grant != 0 && !fin_received_) link_->put({FrameType::window, 0, id_, grant});
}

void StreamImpl::deliver_waiting() {
    if (socket_ && !ended_) drain();
}

void StreamImpl::drain() {
    if (!preamble_done_ || !socket_ || ended_) return;
    if (waiting() > 0 && !link_->may_deliver()) return;
    while (waiting() > 0) {
        const ByteView next = received_.front();
        const ssize_t sent =
            ::send(socket_->native_handle(), next.data(), next.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            if (errno == EINTR) continue;
            if (errno == EAGAIN || errno == EWOULDBLOCK) return arm_write();
            return reset(std::string("cannot write to the connection: ") + std::strerror(errno));
        }
        drop(static_cast<std::size_t>(sent));
    }
    if (fin_received_ && !fin_delivered_) {
        fin_delivered_ = true;
        boost::system::error_code ignored;
        socket_->shutdown(tcp::socket::shutdown_send, ignored);
        close_if_over();
    }
}

void StreamImpl::arm_write() {
    if (write_armed_) return;
    write_armed_ = true;
    socket_->async_wait(tcp::socket::wait_write, [me = self()](boost::system::error_code error) {
        me->write_armed_ = false;
        if (!error && !me->ended_) me->drain();
    });
}

void StreamImpl::on_fin() {
    if (ended_) return;
    fin_received_ = true;
    drain();
}

void StreamImpl::on_rst() { finish(StreamEnd::reset, "reset by the far side"); }

// --- from the user to the link -------------------------------------------------------------------

void StreamImpl::arm_read() {
    if (read_armed_ || fin_sent_) return;
    read_armed_ = true;
    socket_->async_wait(tcp::socket::wait_read, [me = self()](boost::system::error_code error) {
        me->read_armed_ = false;
        if (!error && !me->ended_) me->link_->ready(me);
    });
}

void StreamImpl::on_credit(std::uint32_t bytes) {
    if (ended_) return;
    if (!send_.granted(bytes)) return link_->violated("a window of more than 16 MiB was granted");
    if (wants_credit_ && bytes > 0) {
        wants_credit_ = false;
        link_->ready(self());
    }
}

StreamImpl::Fill StreamImpl::fill(std::span<std::uint8_t> room, std::size_t& count) {
    count = 0;
    if (ended_ || fin_sent_ || !socket_) return Fill::over;
    const std::size_t want = std::min<std::size_t>(room.size(), send_.credit());
    if (want == 0) {
        wants_credit_ = true;
        return Fill::later;
    }
    ssize_t got = 0;
    do got = ::recv(socket_->native_handle(), room.data(), want, MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        count = static_cast<std::size_t>(got);
        bytes_out_ += count;
        send_.sent(static_cast<std::uint32_t>(count));
        if (count == want) return Fill::more;
        arm_read();
        return Fill::later;
    }
    if (got == 0) {
        fin_sent_ = true;
        link_->put({FrameType::data, flag::fin, id_, 0});
        close_if_over();
        return Fill::over;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        arm_read();
        return Fill::later;
    }
    reset(std::string("connection broken by its user: ") + std::strerror(errno));
    return Fill::over;
}

// --- the end -------------------------------------------------------------------------------------

void StreamImpl::close_if_over() {
    if (fin_sent_ && fin_delivered_) finish(StreamEnd::finished, "");
}

void StreamImpl::close_socket(bool in_order) {
    if (!socket_) return;
    boost::system::error_code ignored;
    // Whoever waits for the rest must not take a broken stream for a finished one.
    if (!in_order) socket_->set_option(asio::socket_base::linger(true, 0), ignored);
    socket_->close(ignored);
}

void StreamImpl::finish(StreamEnd end, const std::string& why) {
    if (ended_) return;
    ended_ = true;
    close_socket(end == StreamEnd::finished);
    LinkImpl& link = *link_;
    link.queued(-static_cast<std::ptrdiff_t>(waiting()));
    received_.clear();
    asio::post(link.executor(), [me = self(), end, why] {
        auto on_closed = std::move(me->events_.on_closed);
        me->events_ = {};
        if (on_closed) on_closed(end, why);
    });
    link_ = nullptr;
    link.forget(id_);
}

}  // namespace umbra::gateway
