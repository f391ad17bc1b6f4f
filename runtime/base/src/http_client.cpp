#include "unix_address.hpp"
#include <umbra/base/http_client.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>

#include <cerrno>
#include <chrono>

namespace umbra::base {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Stream = beast::basic_stream<asio::local::stream_protocol, asio::io_context::executor_type>;

Error describe(const std::string& address, const boost::system::error_code& code, bool connected) {
    if (code == beast::error::timeout) {
        return {Errc::timeout, fmt::format("no answer from {} in time", address), ETIMEDOUT};
    }
    if (connected) {
        return {Errc::closed,
                fmt::format("the connection to {} broke before the answer was there: {}", address,
                            code.message()),
                code.value()};
    }
    if (code.value() == EACCES || code.value() == EPERM) {
        return {
            Errc::denied,
            fmt::format("not allowed to open {}: be its owner or a member of its group", address),
            code.value()};
    }
    return {Errc::unavailable, fmt::format("nothing answers at {}: {}", address, code.message()),
            code.value()};
}

/// One conversation. Every step is asynchronous only for the sake of the deadline.
class Conversation {
public:
    explicit Conversation(Duration timeout) : stream_(context_) { stream_.expires_after(timeout); }

    boost::system::error_code connect(const std::string& path) {
        return run([&](auto done) {
            stream_.async_connect(asio::local::stream_protocol::endpoint{path}, done);
        });
    }
    boost::system::error_code write(http::request<http::string_body>& request) {
        return run([&](auto done) { http::async_write(stream_, request, done); });
    }
    boost::system::error_code read(http::response_parser<http::string_body>& parser) {
        return run([&](auto done) { http::async_read(stream_, buffer_, parser, done); });
    }

private:
    template <class Start>
    boost::system::error_code run(Start start) {
        boost::system::error_code outcome;
        start([&outcome](boost::system::error_code code, auto&&...) { outcome = code; });
        context_.restart();
        context_.run();
        return outcome;
    }

    asio::io_context context_{1};
    Stream stream_;
    beast::flat_buffer buffer_;
};

}  // namespace

Result<HttpResponse> http_request(const std::string& address, const HttpRequest& request,
                                  Duration timeout) try {
    const Result<std::string> path = unix_path(address);
    if (!path) return path.error();

    http::request<http::string_body> message;
    message.version(11);
    message.method_string(request.method);
    message.target(request.target);
    message.set(http::field::host, "localhost");
    message.set(http::field::connection, "close");
    if (!request.body.empty()) message.set(http::field::content_type, "application/json");
    message.body() = request.body;
    message.prepare_payload();

    Conversation conversation{timeout};
    if (const auto code = conversation.connect(*path); code) {
        return describe(address, code, false);
    }
    // A server that refuses early (too large, too many) answers and closes while we still write:
    // what it says is worth more than our broken pipe.
    const auto write_code = conversation.write(message);
    if (write_code == beast::error::timeout) return describe(address, write_code, true);
    http::response_parser<http::string_body> parser;
    parser.body_limit(http_answer_max);
    if (const auto code = conversation.read(parser); code) {
        return describe(address, write_code ? write_code : code, true);
    }
    auto& answer = parser.get();
    return HttpResponse{answer.result_int(),
                        std::move(answer.body()),
                        std::string{answer[http::field::content_type]},
                        {}};
} catch (const std::exception& e) {
    return Error{Errc::internal, fmt::format("the request to {} failed: {}", address, e.what())};
}

}  // namespace umbra::base
