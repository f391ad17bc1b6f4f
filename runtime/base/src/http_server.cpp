#include "unix_address.hpp"
#include <umbra/base/http_server.hpp>
#include <umbra/base/log.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <atomic>
#include <optional>
#include <set>
#include <sys/socket.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace umbra::base {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace json = boost::json;
using Protocol = asio::local::stream_protocol;
// One thread runs the context, and of one kind it is always: no executor behind a pointer.
using Executor = asio::io_context::executor_type;
using Socket = asio::basic_stream_socket<Protocol, Executor>;
using Clock = std::chrono::steady_clock;
using Timer = asio::basic_waitable_timer<Clock, asio::wait_traits<Clock>, Executor>;
using boost::system::error_code;

class Connection;

/// What server and connections share; lives on the server's thread.
struct Shared {
    HttpServer::Settings settings;
    HttpServer::Handler handler;
    std::shared_ptr<asio::io_context> context = std::make_shared<asio::io_context>(1);
    std::set<std::shared_ptr<Connection>> connections;
};

}  // namespace

/// Takes the one answer to one request across threads. Holds the context alive, so that a late
/// answer posts into one that nobody runs any more instead of into freed memory.
class Responder::State {
public:
    State(std::shared_ptr<asio::io_context> context, std::weak_ptr<Connection> connection,
          std::uint64_t request)
        : context_(std::move(context)), connection_(std::move(connection)), request_(request) {}
    ~State() {
        if (!answered_.load()) {
            answer(http_error(500, "the request was dropped without an answer: this is a bug"));
        }
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    void answer(HttpResponse response);

private:
    std::shared_ptr<asio::io_context> context_;
    std::weak_ptr<Connection> connection_;
    std::uint64_t request_;
    std::atomic<bool> answered_{false};
};

namespace {

class Connection : public std::enable_shared_from_this<Connection> {
public:
    Connection(Socket socket, std::shared_ptr<Shared> shared)
        : socket_(std::move(socket)),
          timer_(*shared->context),
          shared_(std::move(shared)),
          peer_uid_(peer_uid()) {}

    void read() {
        parser_.emplace();
        parser_->header_limit(static_cast<std::uint32_t>(shared_->settings.header_max));
        parser_->body_limit(shared_->settings.body_max);
        end_in(shared_->settings.idle_max);
        http::async_read(
            socket_, buffer_, *parser_,
            [self = shared_from_this()](error_code code, std::size_t) { self->on_read(code); });
    }

    /// Answers without having read anything, then closes.
    void turn_away(HttpResponse response) {
        keep_alive_ = false;
        write(std::move(response));
    }

    /// The handler's answer to request number `request`; late and second ones fall through.
    void on_answer(std::uint64_t request, HttpResponse response) {
        if (request != request_ || !waiting_) return;
        waiting_ = false;
        write(std::move(response));
    }

    void close() {
        closed_ = true;
        waiting_ = false;
        timer_.cancel();
        error_code ignored;
        socket_.close(ignored);
        shared_->connections.erase(shared_from_this());
    }

private:
    void on_read(error_code code) {
        // It came in the same turn as the close: asking now would wait for an answer in vain.
        if (closed_) return;
        if (code == http::error::header_limit) {
            return turn_away(http_error(431, "the header of the request is too large"));
        }
        if (code == http::error::body_limit) {
            return turn_away(http_error(
                413, fmt::format("the body is larger than {} bytes", shared_->settings.body_max)));
        }
        if (code.category() == http::make_error_code(http::error::bad_method).category() &&
            code != http::error::end_of_stream && code != http::error::partial_message) {
            return turn_away(
                http_error(400, fmt::format("not a valid HTTP request: {}", code.message())));
        }
        if (code) return close();

        auto& message = parser_->get();
        keep_alive_ = message.keep_alive();
        HttpRequest request{std::string{message.method_string()}, std::string{message.target()},
                            std::move(message.body()), peer_uid_};
        ++request_;
        waiting_ = true;
        end_in(shared_->settings.answer_max);
        const Responder responder{
            std::make_shared<Responder::State>(shared_->context, weak_from_this(), request_)};
        try {
            shared_->handler(std::move(request), responder);
        } catch (const std::exception& e) {
            error("http", "the handler of {} threw: {}", parser_->get().target(), e.what());
            responder(http_error(500, fmt::format("internal error: {}", e.what())));
        }
    }

    std::optional<unsigned> peer_uid() {
        ucred peer{};
        socklen_t size = sizeof peer;
        const int fd = socket_.native_handle();
        if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
        return peer.uid;
    }

    void write(HttpResponse response) {
        response_ = {};
        response_.version(11);
        response_.result(response.status);
        response_.set(http::field::content_type, response.content_type);
        response_.set(http::field::cache_control, "no-store");
        for (const auto& [name, value] : response.headers) response_.set(name, value);
        response_.keep_alive(keep_alive_);
        response_.body() = std::move(response.body);
        response_.prepare_payload();
        end_in(shared_->settings.idle_max);
        http::async_write(
            socket_, response_,
            [self = shared_from_this()](error_code code, std::size_t) { self->on_written(code); });
    }

