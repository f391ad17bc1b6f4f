#pragma once

#include <umbra/etcd/client.hpp>
#include <umbra/etcd/http_connection.hpp>
#include <umbra/sdk/result.hpp>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace umbra::etcd {

/// Pause before another member is asked to tell of changes; it doubles while none does.
inline constexpr std::chrono::milliseconds watch_pause_min{250};
inline constexpr std::chrono::milliseconds watch_pause_max{4000};
/// One message of a watch; more ends the connection.
inline constexpr std::size_t watch_line_bytes_max = std::size_t{16} << 20;

/// Hears of changes of a range of keys at once, over a connection of its own that is made anew,
/// with the next member, whenever it ends. What changes between two connections is not told: so
/// whoever uses it looks when one has begun, and now and then besides.
///
/// Threads: its own, which calls the events.
class Watch {
public:
    struct Events {
        /// A key was changed, or is gone.
        std::function<void(const std::string& key)> on_key;
        /// Changes are told from now on, or, with false, no more.
        std::function<void(bool)> on_state;
    };

    Watch(ClientSettings settings, const std::string& key, const std::string& end, Events events);
    /// Ends it, without waiting for etcd.
    ~Watch();
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;

    /// Reads the files of TLS and begins.
    Result<Done> start();

private:
    void run();
    /// One connection, until it ends. @return why
    Error follow();
    Result<std::string> authenticate();
    [[nodiscard]] Result<Done> read(std::string& lines);

    const ClientSettings settings_;
    const std::string request_;
    const Events events_;
    HttpConnection connection_;
    std::size_t member_ = 0;
    bool told_ = false;  ///< `on_state(true)` was called last.
    std::chrono::milliseconds pause_ = watch_pause_min;

    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;  // guarded by mutex_
    std::thread thread_;
};

}  // namespace umbra::etcd
