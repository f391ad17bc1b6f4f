#pragma once

#include "channel_port.hpp"
#include <umbra/gateway/link.hpp>
#include <umbra/sdk/tunnel.hpp>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace umbra::gateway {

inline constexpr std::size_t channel_streams_max = 8192;  ///< Of all channels of a tunnel.
inline constexpr std::size_t channel_waiting_max = 1024;  ///< Of them: without a link yet.

/// The service channels of a tunnel: ports at this instance that lead to services at the gateway's
/// side. They are open while this node serves an epoch. A user is not read before the gateway said
/// yes; while no link is up, he waits. Belongs to the loop's thread; lives until the loop is empty.
class Channels {
public:
    struct Events {
        /// Asks the gateway for a stream. `unavailable`: not now, the user may wait.
        std::function<Result<std::shared_ptr<Stream>>(OpenRequest)> open{};
        std::function<void()> on_change{};              ///< `streams()` or `trouble()` changed.
        std::function<void(std::string)> on_refused{};  ///< Of a user who got nowhere.
    };

    /// @param patience  How long a user waits for a link.
    Channels(boost::asio::io_context& io, Duration patience, Events events);

    /// Opens ports that are new, closes those that are gone, and cuts the streams of channels that
    /// no longer lead where they led; touches no others.
    void set(const std::vector<Channel>& channels);
    /// From now on there are ports, and streams of this epoch.
    void open_gate(std::uint64_t epoch);
    /// Closes the ports and turns away who waits; streams live on.
    void close_gate();
    /// The gateway routes to this node: who waits is tried again.
    void release();
    void cut_all(const std::string& why);

    /// With those that are still being opened.
    [[nodiscard]] std::size_t streams() const noexcept { return calls_.size(); }
    /// Ports that are wanted and not open; empty when there are none.
    [[nodiscard]] std::string trouble() const;
    /// Where a channel listens; 0 when it does not.
    [[nodiscard]] std::uint16_t port(const std::string& name) const;

private:
    struct Way {
        Channel channel;
        Endpoint listen, target;
        std::shared_ptr<ChannelPort> port;  ///< While the gate is open.
    };
    /// A user, until his stream ended.
    struct Call {
        std::string channel;
        Endpoint target;
        std::string client;  ///< "host:port", for logs.
        boost::asio::ip::tcp::socket socket;
        std::shared_ptr<Stream> stream;  ///< None while he waits.
        Instant deadline;
    };

    void open_port(Way& way);
    void close_port(Way& way);
    void on_user(const std::string& name, boost::asio::ip::tcp::socket socket);
    void call(std::uint64_t key);
    void on_status(std::uint64_t key, const OpenStatus& status);
    void wait(std::uint64_t key);
    void arm_timer();
    void on_timer();
    void turn_away(std::uint64_t key, const std::string& why);
    void forget(std::uint64_t key);
    void cut(const std::function<bool(const Call&)>& which, const std::string& why);

    boost::asio::io_context& io_;
    const Duration patience_;
    const Events events_;
    std::uint64_t epoch_ = 0;  ///< 0: the gate is closed.
    std::map<std::string, Way> ways_;
    std::map<std::uint64_t, Call> calls_;
    std::deque<std::uint64_t> waiting_;  ///< In the order of their deadlines.
    std::uint64_t next_key_ = 1;
    boost::asio::steady_timer timer_;
};

}  // namespace umbra::gateway
