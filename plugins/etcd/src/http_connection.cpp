#include <umbra/etcd/http_connection.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include <cerrno>
#include <netinet/tcp.h>
#include <optional>
#include <sys/socket.h>
#include <utility>
#include <variant>

namespace umbra::etcd {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace ssl = asio::ssl;
using boost::system::error_code;

struct HttpConnection::Impl {
    using Plain = beast::tcp_stream;
    using Secure = beast::ssl_stream<beast::tcp_stream>;

    TlsFiles files;
    Duration connect_timeout;
    Duration request_timeout;
    asio::io_context io{1};
    ssl::context tls{ssl::context::tls_client};
    std::variant<std::monostate, Plain, Secure> stream;
    beast::flat_buffer buffer;
    std::optional<http::response_parser<http::string_body>> parts;  ///< Of a streamed answer.
    std::string name;  ///< Of the member, for messages.
    std::string host;

    Impl(TlsFiles tls_files, Duration connect_limit, Duration request_limit)
        : files(std::move(tls_files)),
          connect_timeout(connect_limit),
          request_timeout(request_limit) {}

    /// Every step is asynchronous only for the sake of its timeout.
    template <class Start>
    error_code run(Start start) {
        error_code outcome;
        start([&outcome](error_code code, auto&&...) { outcome = code; });
        io.restart();
        io.run();
        return outcome;
    }
    beast::tcp_stream& lowest() {
        if (auto* secure = std::get_if<Secure>(&stream)) return secure->next_layer();
        return std::get<Plain>(stream);
    }
    Result<Done> use(const std::string& path, const char* what, error_code code) const {
        if (!code) return Done{};
        return Error{Errc::invalid, std::string{"cannot use "} + what + " " + path + ": " +
                                        code.message() + "; it has to be a readable PEM file"};
    }
    Result<Done> handshake();
    Error broken(error_code code) const;
    http::request<http::string_body> request(const std::string& target, std::string body,
                                             const std::string& token) const;
    /// Calls `talk(stream)`, which returns an error code.
    template <class Talk>
    Result<Done> with_stream(Talk talk);
};

HttpConnection::HttpConnection(TlsFiles files, Duration connect_timeout, Duration request_timeout)
    : impl_(std::make_unique<Impl>(std::move(files), connect_timeout, request_timeout)) {}

HttpConnection::~HttpConnection() { close(); }

bool HttpConnection::is_open() {
    if (impl_->stream.index() == 0) return false;
    // A member that went away has ended the connection; better found out before the request is
    // sent, whose effect would be unknown.
    char byte = 0;
    const auto got =
        ::recv(impl_->lowest().socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))) return true;
    close();
    return false;
}

void HttpConnection::close() noexcept {
    // Without the farewell of TLS: the next thing on this connection would be nothing.
    if (impl_->stream.index() != 0) impl_->lowest().close();
    impl_->stream.emplace<std::monostate>();
    impl_->buffer.clear();
    impl_->parts.reset();
}

Result<Done> HttpConnection::load_files() {
    auto& self = *impl_;
    error_code code;
    self.tls.set_options(ssl::context::default_workarounds | ssl::context::no_tlsv1 |
                         ssl::context::no_tlsv1_1);
    self.tls.set_verify_mode(ssl::verify_peer);
    if (self.files.ca.empty()) {
        self.tls.set_default_verify_paths(code);
    } else {
        self.tls.load_verify_file(self.files.ca, code);
    }
    if (auto r = self.use(self.files.ca, "ca_file", code); !r.ok()) return r;
    if (self.files.certificate.empty()) return Done{};
    self.tls.use_certificate_chain_file(self.files.certificate, code);
    if (auto r = self.use(self.files.certificate, "cert_file", code); !r.ok()) return r;
    self.tls.use_private_key_file(self.files.key, ssl::context::pem, code);
    return self.use(self.files.key, "key_file", code);
}

Result<Done> HttpConnection::connect(const Endpoint& endpoint) {
    close();
    auto& self = *impl_;
    self.name = to_string(endpoint);
    self.host = endpoint.host;
    asio::ip::tcp::resolver resolver{self.io};
    error_code code;
    // Blocks for as long as the system's resolver takes, where the host is a name.
    const auto addresses = resolver.resolve(endpoint.host, endpoint.port, code);
    if (code)
        return Error{Errc::unavailable, self.name + ": cannot find the host: " + code.message()};
    if (endpoint.tls) {
        self.stream.emplace<Impl::Secure>(self.io, self.tls);
    } else {
        self.stream.emplace<Impl::Plain>(self.io);
    }
    self.lowest().expires_after(self.connect_timeout);
    code = self.run([&](auto done) { self.lowest().async_connect(addresses, done); });
    if (code) {
        close();
        return Error{Errc::unavailable, self.name + ": cannot connect: " + code.message()};
    }
    // A commit is one small request, and one small answer that everybody waits for.
    error_code ignored;
    self.lowest().socket().set_option(asio::ip::tcp::no_delay{true}, ignored);
    if (!endpoint.tls) return Done{};
    auto shaken = self.handshake();
    if (!shaken.ok()) close();
    return shaken;
}

