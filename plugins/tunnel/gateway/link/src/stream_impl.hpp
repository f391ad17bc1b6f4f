#pragma once

#include "byte_queue.hpp"
#include "stream_watch.hpp"
#include "user_socket.hpp"
#include <umbra/gateway/frame.hpp>
#include <umbra/gateway/link.hpp>
#include <umbra/gateway/window.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace umbra::gateway {

class LinkImpl;

/// See `Stream`. Owns no buffer unless its user is slower than the link.
class StreamImpl final : public Stream {
public:
    enum class Role { opener, acceptor };

    StreamImpl(LinkImpl& link, std::uint32_t id, Role role);

    void listen(Events events) override;
    void attach(boost::asio::ip::tcp::socket socket) override {
        attach(UserSocket(std::move(socket)));
    }
    void attach(UserSocket socket);
    void refuse(StatusCode code, std::string text) override;
    void reset(std::string why) override;

    std::uint32_t id() const noexcept override { return id_; }
    std::uint64_t epoch() const noexcept override { return epoch_; }
    const OpenRequest& request() const noexcept override;
    std::uint64_t bytes_in() const noexcept override { return bytes_in_; }
    std::uint64_t bytes_out() const noexcept override { return bytes_out_; }

    // --- for the link ----------------------------------------------------------------------------

    /// Opener: sends OPEN.
    void begin(const OpenRequest& request);
    /// A DATA frame begins. @return false when it is more than the window permits.
    [[nodiscard]] bool announce(std::size_t bytes);
    /// Its sender fills frames, or did among the last few.
    [[nodiscard]] bool brings_bulk() const noexcept { return small_frames_ < small_frames_max; }
    /// Bytes that lie in several places, at most `pieces_max`.
    void on_payload(std::span<const ByteView> pieces);
    void on_credit(std::uint32_t bytes);
    void on_fin();
    void on_rst();
    void on_edge(const StreamWatch::Edge& edge);
    void on_link_lost(const std::string& why) { finish(StreamEnd::link_lost, why); }
    /// Hands over what waits, when that is permitted again.
    void deliver_waiting();

    /// What `fill` found.
    enum class Fill { more, later, over };
    /// Reads from the user into `room`, at most what the far side gave credit for.
    /// `later`: the stream calls `LinkImpl::ready` by itself. `over`: no more bytes will come.
    [[nodiscard]] Fill fill(std::span<std::uint8_t> room, std::size_t& count);

    [[nodiscard]] std::size_t waiting() const noexcept { return received_.size(); }
    /// It filled its last turn: streams that send little go first.
    /// Whether it stands in line for its turn; to be kept by the line.
    [[nodiscard]] bool is_queued() const noexcept { return queued_; }
    void set_queued(bool queued) noexcept { queued_ = queued; }
    [[nodiscard]] bool is_bulk() const noexcept { return bulk_; }
    void set_bulk(bool bulk) noexcept { bulk_ = bulk; }
    [[nodiscard]] bool ended() const noexcept { return ended_; }

private:
    std::shared_ptr<StreamImpl> self() {
        return std::static_pointer_cast<StreamImpl>(shared_from_this());
    }
    void take_preamble();
    void keep(ByteView bytes);
    void drop(std::size_t bytes);
    void credit(std::size_t bytes);
    void drain();
    void send_reset();
    void close_if_over();
    void finish(StreamEnd end, const std::string& why);

    LinkImpl* link_;  ///< Null once ended.
    const std::uint32_t id_;
    const Role role_;
    std::uint64_t epoch_ = 0;
    std::unique_ptr<const OpenRequest> request_;  ///< Acceptor.
    /// What is told once, early, and not kept by the thousands that live long.
    std::unique_ptr<decltype(Events::on_status)> on_status_;
    decltype(Events::on_closed) on_closed_;
    UserSocket socket_;
    SendWindow send_;
    ReceiveWindow receive_;
    ByteQueue received_;  ///< Not yet taken by the user; before the preamble: that.
    std::atomic<std::uint64_t> bytes_in_ = 0;  ///< Read by other threads.
    std::atomic<std::uint64_t> bytes_out_ = 0;
    static constexpr std::uint8_t small_frames_max = 8;
    std::uint8_t small_frames_ = small_frames_max;  ///< Received since the last large one.
    bool preamble_done_ = false;
    bool bulk_ = false;
    bool queued_ = false;
    bool write_blocked_ = false;  ///< The user's socket takes no more for now.
    bool user_ended_ = false;     ///< No more edges will tell of bytes to read.
    bool wants_credit_ = false;
    bool fin_sent_ = false;
    bool fin_received_ = false;
    bool fin_delivered_ = false;
    bool ended_ = false;
};

}  // namespace umbra::gateway
