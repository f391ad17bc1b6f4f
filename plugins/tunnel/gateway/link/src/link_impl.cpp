#include "link_impl.hpp"

#include "remote_link.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cstring>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <time.h>

namespace umbra::gateway {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

namespace {

/// Of both directions alike: what a link gives back the next one takes without a gap.
constexpr std::size_t buffer_bytes = 64u << 10;
constexpr std::size_t chunk_bytes_min = 4u << 10;
constexpr std::size_t shed_bytes_min = 64u << 10;
constexpr std::size_t unsent_high = slab_bytes;  ///< Users are not read beyond it.
/// Read before what that gave to send goes out: the far end waits for its credit.
constexpr std::size_t turn_bytes_max = slab_bytes;
constexpr std::size_t control_unsent_max = 1u << 20;
constexpr std::uint32_t control_id = 1;
constexpr std::uint32_t id_max = 0x7fffffff;

}  // namespace

std::string address_of(const tcp::socket& socket) {
    boost::system::error_code error;
    const auto end = socket.remote_endpoint(error);
    if (error) return "unknown";
    const std::string host = end.address().to_string();
    const std::string port = ":" + std::to_string(end.port());
    return end.address().is_v6() ? "[" + host + "]" + port : host + port;
}

Error too_many_streams(const std::string& peer_address) {
    return {Errc::exhausted, "the link to " + peer_address +
                                 " has no room for another stream, the limit is " +
                                 std::to_string(streams_per_link_max)};
}

Instant boot_now() noexcept {
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return Instant{std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec)};
}

std::shared_ptr<Link> Link::make(tcp::socket socket, TlsIdentity identity, LinkOptions options) {
    if (options.loop != nullptr)
        return std::make_shared<RemoteLink>(*options.loop, std::move(socket), std::move(identity),
                                            std::move(options));
    return std::make_shared<LinkImpl>(std::move(socket), std::move(identity), std::move(options));
}

LinkImpl::LinkImpl(tcp::socket socket, TlsIdentity identity, LinkOptions options)
    : socket_(std::move(socket)),
      identity_(std::move(identity)),
      tls_(identity_, socket_.native_handle(), options.expected),
      options_(std::move(options)),
      peer_address_(address_of(socket_)),
      watch_(socket_.get_executor()),
      next_id_(identity_.side() == Side::agent ? 3 : 2),
      last_peer_id_(identity_.side() == Side::agent ? 0 : 1),
      timer_(socket_.get_executor()) {
    if (identity_.side() == Side::agent) {
        // The gateway is pinned: only the other direction is open to strangers.
        control_reader_.set_limit(control_bytes_max);
        decoder_.set_limit(data_bytes_max);
    }
}

void LinkImpl::start(LinkEvents events) {
    events_ = std::make_unique<LinkEvents>(std::move(events));
    boost::system::error_code ignored;
    socket_.native_non_blocking(true, ignored);
    socket_.set_option(tcp::no_delay(true), ignored);
    const int unsent = unsent_high;
    ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    started_ = boot_now();
    heard();
    plain_.resize(buffer_bytes);
    incoming_.resize(buffer_bytes);
    state_ = State::handshaking;
    watch_.start(self(), [this](const StreamWatch::Edge& edge) {
        const auto found = streams_.find(edge.stream);
        if (found == streams_.end()) return;
        const std::shared_ptr<StreamImpl> stream = found->second;
        stream->on_edge(edge);
    });
    arm_timer();
    asio::post(executor(), [me = self()] { me->on_readable(); });
}

void LinkImpl::admit(Duration ping_every, Duration dead_after, Duration proof_for) {
    if (state_ != State::open) return;
    admitted_ = true;
    options_.ping_every = ping_every;
    options_.dead_after = dead_after;
    options_.proof_for = proof_for;
    control_reader_.set_limit(control_bytes_max);
    decoder_.set_limit(data_bytes_max);
    proof_ = started_;
    if (ping_every > Duration::zero()) send_ping();
    arm_timer();
}

