#pragma once

#include "ready_streams.hpp"
#include "stream_impl.hpp"
#include "stream_watch.hpp"
#include "tls.hpp"
#include <umbra/gateway/frame.hpp>
#include <umbra/gateway/link.hpp>
#include <umbra/gateway/window.hpp>

#include <boost/asio/steady_timer.hpp>

#include <array>
#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace umbra::gateway {

/// What other threads may read of a link; its own thread writes it.
struct LinkFigures {
    std::atomic<Instant> last_heard{};
    std::atomic<Duration> round_trip{};
    std::atomic<std::size_t> unsent{0};
};

/// "host:port" of the other end; "unknown" when it is gone already.
[[nodiscard]] std::string address_of(const boost::asio::ip::tcp::socket& socket);
[[nodiscard]] Error too_many_streams(const std::string& peer_address);

/// See `Link`. What a turn of the loop produces is framed into one slab of plaintext, encrypted
/// when the slab is full or the turn ends, and sent at once.
class LinkImpl final : public Link {
public:
    LinkImpl(boost::asio::ip::tcp::socket socket, TlsIdentity identity, LinkOptions options);

    void start(LinkEvents events) override;
    void admit(Duration ping_every, Duration dead_after, Duration proof_for) override;
    void send(const ControlMessage& message) override;
    Result<std::shared_ptr<Stream>> open(OpenRequest request) override;
    void close(std::string why) override;
    void reset_streams(const std::function<bool(const Stream&)>& keep, std::string why) override;

    const std::string& peer_pin() const noexcept override { return tls_.peer_pin(); }
    const std::string& own_pin() const noexcept override { return identity_.pin(); }
    int minor() const noexcept override { return tls_.minor(); }
    const std::string& peer_address() const noexcept override { return peer_address_; }
    Result<Bytes> exporter(std::string_view label, std::size_t length) const override;
    Instant last_heard() const noexcept override { return figures_->last_heard; }
    Duration round_trip() const noexcept override { return figures_->round_trip; }
    std::size_t streams() const noexcept override { return streams_.size(); }
    std::size_t unsent() const noexcept override { return plain_used_ + tls_.unsent(); }
    bool is_open() const noexcept override { return state_ == State::open; }
    [[nodiscard]] std::shared_ptr<const LinkFigures> figures() const noexcept { return figures_; }

    // --- for the streams of this link ------------------------------------------------------------

    /// Queues a frame; sent at the end of this turn.
    void put(const FrameHeader& header, ByteView payload = {});
    /// Tells the stream of edges of its user's socket. @return false with errno.
    [[nodiscard]] bool watch(const StreamImpl& stream, int socket);
    /// The stream has bytes to read from its user; it will be asked for them when there is room.
    void ready(std::shared_ptr<StreamImpl> stream);
    /// False while what arrived has to wait for a proof that it is not outdated.
    [[nodiscard]] bool may_deliver();
    /// Accounts for received bytes that wait for a user, or no longer do.
    void queued(std::ptrdiff_t bytes);
    /// For the window of a stream that delivers now.
    [[nodiscard]] ReceiveWindow::Path path() const;
    /// The stream has ended and is forgotten.
    void forget(std::uint32_t id);
    void offer(std::shared_ptr<StreamImpl> stream);
    /// The peer broke a rule.
    void violated(std::string what);
    [[nodiscard]] boost::asio::any_io_executor executor() { return socket_.get_executor(); }

private:
    enum class State { idle, handshaking, open, closed };
    struct Ping {
        std::uint32_t nonce;
        Instant sent;
    };

    std::shared_ptr<LinkImpl> self() {
        return std::static_pointer_cast<LinkImpl>(shared_from_this());
    }
    void arm_read();
    void on_readable();
    void shake_hands();
    void read_some();
    void take(ByteView bytes);
    void on_piece(const FrameDecoder::Piece& piece);
    void on_control_piece(const FrameDecoder::Piece& piece);
    void on_stream_piece(const FrameDecoder::Piece& piece);
    void gather(const std::shared_ptr<StreamImpl>& stream, ByteView payload);
    void hand_over();
    void on_syn(const FrameHeader& header);
    void on_ping(const FrameHeader& header);
    void pump();
    void send_control();
    void encrypt();
    void flush();
    void schedule_flush();
    void arm_timer();
    void on_timer();
    void send_ping();
    [[nodiscard]] Duration ping_interval() const;
    void prove(Instant sent);
    void heard() { figures_->last_heard = boot_now(); }
    void shed();
    void end(LinkClosed::Why why, std::string text);
    void linger();

    boost::asio::ip::tcp::socket socket_;
    const TlsIdentity identity_;
    Tls tls_;
    LinkOptions options_;
    /// Until it ends. What they hold may hold this link, so they go with the last of them.
    std::unique_ptr<LinkEvents> events_;
    State state_ = State::idle;
    bool admitted_ = false;
    std::string peer_address_;
    const std::shared_ptr<LinkFigures> figures_ = std::make_shared<LinkFigures>();

    FrameDecoder decoder_;
    Bytes incoming_;
    bool read_armed_ = false;

    // Control stream.
    bool control_open_ = false;
    ControlReader control_reader_;
    SendWindow control_send_;
    ReceiveWindow control_receive_;
    Bytes control_unsent_;  ///< Waits for credit.

    // Streams.
    std::unordered_map<std::uint32_t, std::shared_ptr<StreamImpl>> streams_;
    StreamWatch watch_;
    std::uint32_t next_id_;
    std::uint32_t last_peer_id_;
    std::size_t queued_ = 0;
    ReadyStreams ready_;
    std::vector<std::shared_ptr<StreamImpl>> offers_;  ///< Wait for `may_deliver()`.
    std::shared_ptr<StreamImpl> current_;              ///< Whose payload the decoder is in.
    /// Payload of one stream in `incoming_`, to be handed over with one system call.
    struct {
        std::shared_ptr<StreamImpl> stream;
        std::array<ByteView, pieces_max> pieces;
        std::size_t count = 0;
    } gathered_;

    // Output.
    Bytes plain_;
    std::size_t plain_used_ = 0;
    bool flush_scheduled_ = false;
    bool unread_ = false;  ///< The peer is closed for it in a moment.
    bool write_armed_ = false;

    // Liveness.
    boost::asio::steady_timer timer_;
    Instant started_{};
    Instant last_ping_{};
    Instant proof_{};
    bool held_ = false;
    std::deque<Ping> pings_;
    std::uint32_t next_nonce_ = 1;
    Duration round_trip_min_{};
    std::size_t peer_pings_ = 0;  ///< Since `peer_pings_since_`.
    Instant peer_pings_since_{};
};

}  // namespace umbra::gateway
