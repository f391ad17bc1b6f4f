#pragma once

#include <umbra/etcd/endpoint.hpp>
#include <umbra/etcd/http_connection.hpp>
#include <umbra/etcd/json_text.hpp>
#include <umbra/sdk/result.hpp>
#include <umbra/sdk/time.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

namespace umbra::etcd {

/// Pause after every member was tried in vain; it doubles up to the second.
inline constexpr std::chrono::milliseconds pause_min{50};
inline constexpr std::chrono::milliseconds pause_max{1000};

/// Members that a client is given, at most.
inline constexpr std::size_t endpoints_max = 16;

struct ClientSettings {
    /// Tried in order, beginning with the one that answered last.
    std::vector<Endpoint> endpoints;
    TlsFiles tls;
    std::string user;  ///< Empty: without authentication.
    std::string password;
    Duration connect_timeout = std::chrono::seconds{2};
    Duration request_timeout = std::chrono::seconds{5};
    Duration patience = std::chrono::seconds{30};
    /// For the log: a member is lost, or found again.
    std::function<void(const std::string&)> warn = [](const std::string&) {};
};

/// The first line of a file. `invalid` when there is none to read.
Result<std::string> read_password(const std::string& file);

/// Asks a cluster, and goes on asking while no member can answer: `patience` long.
///
/// A request may be carried out more than once, or late; the caller makes that harmless.
///
/// Errors: `timeout` when it is unknown whether a commit was carried out; all others say that it
/// was not: `unavailable` when no member could answer in time, `denied`, `exhausted` (the store is
/// full), `invalid` (too large), `data_loss` (etcd says that it is damaged), `closed` after
/// `interrupt()`.
///
/// Threads: one, but for `interrupt()`.
class Client {
public:
    explicit Client(ClientSettings settings);

    /// Reads the files of TLS.
    Result<Done> load_files() { return connection_.load_files(); }
    Result<Found> range(const std::string& key, const std::string& end, std::size_t limit,
                        bool count_only = false);
    Result<Outcome> commit(const Transaction& transaction);
    /// The same for one that only reads: no error says that its effect is unknown.
    Result<Outcome> look(const Transaction& transaction);
    void close() { connection_.close(); }

    /// No more waiting: what fails from now on fails at once.
    void interrupt() noexcept;
    [[nodiscard]] std::string where() const;

private:
    using Clock = std::chrono::steady_clock;
    struct Attempt;
    /// @return The body of an answer with status 200.
    Result<std::string> ask(const std::string& target, const std::string& body, bool writes);
    Result<std::string> try_once(const std::string& target, const std::string& body,
                                 Attempt& attempt);
    Result<Done> authenticate(Attempt& attempt);
    Error refused(const HttpAnswer& answer, Attempt& attempt);
    /// False: interrupted.
    bool pause(std::chrono::milliseconds length);
    [[nodiscard]] bool interrupted();

    ClientSettings settings_;
    HttpConnection connection_;
    std::size_t member_ = 0;
    std::string token_;
    bool in_trouble_ = false;

    std::mutex mutex_;
    std::condition_variable wake_;
    bool interrupted_ = false;  // guarded by mutex_
};

}  // namespace umbra::etcd