Result<Done> HttpConnection::Impl::handshake() {
    auto& secure = std::get<Secure>(stream);
    // Names go into SNI, addresses must not.
    error_code is_name;
    (void)asio::ip::make_address(host, is_name);
    if (is_name) ::SSL_set_tlsext_host_name(secure.native_handle(), host.c_str());
    secure.set_verify_callback(ssl::host_name_verification(host));
    lowest().expires_after(connect_timeout);
    const auto code =
        run([&](auto done) { secure.async_handshake(ssl::stream_base::client, done); });
    if (!code) return Done{};
    const auto verified = ::SSL_get_verify_result(secure.native_handle());
    if (verified != X509_V_OK)
        return Error{Errc::denied, name + ": its certificate is not accepted: " +
                                       ::X509_verify_cert_error_string(verified) +
                                       "; check ca_file and the host in endpoints"};
    const bool protocol = code.category() == asio::error::get_ssl_category();
    return Error{protocol ? Errc::denied : Errc::unavailable,
                 name + ": no TLS connection: " + code.message()};
}

Error HttpConnection::Impl::broken(error_code code) const {
    if (code == beast::error::timeout) return {Errc::timeout, name + ": no answer in time"};
    if (code == http::error::body_limit)
        return {Errc::exhausted,
                name + ": an answer of more than " + std::to_string(answer_bytes_max) + " bytes"};
    // After the handshake of TLS 1.3 this is how a client without a certificate is turned away.
    if (code.category() == asio::error::get_ssl_category() && code != ssl::error::stream_truncated)
        return {Errc::denied, name + ": the TLS connection was refused: " + code.message() +
                                  "; check cert_file and key_file"};
    return {Errc::closed, name + ": the connection broke: " + code.message()};
}

http::request<http::string_body> HttpConnection::Impl::request(const std::string& target,
                                                               std::string body,
                                                               const std::string& token) const {
    http::request<http::string_body> made{http::verb::post, target, 11};
    made.set(http::field::host, host);
    made.set(http::field::content_type, "application/json");
    if (!token.empty()) made.set(http::field::authorization, token);
    made.body() = std::move(body);
    made.prepare_payload();
    return made;
}

template <class Talk>
Result<Done> HttpConnection::Impl::with_stream(Talk talk) {
    const error_code code =
        stream.index() == 2 ? talk(std::get<Secure>(stream)) : talk(std::get<Plain>(stream));
    if (code) return broken(code);
    return Done{};
}

Result<HttpAnswer> HttpConnection::post(const std::string& target, std::string body,
                                        const std::string& token) {
    auto& self = *impl_;
    if (!is_open()) return Error{Errc::unavailable, "there is no connection to etcd"};
    const auto request = self.request(target, std::move(body), token);
    http::response_parser<http::string_body> parser;
    parser.body_limit(answer_bytes_max);

    self.lowest().expires_after(self.request_timeout);
    const auto told = self.with_stream([&](auto& stream) {
        const auto code = self.run([&](auto done) { http::async_write(stream, request, done); });
        if (code) return code;
        return self.run([&](auto done) { http::async_read(stream, self.buffer, parser, done); });
    });
    if (!told.ok()) {
        close();
        return told.error();
    }
    auto message = parser.release();
    HttpAnswer answer{message.result_int(), std::move(message.body())};
    if (!message.keep_alive()) close();
    return answer;
}

Result<HttpAnswer> HttpConnection::stream(const std::string& target, std::string body,
                                          const std::string& token) {
    auto& self = *impl_;
    if (!is_open()) return Error{Errc::unavailable, "there is no connection to etcd"};
    const auto request = self.request(target, std::move(body), token);
    auto& parser = self.parts.emplace();
    parser.body_limit(boost::none);
    self.lowest().expires_after(self.request_timeout);
    const auto told = self.with_stream([&](auto& stream) {
        const auto code = self.run([&](auto done) { http::async_write(stream, request, done); });
        if (code) return code;
        const auto head = self.run(
            [&](auto done) { http::async_read_header(stream, self.buffer, parser, done); });
        if (head || parser.get().result() == http::status::ok) return head;
        parser.body_limit(answer_bytes_max);
        return self.run([&](auto done) { http::async_read(stream, self.buffer, parser, done); });
    });
    if (!told.ok()) {
        close();
        return told.error();
    }
    HttpAnswer answer{parser.get().result_int(), std::move(parser.get().body())};
    parser.get().body().clear();
    // It may be silent for hours; the kernel asks whether the member is still there.
    const int on = 1, idle_s = 5, every_s = 2, times = 3;
    const int fd = self.lowest().socket().native_handle();
    ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof every_s);
    ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof times);
    return answer;
}

Result<std::string> HttpConnection::next_part() {
    auto& self = *impl_;
    if (self.stream.index() == 0 || !self.parts)
        return Error{Errc::unavailable, "there is no connection to etcd"};
    auto& parser = *self.parts;
    if (parser.is_done()) {
        close();
        return Error{Errc::closed, self.name + ": it ended the answer"};
    }
    self.lowest().expires_never();
    const auto told = self.with_stream([&](auto& stream) {
        return self.run(
            [&](auto done) { http::async_read_some(stream, self.buffer, parser, done); });
    });
    if (!told.ok()) {
        close();
        return told.error();
    }
    return std::exchange(parser.get().body(), {});
}

void HttpConnection::interrupt() {
    asio::post(impl_->io, [self = impl_.get()] {
        if (self->stream.index() != 0) self->lowest().close();
    });
}

}  // namespace umbra::etcd
