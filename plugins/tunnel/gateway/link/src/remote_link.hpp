#pragma once

#include "link_impl.hpp"
#include <umbra/gateway/loops.hpp>

#include <boost/asio/executor_work_guard.hpp>

#include <atomic>
#include <memory>
#include <string>

namespace umbra::gateway {

/// A link whose bytes are moved on another thread's loop. Everything here is called and told on the
/// owner's loop ("home"); `LinkImpl` lives on the other one ("there"), which never waits for home.
///
/// What fences (`close`, `reset_streams`) returns when it is done there, so that whoever calls it
/// may rely on it as with a link of his own loop.
class RemoteLink final : public Link {
public:
    RemoteLink(Loop& loop, boost::asio::ip::tcp::socket socket, TlsIdentity identity,
               LinkOptions options);

    void start(LinkEvents events) override;
    void admit(Duration ping_every, Duration dead_after, Duration proof_for) override;
    void send(const ControlMessage& message) override;
    Result<std::shared_ptr<Stream>> open(OpenRequest request) override;
    void close(std::string why) override;
    void reset_streams(const std::function<bool(const Stream&)>& keep, std::string why) override;

    const std::string& peer_pin() const noexcept override { return peer_pin_; }
    const std::string& own_pin() const noexcept override { return own_pin_; }
    int minor() const noexcept override { return minor_; }
    const std::string& peer_address() const noexcept override { return peer_address_; }
    Result<Bytes> exporter(std::string_view label, std::size_t length) const override;
    Instant last_heard() const noexcept override { return figures_->last_heard; }
    Duration round_trip() const noexcept override { return figures_->round_trip; }
    std::size_t streams() const noexcept override { return *streams_; }
    std::size_t unsent() const noexcept override { return figures_->unsent; }
    bool is_open() const noexcept override { return ready_ && !closed_; }

private:
    std::shared_ptr<RemoteLink> self() {
        return std::static_pointer_cast<RemoteLink>(shared_from_this());
    }
    [[nodiscard]] LinkEvents events_there();
    /// Runs `work(link)` there, later; at home `work(this)`.
    template <class Work>
    void there(Work work);
    template <class Work>
    void home(Work work);

    Loop& loop_;
    const std::shared_ptr<void> use_;
    boost::asio::any_io_executor home_;
    /// Home has something to do as long as the link may tell it something.
    boost::asio::executor_work_guard<boost::asio::any_io_executor> awaited_;
    const std::string peer_address_;
    const std::string own_pin_;
    const std::shared_ptr<LinkImpl> inner_;  ///< Used there only, but for `figures_`.
    const std::shared_ptr<const LinkFigures> figures_;
    const std::shared_ptr<std::size_t> streams_ = std::make_shared<std::size_t>();
    LinkEvents events_;
    std::string peer_pin_;
    int minor_ = 0;
    bool ready_ = false;
    bool closed_ = false;  ///< Nothing more is sent there.
};

}  // namespace umbra::gateway
