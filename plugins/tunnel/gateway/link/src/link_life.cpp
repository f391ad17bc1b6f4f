// The part of a link that judges whether the other side lives, and ends it.
#include "link_impl.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <cerrno>
#include <sys/socket.h>

namespace umbra::gateway {

namespace asio = boost::asio;
using asio::ip::tcp;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t pings_open_max = 16;
constexpr std::size_t peer_pings_per_second_max = 200;
constexpr Duration linger_time = 500ms;
/// An end that needs no proof hears the pings of the other; its own tell it the round trip.
constexpr Duration round_trip_every = 1s;
constexpr std::size_t linger_bytes_per_turn = 256u << 10;

}  // namespace

Duration LinkImpl::ping_interval() const {
    if (options_.proof_for > Duration::zero()) return options_.ping_every;
    Duration often = round_trip_every;
    if (options_.dead_after > Duration::zero()) often = std::min(often, options_.dead_after / 4);
    return std::max(options_.ping_every, often);
}

void LinkImpl::arm_timer() {
    if (state_ == State::closed) return;
    Duration wait = started_ + admission_limit - boot_now();
    if (admitted_) {
        if (options_.ping_every == Duration::zero()) {
            timer_.cancel();
            return;
        }
        wait = last_ping_ + ping_interval() - boot_now();
        if (options_.dead_after > Duration::zero())
            wait = std::min(wait, last_heard() + options_.dead_after + 1ms - boot_now());
    }
    timer_.expires_after(std::max<Duration>(wait, 1ms));
    timer_.async_wait([me = self()](boost::system::error_code error) {
        if (!error) me->on_timer();
    });
}

void LinkImpl::on_timer() {
    if (state_ == State::closed) return;
    if (!admitted_) {
        if (boot_now() - started_ >= admission_limit)
            return end(
                state_ == State::handshaking ? LinkClosed::Why::handshake : LinkClosed::Why::silent,
                "the other side did not introduce itself in time");
        return arm_timer();
    }
    const auto silent = [this] {
        return options_.dead_after > Duration::zero() &&
               boot_now() - last_heard() > options_.dead_after;
    };
    // When this process itself was late, an answer may be waiting in the kernel.
    if (silent()) {
        std::size_t count = 0;
        const Tls::Step step = tls_.read(incoming_, count);
        if (count > 0) {
            heard();
            take(ByteView{incoming_}.first(count));
        }
        if (state_ != State::open) return;
        if (step == Tls::Step::ended || step == Tls::Step::failed)
            return end(LinkClosed::Why::lost, tls_.why());
        // A full slab may leave bytes in OpenSSL's buffer that wake nobody.
        asio::post(executor(), [me = self()] { me->on_readable(); });
    }
    if (silent())
        return end(
            LinkClosed::Why::silent,
            "nothing was heard for " + std::to_string((boot_now() - last_heard()) / 1ms) + " ms");
    if (boot_now() - last_ping_ >= ping_interval()) send_ping();
    arm_timer();
}

void LinkImpl::send_ping() {
    last_ping_ = boot_now();
    if (pings_.size() >= pings_open_max) pings_.pop_front();
    pings_.push_back({next_nonce_, last_ping_});
    put({FrameType::ping, flag::syn, 0, next_nonce_++});
}

void LinkImpl::on_ping(const FrameHeader& header) {
    const Instant now = boot_now();
    if (!header.has(flag::ack)) {
        if (now - peer_pings_since_ > 1s) {
            peer_pings_since_ = now;
            peer_pings_ = 0;
        }
        if (++peer_pings_ > peer_pings_per_second_max) return violated("too many pings");
        return put({FrameType::ping, flag::ack, 0, header.length});
    }
    while (!pings_.empty()) {
        const Ping ping = pings_.front();
        pings_.pop_front();
        if (ping.nonce != header.length) continue;
        const Duration round_trip = now - ping.sent;
        figures_->round_trip = round_trip;
        if (round_trip_min_ == Duration::zero() || round_trip < round_trip_min_)
            round_trip_min_ = round_trip;
        return prove(ping.sent);
    }
}

bool LinkImpl::may_deliver() {
    if (options_.proof_for == Duration::zero() || !admitted_) return true;
    if (held_) return false;
    if (boot_now() - proof_ <= options_.proof_for) return true;
    held_ = true;
    send_ping();
    return false;
}

void LinkImpl::prove(Instant sent) {
    proof_ = std::max(proof_, sent);
    if (!held_ || boot_now() - proof_ > options_.proof_for) return;
    held_ = false;
    std::vector<std::shared_ptr<StreamImpl>> waiting;
    for (const auto& [id, stream] : streams_) waiting.push_back(stream);
    for (const auto& stream : waiting) stream->deliver_waiting();
    const auto offers = std::move(offers_);
    offers_.clear();
    for (const auto& stream : offers) offer(stream);
}

void LinkImpl::offer(std::shared_ptr<StreamImpl> stream) {
    if (!may_deliver()) return offers_.push_back(std::move(stream));
    if (state_ != State::open || stream->ended()) return;
    if (events_ && events_->on_open) events_->on_open(std::move(stream));
}

// --- the end -------------------------------------------------------------------------------------

void LinkImpl::end(LinkClosed::Why why, std::string text) {
    if (state_ == State::closed) return;
    const bool polite = why == LinkClosed::Why::local && state_ == State::open;
    if (polite) {
        if (plain_used_ > 0 && tls_.write(ByteView{plain_}.first(plain_used_)) == Tls::Step::done)
            plain_used_ = 0;
        tls_.finish();
        (void)tls_.flush();
    }
    const bool started = state_ != State::idle;
    state_ = State::closed;
    timer_.cancel();
    watch_.stop();
    const auto streams = std::move(streams_);
    streams_.clear();
    figures_->unsent = 0;
    for (const auto& [id, stream] : streams) stream->on_link_lost(text);
    ready_.clear();
    offers_.clear();
    current_.reset();
    boost::system::error_code ignored;
    if (polite) {
        linger();
    } else {
        socket_.close(ignored);
    }
    if (!started) return;
    // One of them may be on the stack now, so they live until the next turn; they do not stay here,
    // where a loop that stops before it would leave them for ever.
    asio::post(executor(), [me = self(), events = std::move(events_),
                            closed = LinkClosed{why, std::move(text), last_heard()}] {
        if (events->on_closed) events->on_closed(closed);
    });
}

/// Closing a socket with unread bytes resets it, and the reset can destroy the last words that are
/// on their way. So the input is read and dropped for a moment.
void LinkImpl::linger() {
    boost::system::error_code ignored;
    socket_.cancel(ignored);
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    timer_.expires_after(linger_time);
    timer_.async_wait([me = self()](boost::system::error_code error) {
        boost::system::error_code unused;
        if (!error) me->socket_.close(unused);
    });
    struct Dropper {
        std::shared_ptr<LinkImpl> me;
        void operator()(boost::system::error_code error) {
            if (error) return;
            ssize_t got = 0;
            for (std::size_t dropped = 0; dropped < linger_bytes_per_turn;
                 dropped += me->incoming_.size()) {
                got = ::recv(me->socket_.native_handle(), me->incoming_.data(),
                             me->incoming_.size(), MSG_DONTWAIT);
                if (got <= 0) break;
            }
            if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) {
                me->socket_.async_wait(tcp::socket::wait_read, Dropper{me});
                return;
            }
            boost::system::error_code unused;
            me->timer_.cancel();
            me->socket_.close(unused);
        }
    };
    socket_.async_wait(tcp::socket::wait_read, Dropper{self()});
}

}  // namespace umbra::gateway
