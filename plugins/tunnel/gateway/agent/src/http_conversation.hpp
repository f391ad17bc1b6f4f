#pragma once

#include "http_body.hpp"
#include "http_head.hpp"
#include "http_relay.hpp"
#include "waiting.hpp"

#include <boost/asio/awaitable.hpp>

#include <memory>
#include <optional>
#include <string>

namespace umbra::gateway {

/// The requests of one client's connection, in their order. Belongs to the loop's thread; shared by
/// the coroutines that carry it.
class HttpConversation : public std::enable_shared_from_this<HttpConversation> {
public:
    explicit HttpConversation(HttpRelaySettings settings);

    /// Until the client's connection is over. @return why it is to be reset; empty: in order.
    [[nodiscard]] boost::asio::awaitable<std::string> serve();
    /// What is under way would be permitted today.
    [[nodiscard]] bool still_permitted() const;
    /// Lets go of the backend, now. The client's end is the relay's business.
    void close(bool in_order);

    HttpRelaySettings settings;

private:
    /// What became of an attempt to read a head.
    struct Head {
        std::size_t length = 0;  ///< 0: see the others.
        bool ended = false;      ///< The other side ended before the first byte of one.
        bool too_long = false;
        std::string fault{};
    };
    /// What becomes of the client's connection after an exchange.
    enum class After { next, close, reset };
    struct Exchange {
        HttpRequest request;
        std::shared_ptr<const Mapping> mapping;
        std::string fault{};  ///< After::reset: why.
    };
    /// The body of a request on its way, beside the answer.
    struct Upload {
        explicit Upload(boost::asio::io_context& io) : over(io) {}
        Announcement over;
        bool whole = false;    ///< All of it was passed on.
        bool dropped = false;  ///< The answer is complete: what still comes goes nowhere.
        std::string fault{};   ///< Of the client, for the log.
        bool malformed = false;
    };

    boost::asio::awaitable<Head> read_head(Duplex& from, std::string& inbox, std::size_t limit);
    boost::asio::awaitable<Head> read_request_head();
    boost::asio::awaitable<After> handle(std::size_t head_length, std::string& fault);
    boost::asio::awaitable<After> pass_on(Exchange& exchange);
    boost::asio::awaitable<std::optional<Error>> connect(const Exchange& exchange);
    boost::asio::awaitable<After> transfer(Exchange& exchange, bool& gone);
    boost::asio::awaitable<After> answer_of_backend(Exchange& exchange, Upload& upload, bool& gone);
    boost::asio::awaitable<After> no_answer(Exchange& exchange, const Head& head,
                                            const Upload& upload);
    boost::asio::awaitable<After> pass_body_down(Exchange& exchange, const HttpResponse& response);
    void start_upload(BodyFraming framing);
    boost::asio::awaitable<void> upload_body(BodyFraming framing, std::shared_ptr<Upload> upload,
                                             std::shared_ptr<Duplex> backend);
    boost::asio::awaitable<After> settle_upload(After after);
    boost::asio::awaitable<After> tunnel(Exchange& exchange);
    boost::asio::awaitable<After> answer(const HttpRequest* request, int status, std::string text,
                                         bool may_stay, std::string& fault);
    boost::asio::awaitable<After> bad_gateway(Exchange& exchange, std::string log);
    boost::asio::awaitable<void> drop_rest();
    void drop_backend();

    std::string client_in_, backend_in_;  ///< Read, not yet used.
    std::shared_ptr<Duplex> backend_;
    Endpoint backend_at_;
    std::shared_ptr<const Mapping> backend_mapping_;  ///< For which it was dialed.
    bool backend_used_ = false;                       ///< It has answered before.
    std::shared_ptr<Upload> upload_;  ///< Of the exchange under way; null: it has no body.
    std::shared_ptr<BackendDial> dial_;
    std::shared_ptr<Announcement> dialed_;
    boost::asio::steady_timer deadline_;
    bool expired_ = false;
    const HttpRequest* under_way_ = nullptr;
    bool closed_ = false;
};

}  // namespace umbra::gateway