    void on_written(error_code code) {
        if (closed_) return;
        if (!code && keep_alive_) return read();
        close();
    }

    /// What goes on from now must be over by then. A timer that is set for earlier stays and looks
    /// again: requests come and go without touching it.
    void end_in(Duration limit) {
        end_ = Clock::now() + limit;
        if (end_ < looks_at_) look_at_the_end();
    }

    void look_at_the_end() {
        looks_at_ = end_;
        timer_.expires_at(end_);
        timer_.async_wait([self = shared_from_this()](error_code code) {
            if (code || self->closed_) return;
            self->looks_at_ = Clock::time_point::max();
            if (Clock::now() < self->end_) return self->look_at_the_end();
            self->on_end();
        });
    }

    void on_end() {
        if (!waiting_) return close();
        on_answer(request_, http_error(504, "the instance did not answer in time"));
    }

    Socket socket_;
    Timer timer_;
    Clock::time_point end_;
    Clock::time_point looks_at_ = Clock::time_point::max();
    std::shared_ptr<Shared> shared_;
    std::optional<unsigned> peer_uid_;
    beast::flat_buffer buffer_;
    std::optional<http::request_parser<http::string_body>> parser_;
    http::response<http::string_body> response_;
    std::uint64_t request_ = 0;
    bool waiting_ = false;
    bool keep_alive_ = true;
    bool closed_ = false;
};

}  // namespace

void Responder::State::answer(HttpResponse response) {
    if (answered_.exchange(true)) return;
    asio::post(*context_, [connection = connection_, request = request_,
                           response = std::move(response)]() mutable {
        if (const auto self = connection.lock()) self->on_answer(request, std::move(response));
    });
}

void Responder::operator()(HttpResponse response) const { state_->answer(std::move(response)); }

HttpResponse http_error(unsigned status, std::string sentence, std::vector<std::string> details) {
    json::array lines;
    for (std::string& line : details) lines.emplace_back(std::move(line));
    return {status, json::serialize(json::object{{"error", std::move(sentence)},
                                                 {"details", std::move(lines)}})};
}

class HttpServer::Impl {
public:
    Impl(Settings settings, Handler handler, std::string path, int fd)
        : path_(std::move(path)),
          shared_(std::make_shared<Shared>()),
          acceptor_(*shared_->context, Protocol{}, fd),
          retry_(*shared_->context) {
        shared_->settings = std::move(settings);
        shared_->handler = std::move(handler);
        struct stat about {};
        if (::lstat(path_.c_str(), &about) == 0) inode_ = about.st_ino;
        accept();
        thread_ = std::thread{[context = shared_->context] { context->run(); }};
    }

    ~Impl() { stop(); }

    void stop() {
        if (!thread_.joinable()) return;
        asio::post(*shared_->context, [this] {
            error_code ignored;
            acceptor_.close(ignored);
            retry_.cancel();
            for (const auto& connection : std::set{shared_->connections}) connection->close();
        });
        // Not stopped but run dry: what a connection has under way holds the connection, which
        // holds the context.
        thread_.join();
        struct stat about {};
        if (::lstat(path_.c_str(), &about) == 0 && about.st_ino == inode_) ::unlink(path_.c_str());
    }

private:
    void accept() {
        acceptor_.async_accept([this](error_code code, Socket socket) {
            if (!acceptor_.is_open()) return;
            if (code) return accept_later(code);
            on_accepted(std::move(socket));
            accept();
        });
    }

    void on_accepted(Socket socket) {
        auto connection = std::make_shared<Connection>(std::move(socket), shared_);
        const bool full = shared_->connections.size() >= shared_->settings.connections_max;
        shared_->connections.insert(connection);
        if (full) {
            connection->turn_away(
                http_error(503, fmt::format("more than {} connections are open: try again",
                                            shared_->settings.connections_max)));
            return;
        }
        connection->read();
    }

    /// Out of descriptors or the like: trying at once again would spin.
    void accept_later(error_code code) {
        warn("http", "cannot accept a connection at {}: {}", path_, code.message());
        retry_.expires_after(std::chrono::milliseconds{100});
        retry_.async_wait([this](error_code ended) {
            if (!ended) accept();
        });
    }

    std::string path_;
    ino_t inode_ = 0;
    std::shared_ptr<Shared> shared_;
    asio::basic_socket_acceptor<Protocol, Executor> acceptor_;
    Timer retry_;
    std::thread thread_;
};

Result<HttpServer> HttpServer::start(Settings settings, Handler handler) try {
    const Result<std::string> path = unix_path(settings.address);
    if (!path) return path.error();
    const Result<int> fd = listen_unix(*path, static_cast<int>(settings.connections_max));
    if (!fd) return fd.error();
    return HttpServer{std::make_unique<Impl>(std::move(settings), std::move(handler), *path, *fd)};
} catch (const std::exception& e) {
    return Error{Errc::internal, fmt::format("the HTTP server did not start: {}", e.what())};
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
HttpServer::HttpServer(HttpServer&&) noexcept = default;
HttpServer& HttpServer::operator=(HttpServer&&) noexcept = default;
HttpServer::~HttpServer() = default;

void HttpServer::stop() {
    if (impl_) impl_->stop();
}

}  // namespace umbra::base