void LinkImpl::send(const ControlMessage& message) {
    if (state_ != State::open) return;
    const Bytes bytes = encode(message);
    control_unsent_.insert(control_unsent_.end(), bytes.begin(), bytes.end());
    if (control_unsent_.size() > control_unsent_max)
        return violated("the other side does not read its control messages");
    send_control();
}

void LinkImpl::send_control() {
    // The agent opens the control stream, with its first message; the gateway has to wait for it.
    if (identity_.side() == Side::gateway && !control_open_) return;
    std::size_t sent = 0;
    while (sent < control_unsent_.size() && control_send_.credit() > 0) {
        const std::size_t count = std::min<std::size_t>(
            {control_unsent_.size() - sent, control_send_.credit(), data_bytes_max_early});
        const std::uint16_t flags = control_open_ ? std::uint16_t{0} : flag::syn;
        control_open_ = true;
        control_send_.sent(static_cast<std::uint32_t>(count));
        put({FrameType::data, flags, control_id, static_cast<std::uint32_t>(count)},
            ByteView{control_unsent_}.subspan(sent, count));
        sent += count;
    }
    control_unsent_.erase(control_unsent_.begin(),
                          control_unsent_.begin() + static_cast<std::ptrdiff_t>(sent));
}

Result<std::shared_ptr<Stream>> LinkImpl::open(OpenRequest request) {
    if (state_ != State::open || !admitted_)
        return Error{Errc::closed, "the link to " + peer_address_ + " is not open"};
    if (streams_.size() >= streams_per_link_max || next_id_ > id_max)
        return too_many_streams(peer_address_);
    auto stream = std::make_shared<StreamImpl>(*this, next_id_, StreamImpl::Role::opener);
    streams_.emplace(next_id_, stream);
    next_id_ += 2;
    stream->begin(request);
    return std::shared_ptr<Stream>{std::move(stream)};
}

void LinkImpl::close(std::string why) { end(LinkClosed::Why::local, std::move(why)); }

void LinkImpl::reset_streams(const std::function<bool(const Stream&)>& keep, std::string why) {
    std::vector<std::shared_ptr<StreamImpl>> going;
    for (const auto& [id, stream] : streams_)
        if (!keep || !keep(*stream)) going.push_back(stream);
    for (const auto& stream : going) {
        std::erase(offers_, stream);
        stream->reset(why);
    }
}

Result<Bytes> LinkImpl::exporter(std::string_view label, std::size_t length) const {
    return tls_.exporter(label, length);
}

// --- input ---------------------------------------------------------------------------------------

void LinkImpl::arm_read() {
    if (read_armed_) return;
    read_armed_ = true;
    socket_.async_wait(tcp::socket::wait_read, [me = self()](boost::system::error_code error) {
        me->read_armed_ = false;
        if (!error) me->on_readable();
    });
}

void LinkImpl::on_readable() {
    if (state_ == State::handshaking) shake_hands();
    if (state_ == State::open) read_some();
}

void LinkImpl::shake_hands() {
    const Tls::Step step = tls_.handshake();
    // Also after a failure: the alert tells the other side why.
    const Tls::Step sent = tls_.flush();
    if (step == Tls::Step::failed)
        return end(tls_.wrong_key() ? LinkClosed::Why::wrong_key : LinkClosed::Why::handshake,
                   tls_.why());
    if (step == Tls::Step::ended)
        return end(LinkClosed::Why::handshake, "closed by the other side during the TLS handshake");
    if (sent == Tls::Step::failed) return end(LinkClosed::Why::lost, tls_.why());
    if (step == Tls::Step::blocked) return arm_read();
    state_ = State::open;
    started_ = boot_now();
    heard();
    if (events_ && events_->on_ready) events_->on_ready();
    schedule_flush();
}

