#pragma once

#include "stream_impl.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <atomic>
#include <memory>
#include <string>

namespace umbra::gateway {

/// A stream of a `RemoteLink`: called and told at home, while its bytes are moved there.
class RemoteStream final : public Stream {
public:
    RemoteStream(boost::asio::any_io_executor home, boost::asio::any_io_executor there,
                 OpenRequest request)
        : home_(std::move(home)), there_(std::move(there)), request_(std::move(request)) {}

    /// Is one of `streams` until it has ended.
    void count_in(std::shared_ptr<std::size_t> streams);

    void listen(Events events) override { events_ = std::move(events); }
    void attach(boost::asio::ip::tcp::socket socket) override;
    void refuse(StatusCode code, std::string text) override;
    void reset(std::string why) override;

    std::uint32_t id() const noexcept override { return seen_ ? seen_.load()->id() : 0; }
    std::uint64_t epoch() const noexcept override { return request_.epoch; }
    const OpenRequest& request() const noexcept override { return request_; }
    std::uint64_t bytes_in() const noexcept override {
        return seen_ ? seen_.load()->bytes_in() : 0;
    }
    std::uint64_t bytes_out() const noexcept override {
        return seen_ ? seen_.load()->bytes_out() : 0;
    }

    // --- there -----------------------------------------------------------------------------------

    /// Follows `inner` from now on. Once.
    void follow(std::shared_ptr<StreamImpl> inner);
    /// Opener: there is no stream to follow.
    void fail(StreamEnd end, std::string why);

private:
    std::shared_ptr<RemoteStream> self() {
        return std::static_pointer_cast<RemoteStream>(shared_from_this());
    }
    template <class Work>
    void there(Work work);
    void on_status(const OpenStatus& status);
    void on_closed(StreamEnd end, const std::string& why);

    const boost::asio::any_io_executor home_, there_;
    const OpenRequest request_;
    Events events_;
    std::shared_ptr<std::size_t> counted_in_;
    bool ended_ = false;
    std::shared_ptr<StreamImpl> inner_;             ///< There only,
    std::atomic<const StreamImpl*> seen_{nullptr};  ///< but for what may be read anywhere.
};

}  // namespace umbra::gateway
