#include "attempt.hpp"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <utility>

namespace umbra::http_probe {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

constexpr std::uint32_t header_bytes_max = 64 * 1024;

class Request final : public Attempt, public std::enable_shared_from_this<Request> {
public:
    Request(asio::io_context& io, asio::ssl::context& tls, const Question& question,
            OnVerdict on_verdict)
        : question_(question), on_verdict_(std::move(on_verdict)), resolver_(io), stream_(io, tls) {
        // A parser counts what it was promised, also of an answer that is not read to its end.
        parser_.header_limit(header_bytes_max);
        parser_.body_limit(body_bytes_max);
        parser_.skip(question.head);
    }

    void begin() {
        resolver_.async_resolve(question_.url.host, question_.url.port,
                                [self = shared_from_this()](error_code error, const auto& found) {
                                    if (!self->on_verdict_) return;
                                    if (error)
                                        return self->fail("cannot resolve \"" +
                                                          self->question_.url.host +
                                                          "\": " + error.message());
                                    self->connect(found);
                                });
    }

    void cancel() override {
        on_verdict_ = nullptr;
        resolver_.cancel();
        tcp().close();
    }

private:
    beast::tcp_stream& tcp() { return beast::get_lowest_layer(stream_); }

    void connect(const asio::ip::tcp::resolver::results_type& found) {
        tcp().async_connect(found, [self = shared_from_this()](error_code error, const auto&) {
            if (!self->on_verdict_) return;
            const auto& url = self->question_.url;
            const auto at = url.host + " port " + url.port;
            if (error == asio::error::connection_refused)
                return self->fail("connection refused by " + at);
            if (error) return self->fail("cannot connect to " + at + ": " + error.message());
            if (url.tls) return self->shake_hands();
            self->write(self->tcp());
        });
    }

    void shake_hands() {
        const auto& host = question_.url.host;
        error_code is_name;
        asio::ip::make_address(host, is_name);
        // A server name is sent for names only (RFC 6066).
        if (is_name) ::SSL_set_tlsext_host_name(stream_.native_handle(), host.c_str());
        stream_.set_verify_callback(asio::ssl::host_name_verification(host));
        stream_.async_handshake(asio::ssl::stream_base::client, [self = shared_from_this()](
                                                                    error_code error) {
            if (!self->on_verdict_) return;
            if (!error) return self->write(self->stream_);
            const long verdict = ::SSL_get_verify_result(self->stream_.native_handle());
            self->fail(verdict == X509_V_OK
                           ? "no TLS with " + self->question_.url.host + ": " + error.message()
                           : "the certificate of " + self->question_.url.host +
                                 " is not accepted: " + ::X509_verify_cert_error_string(verdict));
        });
    }

    template <class Stream>
    void write(Stream& stream) {
        request_.method(question_.head ? http::verb::head : http::verb::get);
        request_.target(question_.url.target);
        request_.version(11);
        request_.set(http::field::host, question_.url.authority());
        request_.set(http::field::user_agent, "umbra-probe");
        request_.set(http::field::accept, "*/*");
        for (const auto& header : question_.headers) request_.set(header.name, header.value);
        request_.set(http::field::connection, "close");
        http::async_write(
            stream, request_,
            [this, &stream, self = shared_from_this()](error_code error, std::size_t) {
                if (!on_verdict_) return;
                if (error) return fail("cannot send the request: " + error.message());
                read(stream);
            });
    }

    template <class Stream>
    void read(Stream& stream) {
        auto done = [this, self = shared_from_this()](error_code error, std::size_t) {
            if (!on_verdict_) return;
            const bool too_long = error == http::error::body_limit;
            // Many servers end TLS without saying so; what is whole by its own measure counts.
            const bool whole = !error || too_long || parser_.is_done();
            if (!whole)
                return fail(error == http::error::end_of_stream
                                ? "the server ended the connection without an answer"
                                : "no whole answer: " + error.message());
            finish(too_long);
        };
        if (question_.contains) {
            http::async_read(stream, buffer_, parser_, std::move(done));
        } else {
            http::async_read_header(stream, buffer_, parser_, std::move(done));
        }
    }

    void finish(bool too_long) {
        const auto& answer = parser_.get();
        Observed observed{answer.result_int(), std::string{answer.reason()}, answer.body(),
                          too_long};
        tcp().close();
        std::exchange(on_verdict_, nullptr)(Health::healthy, {}, std::move(observed));
    }

    void fail(std::string why) {
        tcp().close();
        std::exchange(on_verdict_, nullptr)(Health::down, std::move(why), std::nullopt);
    }

    const Question& question_;
    OnVerdict on_verdict_;
    asio::ip::tcp::resolver resolver_;
    beast::ssl_stream<beast::tcp_stream> stream_;
    beast::flat_buffer buffer_;
    http::request<http::empty_body> request_;
    http::response_parser<http::string_body> parser_;
};

}  // namespace

std::shared_ptr<Attempt> Attempt::start(asio::io_context& io, asio::ssl::context& tls,
                                        const Question& question, OnVerdict on_verdict) {
    auto request = std::make_shared<Request>(io, tls, question, std::move(on_verdict));
    request->begin();
    return request;
}

}  // namespace umbra::http_probe