void LinkImpl::read_some() {
    std::size_t budget = turn_bytes_max;
    while (state_ == State::open) {
        std::size_t count = 0;
        const Tls::Step step = tls_.read(std::span{incoming_}.first(slab_bytes), count);
        if (count > 0) {
            heard();
            take(ByteView{incoming_}.first(count));
            if (state_ != State::open || unread_) return;
        }
        switch (step) {
            case Tls::Step::blocked:
                return arm_read();
            case Tls::Step::ended:
                return end(LinkClosed::Why::lost, tls_.why());
            case Tls::Step::failed:
                return end(tls_.socket_failed() ? LinkClosed::Why::lost : LinkClosed::Why::protocol,
                           tls_.why());
            case Tls::Step::done:
                break;
        }
        if (count >= budget) {
            // Others get their turn; what is left sits in OpenSSL's buffer and wakes nobody.
            asio::post(executor(), [me = self()] { me->on_readable(); });
            return;
        }
        budget -= count;
    }
}

void LinkImpl::take(ByteView bytes) {
    // What is asked for by somebody who reads no answers is not answered any more.
    while (state_ == State::open && !unread_) {
        auto piece = decoder_.next(bytes);
        if (!piece) {
            hand_over();
            return violated(piece.error().message);
        }
        if (!piece->has_value()) break;
        on_piece(**piece);
    }
    hand_over();
}

void LinkImpl::on_piece(const FrameDecoder::Piece& piece) {
    if (piece.header.type != FrameType::data || piece.header.flags != 0 || !gathered_.stream ||
        piece.header.stream != gathered_.stream->id())
        hand_over();
    switch (piece.header.type) {
        case FrameType::ping:
            return on_ping(piece.header);
        case FrameType::goaway:
            return end(LinkClosed::Why::lost, "the other side goes away");
        case FrameType::data:
        case FrameType::window:
            break;
    }
    if (piece.header.stream == control_id) return on_control_piece(piece);
    if (identity_.side() == Side::gateway && !control_open_)
        return violated("the first frame has to open the control stream");
    on_stream_piece(piece);
}

void LinkImpl::on_control_piece(const FrameDecoder::Piece& piece) {
    const FrameHeader& header = piece.header;
    if (piece.begins) {
        const bool opens = header.has(flag::syn);
        if (opens == control_open_ || (opens && identity_.side() == Side::agent))
            return violated("the control stream was opened twice, or not at all");
        control_open_ = true;
        if (header.has(flag::fin) || header.has(flag::rst))
            return end(LinkClosed::Why::lost, "the other side ended the control stream");
        // As of any stream: a peer may count, and give up, those that wait for it.
        if (opens) put({FrameType::window, flag::ack, control_id, 0});
        if (header.type == FrameType::window) {
            if (!control_send_.granted(header.length))
                return violated("a window of more than 16 MiB was granted");
            return send_control();
        }
        if (!control_receive_.received(header.length))
            return violated("more control bytes than the window permits");
        if (opens) send_control();
    }
    const std::uint32_t grant = control_receive_.delivered(piece.payload.size(), {});
    if (grant != 0) put({FrameType::window, 0, control_id, grant});
    control_reader_.push(piece.payload);
    while (state_ == State::open) {
        auto message = control_reader_.next();
        if (!message) return violated(message.error().message);
        if (!message->has_value()) return;
        if (events_ && events_->on_control) events_->on_control(std::move(**message));
    }
}

