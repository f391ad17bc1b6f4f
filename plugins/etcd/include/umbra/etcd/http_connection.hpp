#pragma once

#include <umbra/etcd/endpoint.hpp>
#include <umbra/sdk/result.hpp>
#include <umbra/sdk/time.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace umbra::etcd {

/// Bytes of one answer; more is `exhausted`.
inline constexpr std::size_t answer_bytes_max = std::size_t{48} << 20;

/// Who is believed, and who one is. Paths of PEM files; empty: the system's authorities, nobody.
struct TlsFiles {
    std::string ca;
    std::string certificate;
    std::string key;
};

struct HttpAnswer {
    unsigned status = 0;
    std::string body;
};

/// One connection to one member, kept open between requests. Blocks, within its timeouts.
///
/// Errors: `unavailable` when the member cannot be reached, `denied` when its certificate or ours
/// is not accepted, `timeout` when no answer came (the effect is unknown), `closed` when the
/// connection broke before the answer was there (the effect is unknown). After each the connection
/// is gone.
///
/// Threads: one.
class HttpConnection {
public:
    HttpConnection(TlsFiles files, Duration connect_timeout, Duration request_timeout);
    ~HttpConnection();
    HttpConnection(const HttpConnection&) = delete;
    HttpConnection& operator=(const HttpConnection&) = delete;

    /// `denied` or `invalid` naming the file that cannot be used.
    Result<Done> load_files();
    Result<Done> connect(const Endpoint& endpoint);
    void close() noexcept;
    /// Looks whether the other side has ended it.
    [[nodiscard]] bool is_open();

    /// @param token  Of the authorisation; empty: none.
    Result<HttpAnswer> post(const std::string& target, std::string body, const std::string& token);

    /// Begins an answer that comes in parts for as long as the connection lives: only `next_part`
    /// and `close` may follow. @return The whole answer when the status is not 200.
    Result<HttpAnswer> stream(const std::string& target, std::string body,
                              const std::string& token);
    /// Waits for some bytes of it. A member that is silently gone is noticed after some seconds.
    Result<std::string> next_part();
    /// From any thread: what waits, now or next, fails with `closed`.
    void interrupt();

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace umbra::etcd
