#include "http_relay.hpp"

#include "http_conversation.hpp"

#include <boost/asio/co_spawn.hpp>

namespace umbra::gateway {

namespace asio = boost::asio;
using asio::awaitable;

namespace {

class HttpRelay final : public Relay, public std::enable_shared_from_this<HttpRelay> {
public:
    explicit HttpRelay(HttpRelaySettings settings)
        : over_(std::move(settings.over)),
          conversation_(std::make_shared<HttpConversation>(std::move(settings))) {}

    void start() {
        asio::co_spawn(
            conversation_->settings.io,
            [me = shared_from_this()] { return me->conversation_->serve(); },
            [me = shared_from_this()](std::exception_ptr failed, std::string fault) {
                me->end(failed ? "internal error" : std::move(fault));
            });
    }
    void abort() override {
        end("cut");
        conversation_->settings.client->close(false);
    }
    bool still_permitted() override { return conversation_->still_permitted(); }

private:
    void end(std::string why) {
        if (!over_) return;
        const bool in_order = why.empty();
        std::exchange(over_, nullptr)(std::move(why));
        conversation_->close(in_order);
        if (in_order) conversation_->settings.client->close(true);
    }

    Over over_;
    std::shared_ptr<HttpConversation> conversation_;
};

}  // namespace

std::shared_ptr<Relay> start_http_relay(HttpRelaySettings settings) {
    auto relay = std::make_shared<HttpRelay>(std::move(settings));
    relay->start();
    return relay;
}

}  // namespace umbra::gateway
