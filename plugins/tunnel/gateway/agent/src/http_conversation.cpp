#include "http_conversation.hpp"

#include "http_rules.hpp"

#include <boost/asio/co_spawn.hpp>

#include <array>

namespace umbra::gateway {

namespace asio = boost::asio;
using asio::awaitable;

namespace {

constexpr std::size_t piece_bytes = 16384;
constexpr int interim_answers_max = 16;

/// Asking once more can do no harm.
bool may_repeat(const HttpRequest& request) {
    return request.body.kind == BodyFraming::Kind::none && !request.upgrade &&
           (request.method == "GET" || request.method == "HEAD" || request.method == "OPTIONS");
}

}  // namespace

HttpConversation::HttpConversation(HttpRelaySettings s)
    : settings(std::move(s)), deadline_(settings.io) {}

bool HttpConversation::still_permitted() const {
    if (under_way_ == nullptr) return true;
    const auto mapping = settings.mapping();
    return mapping && permitting(*mapping, under_way_->method, under_way_->path(),
                                 under_way_->upgrade) != nullptr;
}

void HttpConversation::close(bool in_order) {
    closed_ = true;
    deadline_.cancel();
    if (backend_) backend_->close(in_order);
    if (auto dial = std::exchange(dial_, nullptr)) dial->cancel();
    if (dialed_) dialed_->make();
}

awaitable<std::string> HttpConversation::serve() {
    const auto keep = shared_from_this();
    for (;;) {
        const Head head = co_await read_request_head();
        if (head.ended || expired_) co_return std::string{};
        if (!head.fault.empty()) co_return "from the client: " + head.fault;
        std::string fault;
        After after = After::close;
        if (head.too_long) {
            settings.on_denied("a request with a head that is too long was refused");
            after = co_await answer(nullptr, 431, "the request head is too long", false, fault);
        } else {
            after = co_await handle(head.length, fault);
        }
        if (closed_) co_return std::string{"cut"};
        if (after == After::reset) co_return fault;
        if (after == After::close) break;
    }
    co_await drop_rest();
    co_return std::string{};
}

// --- reading ---------------------------------------------------------------------------------

awaitable<HttpConversation::Head> HttpConversation::read_head(Duplex& from, std::string& inbox,
                                                              std::size_t limit) {
    std::array<char, piece_bytes> room;
    std::size_t searched = 0;
    for (;;) {
        const auto length = head_length(inbox, searched);
        if (length && *length <= limit) co_return Head{.length = *length};
        if (length || inbox.size() > limit) co_return Head{.too_long = true};
        searched = inbox.size();
        const Duplex::Read got = co_await from.read(room);
        if (!got.fault.empty()) co_return Head{.fault = got.fault};
        if (got.count == 0) {
            if (inbox.empty()) co_return Head{.ended = true};
            co_return Head{.fault = "it ended in the middle of a head"};
        }
        inbox.append(room.data(), got.count);
    }
}

/// Idle connections may stay longer than a head may take.
awaitable<HttpConversation::Head> HttpConversation::read_request_head() {
    std::array<char, piece_bytes> room;
    if (client_in_.empty()) {
        const Deadline deadline(deadline_, http_idle_limit, *settings.client, expired_);
        const Duplex::Read got = co_await settings.client->read(room);
        if (!got.fault.empty()) co_return Head{.fault = got.fault};
        if (got.count == 0) co_return Head{.ended = true};
        client_in_.append(room.data(), got.count);
    }
    const Deadline deadline(deadline_, request_head_limit, *settings.client, expired_);
    co_return co_await read_head(*settings.client, client_in_, request_head_bytes_max);
}

// --- one request -----------------------------------------------------------------------------

awaitable<HttpConversation::After> HttpConversation::handle(std::size_t head_length,
                                                            std::string& fault) {
    auto parsed = parse_request(std::string_view(client_in_).substr(0, head_length));
    client_in_.erase(0, head_length);
    if (const auto* wrong = std::get_if<HttpFault>(&parsed)) {
        settings.on_denied("a request with " + wrong->text + " was refused");
        std::string text = "the request was refused: " + wrong->text;
        co_return co_await answer(nullptr, wrong->status, std::move(text), false, fault);
    }
    Exchange exchange{std::get<HttpRequest>(std::move(parsed)), settings.mapping()};
    const HttpRequest& request = exchange.request;
    const bool permitted =
        exchange.mapping &&
        permitting(*exchange.mapping, request.method, request.path(), request.upgrade) != nullptr;
    if (!permitted) {
        settings.on_denied(request.method + " " + std::string(request.path()) +
                           (request.upgrade ? " with an upgrade" : "") + " is not permitted");
        const bool no_body = request.body.kind == BodyFraming::Kind::none;
        co_return co_await answer(&request, 403, "this resource is not permitted", no_body, fault);
    }
    under_way_ = &request;
    upload_ = nullptr;
    After after = co_await pass_on(exchange);
    under_way_ = nullptr;
    after = co_await settle_upload(after);
    fault = exchange.fault;
    co_return after;
}

/// Connects when needed, and once more when a connection that was kept turns out to be gone.
awaitable<HttpConversation::After> HttpConversation::pass_on(Exchange& exchange) {
    if (backend_ && (!backend_->is_quiet() || !(*backend_mapping_ == *exchange.mapping)))
        drop_backend();
    for (;;) {
        if (!backend_) {
            const std::optional<Error> error = co_await connect(exchange);
            if (closed_) co_return After::reset;
            if (error) {
                const bool late = error->code == Errc::timeout;
                if (error->code == Errc::denied)
                    settings.on_denied(error->message);
                else
                    settings.on_failed(error->message);
                const bool no_body = exchange.request.body.kind == BodyFraming::Kind::none;
                std::string text = late ? "the internal system does not answer"
                                        : "the internal system can not be reached";
                co_return co_await answer(&exchange.request, late ? 504 : 502, std::move(text),
                                          no_body, exchange.fault);
            }
        }
        const bool kept = backend_used_;
        bool gone = false;
        const After after = co_await transfer(exchange, gone);
        if (closed_) co_return After::reset;
        if (!gone) co_return after;
        drop_backend();
        if (!kept || !may_repeat(exchange.request))
            co_return co_await bad_gateway(exchange, "ended before it answered");
    }
}

awaitable<std::optional<Error>> HttpConversation::connect(const Exchange& exchange) {
    std::optional<Result<BackendConnection>> result;
    const auto dialed = dialed_ = std::make_shared<Announcement>(settings.io);
    dial_ = settings.dial(exchange.mapping, [&result, dialed](Result<BackendConnection> got) {
        result.emplace(std::move(got));
        dialed->make();
    });
    co_await dialed->wait();
    dial_.reset();
    if (!result) co_return Error{Errc::canceled, "cut"};
    if (!*result) co_return result->error();
    backend_at_ = (*result)->backend;
    backend_ = std::move(**result).duplex();
    backend_mapping_ = exchange.mapping;
    backend_used_ = false;
    backend_in_.clear();
    co_return std::nullopt;
}

void HttpConversation::drop_backend() {
    if (backend_) backend_->close(true);
    backend_.reset();
    backend_in_.clear();
}

/// @param gone  Set when the backend ended before it answered anything.
awaitable<HttpConversation::After> HttpConversation::transfer(Exchange& exchange, bool& gone) {
    const std::string head = to_head(
        forwarded(exchange.request, *exchange.mapping, backend_at_, settings.client_address));
    const std::string fault = co_await backend_->write(head);
    if (!fault.empty()) {
        gone = true;
        co_return After::close;
    }
    Upload none(settings.io);
    if (exchange.request.body.kind != BodyFraming::Kind::none) start_upload(exchange.request.body);
    const After after = co_await answer_of_backend(exchange, upload_ ? *upload_ : none, gone);
    backend_used_ = true;
    // Bytes that nobody asked for must not become the answer to the next request.
    const bool whole = !upload_ || upload_->whole;
    if (after != After::next || !whole || !backend_in_.empty()) drop_backend();
    co_return after;
}

// --- the body of a request -------------------------------------------------------------------

void HttpConversation::start_upload(BodyFraming framing) {
    upload_ = std::make_shared<Upload>(settings.io);
    asio::co_spawn(
        settings.io,
        [me = shared_from_this(), framing, upload = upload_, backend = backend_] {
            return me->upload_body(framing, upload, backend);
        },
        [upload = upload_](std::exception_ptr) { upload->over.make(); });
}

awaitable<void> HttpConversation::upload_body(BodyFraming framing, std::shared_ptr<Upload> upload,
                                              std::shared_ptr<Duplex> backend) {
    BodyScanner scanner(framing);
    std::array<char, piece_bytes> room;
    for (;;) {
        const std::size_t taken = scanner.take(client_in_);
        if (!upload->dropped && taken > 0) {
            const std::string fault =
                co_await backend->write(std::string_view(client_in_).substr(0, taken));
            // It may have answered before it ended: whoever reads the answer finds out.
            if (!fault.empty()) upload->dropped = true;
        }
        client_in_.erase(0, taken);
        if (scanner.done()) {
            upload->whole = !upload->dropped;
            co_return;
        }
        upload->malformed = scanner.failed();
        if (upload->malformed) {
            upload->fault = "a malformed body";
            break;
        }
        const Duplex::Read got = co_await settings.client->read(room);
        if (!got.fault.empty() || got.count == 0) {
            upload->fault = got.fault.empty() ? "it ended in the middle of a body" : got.fault;
            break;
        }
        client_in_.append(room.data(), got.count);
    }
    // Whoever waits for an answer to half a request waits no longer.
    if (!upload->dropped) backend->close(false);
}

/// Where the answer was complete before the request: what still comes is dropped, and it is over.
awaitable<HttpConversation::After> HttpConversation::settle_upload(After after) {
    const auto upload = std::exchange(upload_, nullptr);
    if (!upload || (upload->over.made() && upload->whole)) co_return after;
    upload->dropped = true;
    if (!upload->over.made() && after != After::reset) {
        const std::string unused = co_await settings.client->finish();
        (void)unused;
        const Deadline deadline(deadline_, http_linger, *settings.client, expired_);
        co_await upload->over.wait();
    }
    co_return after == After::reset ? after : After::close;
}

// --- its answer ------------------------------------------------------------------------------

awaitable<HttpConversation::After> HttpConversation::answer_of_backend(Exchange& exchange,
                                                                       Upload& upload, bool& gone) {
    const HttpRequest& request = exchange.request;
    const bool has_body = request.body.kind != BodyFraming::Kind::none;
    for (int interim = 0; interim <= interim_answers_max; ++interim) {
        Head head;
        {
            // The time of the backend begins when it has all of the request: every time over but
            // the last began before that.
            const Deadline deadline(deadline_, settings.response_timeout, *backend_, expired_,
                                    [&upload, had_some = has_body]() mutable {
                                        return std::exchange(had_some, !upload.over.made());
                                    });
            head = co_await read_head(*backend_, backend_in_, response_head_bytes_max);
        }
        if (head.length == 0) {
            gone = !expired_ && upload.fault.empty() && backend_in_.empty() && interim == 0;
            if (gone) co_return After::close;
            co_return co_await no_answer(exchange, head, upload);
        }
        auto parsed =
            parse_response(std::string_view(backend_in_).substr(0, head.length), request.method);
        backend_in_.erase(0, head.length);
        if (const auto* wrong = std::get_if<HttpFault>(&parsed))
            co_return co_await bad_gateway(exchange, "answered with " + wrong->text);
        auto& response = std::get<HttpResponse>(parsed);
        const bool takes_over = response.status == 101;
        if (takes_over && !request.upgrade)
            co_return co_await bad_gateway(exchange, "took over without having been asked to");
        if (response.status < 200 && !takes_over && request.minor == 0) continue;
        rewrite_locations(response, *exchange.mapping, backend_at_);
        exchange.fault = co_await settings.client->write(to_head(response));
        if (!exchange.fault.empty()) co_return After::reset;
        if (takes_over) co_return co_await tunnel(exchange);
        if (response.status < 200) continue;
        co_return co_await pass_body_down(exchange, response);
    }
    co_return co_await bad_gateway(exchange, "has too much to say before its answer");
}

awaitable<HttpConversation::After> HttpConversation::no_answer(Exchange& exchange, const Head& head,
                                                               const Upload& upload) {
    if (upload.malformed) {
        settings.on_denied("a request with a malformed body was refused");
        co_return co_await answer(&exchange.request, 400,
                                  "the request was refused: a malformed body", false,
                                  exchange.fault);
    }
    if (!upload.fault.empty()) {
        exchange.fault = "from the client: " + upload.fault;
        co_return After::reset;
    }
    if (!expired_)
        co_return co_await bad_gateway(exchange, head.too_long
                                                     ? "answered with a head that is too long"
                                                     : "broke off its answer");
    settings.on_failed(to_text(backend_at_) + " gave no answer in time");
    co_return co_await answer(&exchange.request, 504, "the internal system does not answer", false,
                              exchange.fault);
}

awaitable<HttpConversation::After> HttpConversation::bad_gateway(Exchange& exchange,
                                                                 std::string log) {
    settings.on_failed(to_text(backend_at_) + " " + log);
    co_return co_await answer(&exchange.request, 502, "the internal system gave no valid answer",
                              false, exchange.fault);
}

awaitable<HttpConversation::After> HttpConversation::pass_body_down(Exchange& exchange,
                                                                    const HttpResponse& response) {
    BodyScanner scanner(response.body);
    std::array<char, piece_bytes> room;
    const bool until_close = response.body.kind == BodyFraming::Kind::until_close;
    for (;;) {
        const std::size_t taken = scanner.take(backend_in_);
        if (taken > 0) {
            exchange.fault =
                co_await settings.client->write(std::string_view(backend_in_).substr(0, taken));
            if (!exchange.fault.empty()) co_return After::reset;
            backend_in_.erase(0, taken);
        }
        if (scanner.done()) break;
        if (scanner.failed()) {
            exchange.fault = "the backend's answer has a malformed body";
            co_return After::reset;
        }
        const Duplex::Read got = co_await backend_->read(room);
        if (got.fault.empty() && got.count == 0 && until_close) break;
        if (!got.fault.empty() || got.count == 0) {
            exchange.fault =
                "the backend broke off its answer" + (got.fault.empty() ? "" : ": " + got.fault);
            co_return After::reset;
        }
        backend_in_.append(room.data(), got.count);
    }
    co_return exchange.request.keep_alive&& response.keep_alive ? After::next : After::close;
}

/// After an upgrade: bytes as they are, both ways, until both have ended.
awaitable<HttpConversation::After> HttpConversation::tunnel(Exchange& exchange) {
    exchange.fault = co_await settings.client->write(std::exchange(backend_in_, {}));
    if (exchange.fault.empty())
        exchange.fault = co_await backend_->write(std::exchange(client_in_, {}));
    if (!exchange.fault.empty()) co_return After::reset;
    const auto up = std::make_shared<Upload>(settings.io);
    const auto backend = backend_;
    asio::co_spawn(
        settings.io,
        [me = shared_from_this(), backend] { return pump(*me->settings.client, *backend); },
        [me = shared_from_this(), backend, up](std::exception_ptr, std::string fault) {
            up->fault = std::move(fault);
            if (!up->fault.empty()) backend->close(false);
            up->over.make();
        });
    exchange.fault = co_await pump(*backend, *settings.client);
    if (!exchange.fault.empty()) settings.client->close(false);
    co_await up->over.wait();
    if (!up->fault.empty()) exchange.fault = up->fault;
    co_return exchange.fault.empty() ? After::close : After::reset;
}

// --- answers of its own ----------------------------------------------------------------------

/// @param may_stay  The request is whole, so another one may follow.
awaitable<HttpConversation::After> HttpConversation::answer(const HttpRequest* request, int status,
                                                            std::string text, bool may_stay,
                                                            std::string& fault) {
    const bool stays = may_stay && request != nullptr && request->keep_alive;
    const bool with_body = request == nullptr || request->method != "HEAD";
    const std::string bytes = own_answer(status, text, stays, with_body);
    fault = co_await settings.client->write(bytes);
    if (!fault.empty()) co_return After::reset;
    co_return stays ? After::next : After::close;
}

/// A client that still sends must not lose the answer to a reset.
awaitable<void> HttpConversation::drop_rest() {
    const std::string fault = co_await settings.client->finish();
    if (!fault.empty()) co_return;
    std::array<char, piece_bytes> room;
    const Deadline deadline(deadline_, http_linger, *settings.client, expired_);
    for (;;) {
        const Duplex::Read got = co_await settings.client->read(room);
        if (!got.fault.empty() || got.count == 0) co_return;
    }
}

}  // namespace umbra::gateway
