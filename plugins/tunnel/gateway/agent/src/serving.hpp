#pragma once

#include "dial.hpp"
#include "mapping_table.hpp"
#include <umbra/gateway/link.hpp>

#include <functional>
#include <map>
#include <memory>
#include <string>

namespace umbra::gateway {

inline constexpr std::size_t streams_served_max = 131'072;
inline constexpr std::size_t backend_dials_max = 1024;

/// The streams that the gateway opens: lets them in or refuses them, and connects each to its
/// internal system. Belongs to the loop's thread; lives until the loop is empty.
class Serving {
public:
    struct Events {
        std::function<void(std::string text)> on_denied{};  ///< Not permitted by any mapping.
        std::function<void()> on_count{};                   ///< `streams()` changed.
    };

    Serving(boost::asio::io_context& io, Duration connect_timeout, Events events)
        : io_(io), connect_timeout_(connect_timeout), events_(std::move(events)) {}

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
    struct Served {
        std::shared_ptr<Stream> stream;
        std::shared_ptr<Dial> dial;  ///< While the internal system has not answered.
        std::string mapping;
    };
    void connect(std::uint64_t key, const Endpoint& to);
    void on_dialed(std::uint64_t key, Result<boost::asio::ip::tcp::socket> result);
    void forget(std::uint64_t key);

    boost::asio::io_context& io_;
    const Duration connect_timeout_;
    const Events events_;
    MappingTable mappings_;
    std::uint64_t epoch_ = 0;  ///< 0: the gate is closed.
    StatusCode closed_code_ = StatusCode::stale_epoch;
    std::string closed_text_ = "this node is not active";
    std::map<std::uint64_t, Served> served_;
    std::uint64_t next_key_ = 1;
    std::size_t dials_ = 0;
};

}  // namespace umbra::gateway