void LinkImpl::on_syn(const FrameHeader& header) {
    const bool odd = header.stream % 2 == 1;
    if (odd != (identity_.side() == Side::gateway) || header.stream <= last_peer_id_)
        return violated("stream id " + std::to_string(header.stream) + " can not be opened");
    if (!admitted_) return violated("a stream before the welcome");
    last_peer_id_ = header.stream;
    if (streams_.size() < streams_per_link_max) {
        streams_.emplace(header.stream, std::make_shared<StreamImpl>(*this, header.stream,
                                                                     StreamImpl::Role::acceptor));
        return;
    }
    const Bytes status =
        encode(OpenStatus{StatusCode::limit, "too many streams, the limit is " +
                                                 std::to_string(streams_per_link_max)});
    put({FrameType::data, flag::ack | flag::fin, header.stream,
         static_cast<std::uint32_t>(status.size())},
        status);
}

void LinkImpl::on_stream_piece(const FrameDecoder::Piece& piece) {
    const FrameHeader& header = piece.header;
    if (piece.begins) {
        current_.reset();
        if (header.has(flag::syn)) on_syn(header);
        if (state_ != State::open) return;
        if (const auto found = streams_.find(header.stream); found != streams_.end()) {
            current_ = found->second;
        } else {
            // Late frames of a stream that ended here are normal, of one that never was are not.
            const bool mine = (header.stream % 2 == 1) == (identity_.side() == Side::agent);
            if (mine ? header.stream >= next_id_ : header.stream > last_peer_id_)
                return violated("a frame for stream " + std::to_string(header.stream) +
                                ", which was never opened");
            return;
        }
        if (header.type == FrameType::data) {
            if (!current_->announce(header.length))
                return violated("more bytes on stream " + std::to_string(header.stream) +
                                " than its window permits");
            if (!current_->brings_bulk()) options_.sparse->heard(last_heard());
        }
        if (header.type == FrameType::window) current_->on_credit(header.length);
    }
    if (!current_ || current_->ended()) return;
    const std::shared_ptr<StreamImpl> stream = current_;
    if (!piece.payload.empty()) gather(stream, piece.payload);
    if (!piece.ends || header.flags == 0) return;
    hand_over();
    if (state_ != State::open || stream->ended()) return;
    if (header.has(flag::rst))
        stream->on_rst();
    else if (header.has(flag::fin))
        stream->on_fin();
}

void LinkImpl::gather(const std::shared_ptr<StreamImpl>& stream, ByteView payload) {
    if (gathered_.count == gathered_.pieces.size()) hand_over();
    gathered_.stream = stream;
    gathered_.pieces[gathered_.count++] = payload;
}

void LinkImpl::hand_over() {
    if (gathered_.count == 0) return;
    const std::shared_ptr<StreamImpl> stream = std::exchange(gathered_.stream, nullptr);
    const std::size_t count = std::exchange(gathered_.count, 0);
    if (state_ == State::open) stream->on_payload(std::span{gathered_.pieces}.first(count));
    if (queued_ > link_queued_bytes_max || options_.budget->exceeded()) shed();
}

void LinkImpl::violated(std::string what) { end(LinkClosed::Why::protocol, std::move(what)); }

void LinkImpl::shed() {
    if (queued_ < shed_bytes_min) return;
    // Somebody has to go for all to stay within memory: the one who holds most of it.
    StreamImpl* greatest = nullptr;
    for (const auto& [id, stream] : streams_)
        if (greatest == nullptr || stream->waiting() > greatest->waiting()) greatest = stream.get();
    // Of a budget that others use up, somebody who holds next to nothing is not the one.
    if (greatest == nullptr || greatest->waiting() < shed_bytes_min) return;
    const std::shared_ptr<Stream> keeper = greatest->shared_from_this();
    greatest->reset("too many bytes wait for slow users of this link, this stream holds the most");
}

void LinkImpl::queued(std::ptrdiff_t bytes) {
    queued_ = static_cast<std::size_t>(static_cast<std::ptrdiff_t>(queued_) + bytes);
    if (bytes > 0)
        options_.budget->add(static_cast<std::size_t>(bytes));
    else
        options_.budget->remove(static_cast<std::size_t>(-bytes));
}

