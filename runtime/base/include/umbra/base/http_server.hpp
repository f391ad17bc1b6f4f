#pragma once

#include <umbra/sdk/result.hpp>
#include <umbra/sdk/time.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace umbra::base {

struct HttpRequest {
    std::string method;  ///< "GET"
    std::string target;  ///< As sent, path and query: "/v1/config?key=a.b"
    std::string body{};
    /// User id of the process at the other end, as the kernel saw it connect.
    std::optional<unsigned> peer_uid{};
};

struct HttpResponse {
    unsigned status = 200;
    std::string body{};
    std::string content_type = "application/json";
    std::vector<std::pair<std::string, std::string>> headers{};  ///< Further ones: {"Allow", "GET"}
};

/// The body every error has: {"error": "...", "details": []}.
[[nodiscard]] HttpResponse http_error(unsigned status, std::string sentence,
                                      std::vector<std::string> details = {});

/// Answers one request. May be copied, kept, and called from any thread, also after the server is
/// gone (then nothing happens). The first call counts, later ones are ignored. When the last copy
/// goes away unused the client gets a 500, so no client waits for ever.
class Responder {
public:
    class State;
    explicit Responder(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
    void operator()(HttpResponse response) const;

private:
    std::shared_ptr<State> state_;
};

/// An HTTP/1.1 server for JSON on a Unix socket, for an administrator and not for the world.
///
/// Threads: it owns one, on which `Handler` runs: a handler that blocks, blocks everybody. An
/// exception in it is answered with a 500. `stop()` and the destructor may be called from any other
/// thread.
class HttpServer {
public:
    using Handler = std::function<void(HttpRequest, Responder)>;

    struct Settings {
        std::string address;  ///< "unix:/run/umbra/admin.sock"
        std::size_t body_max = 4 * 1024 * 1024;
        std::size_t header_max = 16 * 1024;
        std::size_t connections_max = 256;
        Duration idle_max = std::chrono::seconds{30};     ///< Between bytes and between requests.
        Duration answer_max = std::chrono::seconds{120};  ///< For the handler; then 504.
    };

    /// Listens and serves until `stop()`. The socket has mode 0660; its directory is made (0750)
    /// when missing. The socket of a process that is dead is replaced.
    /// @return `conflict` when a living process listens there or something else is in the way,
    ///         `invalid` for an address that cannot work, `denied`/`unavailable` from the system.
    static Result<HttpServer> start(Settings settings, Handler handler);

    HttpServer(HttpServer&&) noexcept;
    HttpServer& operator=(HttpServer&&) noexcept;
    ~HttpServer();

    /// Ends the listener and every connection, removes the socket, joins the thread. Idempotent.
    void stop();

private:
    class Impl;
    explicit HttpServer(std::unique_ptr<Impl> impl) noexcept;
    std::unique_ptr<Impl> impl_;
};

}  // namespace umbra::base
