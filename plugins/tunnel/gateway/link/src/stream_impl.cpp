#include "stream_impl.hpp"

#include "link_impl.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace umbra::gateway {

namespace asio = boost::asio;

namespace {

/// One thread writes, others read.
void counted(std::atomic<std::uint64_t>& total, std::size_t more) {
    total.store(total.load(std::memory_order_relaxed) + more, std::memory_order_relaxed);
}

}  // namespace

StreamImpl::StreamImpl(LinkImpl& link, std::uint32_t id, Role role)
    : link_(&link), id_(id), role_(role) {}

void StreamImpl::listen(Events events) {
    on_closed_ = std::move(events.on_closed);
    on_status_ = events.on_status
                     ? std::make_unique<decltype(Events::on_status)>(std::move(events.on_status))
                     : nullptr;
}

const OpenRequest& StreamImpl::request() const noexcept {
    static const OpenRequest none;
    return request_ ? *request_ : none;
}

void StreamImpl::begin(const OpenRequest& request) {
    epoch_ = request.epoch;
    const Bytes preamble = encode(request);
    send_.sent(static_cast<std::uint32_t>(preamble.size()));
    link_->put({FrameType::data, flag::syn, id_, static_cast<std::uint32_t>(preamble.size())},
               preamble);
}

void StreamImpl::attach(UserSocket socket) {
    if (ended_ || socket_) return;
    socket_ = std::move(socket);
    if (!socket_ || !link_->watch(*this, socket_.fd()))
        return reset(std::string("cannot watch the connection: ") + std::strerror(errno));
    if (role_ == Role::acceptor) {
        const Bytes status = encode(OpenStatus{});
        send_.sent(static_cast<std::uint32_t>(status.size()));
        link_->put({FrameType::data, flag::ack, id_, static_cast<std::uint32_t>(status.size())},
                   status);
    }
    drain();
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

void StreamImpl::on_payload(std::span<const ByteView> pieces) {
    if (ended_) return;
    if (!preamble_done_) {
        for (const ByteView piece : pieces) keep(piece);
        take_preamble();
        return;
    }
    std::size_t size = 0;
    for (const ByteView piece : pieces) size += piece.size();
    counted(bytes_in_, size);
    std::size_t taken = 0;
    if (waiting() == 0 && socket_ && !fin_delivered_ && link_->may_deliver()) {
        const ssize_t sent = socket_.send(pieces);
        if (sent < 0 && !is_not_now(errno))
            return reset(std::string("cannot write to the connection: ") + std::strerror(errno));
        taken = static_cast<std::size_t>(std::max<ssize_t>(sent, 0));
        credit(taken);
        if (ended_) return;
        write_blocked_ = taken < size;
    }
    for (const ByteView piece : pieces) {
        const std::size_t skipped = std::min(taken, piece.size());
        taken -= skipped;
        if (skipped < piece.size()) keep(piece.subspan(skipped));
    }
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
        request_ = std::make_unique<const OpenRequest>(std::move((*found)->value));
        epoch_ = request_->epoch;
    } else {
        auto found = decode_status(bytes);
        if (!found) return link_->violated(found.error().message);
        if (!found->has_value()) return;
        taken = (*found)->taken;
        status = std::move((*found)->value);
    }
    preamble_done_ = true;
    drop(taken);
    counted(bytes_in_, waiting());
    if (role_ == Role::acceptor) return link_->offer(self());
    const auto on_status = std::move(on_status_);
    if (status->code != StatusCode::ok) finish(StreamEnd::refused, status->text);
    if (on_status) (*on_status)(*status);
    drain();
}

bool StreamImpl::announce(std::size_t bytes) {
    if (bytes >= ReadyStreams::quantum_bytes)
        small_frames_ = 0;
    else if (small_frames_ < small_frames_max)
        ++small_frames_;
    return receive_.received(bytes);
}

void StreamImpl::credit(std::size_t bytes) {
    ReceiveWindow::Path path = link_->path();
    path.only_bulk = path.only_bulk && brings_bulk();
    const std::uint32_t grant = receive_.delivered(bytes, path);
    if (grant != 0 && !fin_received_) link_->put({FrameType::window, 0, id_, grant});
}

void StreamImpl::deliver_waiting() {
    if (socket_ && !ended_) drain();
}

void StreamImpl::drain() {
    if (!preamble_done_ || !socket_ || ended_) return;
    if (waiting() > 0 && !link_->may_deliver()) return;
    while (waiting() > 0) {
        const ssize_t sent = socket_.send(std::array{received_.front()});
        if (sent < 0) {
            write_blocked_ = is_not_now(errno);
            if (write_blocked_) return;
            return reset(std::string("cannot write to the connection: ") + std::strerror(errno));
        }
        drop(static_cast<std::size_t>(sent));
    }
    if (fin_received_ && !fin_delivered_) {
        fin_delivered_ = true;
        socket_.finish_sending();
        close_if_over();
    }
}

void StreamImpl::on_fin() {
    if (ended_) return;
    fin_received_ = true;
    drain();
}

void StreamImpl::on_rst() { finish(StreamEnd::reset, "reset by the far side"); }

// --- from the user to the link -------------------------------------------------------------------

void StreamImpl::on_edge(const StreamWatch::Edge& edge) {
    user_ended_ = user_ended_ || edge.ended;
    if (edge.writable && std::exchange(write_blocked_, false)) drain();
    if (ended_) return;
    // Its end was carried already, so no read will tell that it is broken now.
    if (edge.broken && fin_sent_) return reset("connection broken by its user");
    if (edge.readable && !fin_sent_) link_->ready(self());
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
    const ssize_t got = socket_.receive(room.first(want));
    if (got > 0) {
        count = static_cast<std::size_t>(got);
        counted(bytes_out_, count);
        send_.sent(static_cast<std::uint32_t>(count));
        // Less than asked for means that the kernel has no more, and will tell when it has; but the
        // end of the user's bytes was told already.
        return count == want || user_ended_ ? Fill::more : Fill::later;
    }
    if (got == 0) {
        fin_sent_ = true;
        link_->put({FrameType::data, flag::fin, id_, 0});
        close_if_over();
        return Fill::over;
    }
    if (is_not_now(errno)) return Fill::later;
    reset(std::string("connection broken by its user: ") + std::strerror(errno));
    return Fill::over;
}

// --- the end -------------------------------------------------------------------------------------

void StreamImpl::close_if_over() {
    if (fin_sent_ && fin_delivered_) finish(StreamEnd::finished, "");
}

void StreamImpl::finish(StreamEnd end, const std::string& why) {
    if (ended_) return;
    ended_ = true;
    end == StreamEnd::finished ? socket_.close() : socket_.abort();
    LinkImpl& link = *link_;
    link.queued(-static_cast<std::ptrdiff_t>(waiting()));
    received_.clear();
    asio::post(link.executor(), [me = self(), end, why] {
        me->on_status_.reset();
        const auto on_closed = std::exchange(me->on_closed_, nullptr);
        if (on_closed) on_closed(end, why);
    });
    link_ = nullptr;
    link.forget(id_);
}

}  // namespace umbra::gateway