ReceiveWindow::Path LinkImpl::path() const {
    const Instant now = boot_now();
    return {now, round_trip_min_, options_.budget->has_room(), options_.sparse->is_quiet(now)};
}

void LinkImpl::forget(std::uint32_t id) { streams_.erase(id); }

// --- output --------------------------------------------------------------------------------------

void LinkImpl::put(const FrameHeader& header, ByteView payload) {
    if (state_ != State::open) return;
    if (plain_used_ + frame_header_bytes + payload.size() > slab_bytes) encrypt();
    const auto at = plain_.begin() + static_cast<std::ptrdiff_t>(plain_used_);
    encode(header, std::span<std::uint8_t, frame_header_bytes>(at, frame_header_bytes));
    std::copy(payload.begin(), payload.end(), at + frame_header_bytes);
    plain_used_ += frame_header_bytes + payload.size();
    schedule_flush();
}

bool LinkImpl::watch(const StreamImpl& stream, int socket) {
    return watch_.add(socket, stream.id());
}

void LinkImpl::ready(std::shared_ptr<StreamImpl> stream) {
    ready_.push(std::move(stream));
    schedule_flush();
}

void LinkImpl::pump() {
    while (!ready_.empty() && state_ == State::open && unsent() < unsent_high) {
        if (slab_bytes - plain_used_ < frame_header_bytes + chunk_bytes_min) encrypt();
        const std::shared_ptr<StreamImpl> stream = ready_.pop();
        const std::size_t at = plain_used_ + frame_header_bytes;
        const std::size_t turn = ready_.turn_bytes(*stream, slab_bytes);
        std::size_t count = 0;
        const auto found =
            stream->fill(std::span{plain_}.subspan(at, std::min(slab_bytes - at, turn)), count);
        if (count > 0) {
            encode(
                {FrameType::data, 0, stream->id(), static_cast<std::uint32_t>(count)},
                std::span<std::uint8_t, frame_header_bytes>(
                    plain_.begin() + static_cast<std::ptrdiff_t>(plain_used_), frame_header_bytes));
            plain_used_ = at + count;
        }
        ready_.served(*stream, count);
        if (found == StreamImpl::Fill::more) ready_.push(stream);
    }
}

void LinkImpl::encrypt() {
    if (plain_used_ == 0) return;
    const auto step = tls_.write(ByteView{plain_}.first(plain_used_));
    plain_used_ = 0;
    if (step != Tls::Step::done) return end(LinkClosed::Why::lost, tls_.why());
    // Also while nothing can be sent: what it asks for is answered without any user being read. Not
    // at once: streams are in the middle of something.
    if (tls_.unsent() <= link_unsent_bytes_max || std::exchange(unread_, true)) return;
    asio::post(executor(),
               [me = self()] { me->violated("the other side does not read what it is sent"); });
}

void LinkImpl::schedule_flush() {
    if (flush_scheduled_ || write_armed_ || state_ != State::open) return;
    flush_scheduled_ = true;
    asio::post(executor(), [me = self()] {
        me->flush_scheduled_ = false;
        me->flush();
    });
}

void LinkImpl::flush() {
    if (state_ != State::open) return;
    pump();
    encrypt();
    if (state_ != State::open) return;
    const Tls::Step step = tls_.flush();
    figures_->unsent = unsent();
    if (step == Tls::Step::failed) {
        // What the other side said last is worth more than the error of writing to it.
        const std::string why = tls_.why();
        read_some();
        return end(LinkClosed::Why::lost, why);
    }
    if (step == Tls::Step::done) {
        if (!ready_.empty()) schedule_flush();
        return;
    }
    if (unsent() > link_unsent_bytes_max)
        return violated("the other side does not read what it is sent");
    write_armed_ = true;
    socket_.async_wait(tcp::socket::wait_write, [me = self()](boost::system::error_code error) {
        me->write_armed_ = false;
        if (!error) me->flush();
    });
}

}  // namespace umbra::gateway
