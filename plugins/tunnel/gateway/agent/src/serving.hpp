#pragma once

#include "backend_dial.hpp"
#include "mapping_table.hpp"
#include "options.hpp"
#include "relay.hpp"
#include <umbra/gateway/link.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace umbra::gateway {

inline constexpr std::size_t streams_served_max = 131'072;
inline constexpr std::size_t backend_dials_max = 1024;
/// After its stream ended in order, a relay has this long to bring the last bytes to the backend.
inline constexpr Duration relay_linger = std::chrono::seconds(30);

/// The streams that the gateway opens: lets them in or refuses them, and connects each to its
/// internal system; `tcp` directly, the other protocols by a relay. Belongs to the loop's thread;
/// lives until the loop is empty.
class Serving {
public:
    struct Events {
        /// Not permitted: a stream by no mapping, a request by no resource, an address by no rule.
        std::function<void(std::string text)> on_denied{};
        /// A backend did not do its part; at most once a second.
        std::function<void(std::string text)> on_failed{};
        std::function<void()> on_count{};  ///< `streams()` changed.
    };

    /// @param options  With networks that can be read.
    Serving(boost::asio::io_context& io, const AgentOptions& options, Events events);

    /// Streams of this epoch are let in from now on.
    void open_gate(std::uint64_t epoch);
    /// Every new stream is refused with this.
    void close_gate(StatusCode code, std::string text);
    [[nodiscard]] bool gate_is_open() const noexcept { return epoch_ != 0; }

    /// Cuts the streams of mappings that no longer permit them; touches no others.
    void set_mappings(MappingTable table);
    void offer(std::shared_ptr<Stream> stream);
    void cut_all(const std::string& why);
    [[nodiscard]] std::size_t streams() const noexcept { return served_.size(); }

private:
    struct Relayed {
        std::shared_ptr<Relay> relay;
        bool stream_over = false;  ///< Only its relay is left.
        bool relay_over = false;   ///< With a fault: the stream is being reset.
        std::unique_ptr<boost::asio::steady_timer> linger{};
    };
    /// There may be tens of thousands that are idle: what few of them need is apart.
    struct Served {
        std::shared_ptr<Stream> stream;
        std::shared_ptr<const Mapping> rules;  ///< By which it was let in.
        std::unique_ptr<Relayed> relayed{};    ///< Not of plain tcp.
    };
    static_assert(sizeof(Served) <= 40);
    void connect(std::uint64_t key, const MappingTable::Decision& decision);
    void on_dialed(std::uint64_t key, Result<BackendConnection> result);
    void relay_bytes(std::uint64_t key, BackendConnection connection);
    void relay_http(std::uint64_t key, const MappingTable::Decision& decision);
    void on_stream_closed(std::uint64_t key, StreamEnd end);
    void on_relay_over(std::uint64_t key, const std::string& why);
    void denied(const Stream& stream, const std::string& text);
    void failed(const Stream& stream, const std::string& text);
    void cut(const std::vector<std::uint64_t>& keys, const std::string& why);
    void forget(std::uint64_t key);

    boost::asio::io_context& io_;
    BackendPlace place_;
    const Duration response_timeout_;
    const Events events_;
    MappingTable mappings_;
    std::uint64_t epoch_ = 0;  ///< 0: the gate is closed.
    StatusCode closed_code_ = StatusCode::stale_epoch;
    std::string closed_text_ = "this node is not active";
    std::unordered_map<std::uint64_t, Served> served_;
    /// While the internal system has not answered.
    std::unordered_map<std::uint64_t, std::shared_ptr<BackendDial>> dials_;
    std::uint64_t next_key_ = 1;
    Instant failed_told_{};
    std::uint64_t failed_untold_ = 0;
};

}  // namespace umbra::gateway
