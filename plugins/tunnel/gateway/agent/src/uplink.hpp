#pragma once

#include "backoff.hpp"
#include "gateway_dial.hpp"
#include <umbra/gateway/link.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <memory>
#include <random>
#include <string>

namespace umbra::gateway {

/// One of the connections that the agent keeps to the gateway: dials, says Hello, and begins anew
/// when it breaks. Belongs to the loop's thread; lives until the loop is empty.
class Uplink {
public:
    struct Settings {
        Route route;
        Duration connect_timeout;
        Duration reconnect_max;
        std::shared_ptr<MemoryBudget> budget;
        std::shared_ptr<SparseTraffic> sparse;
        Loop* loop = nullptr;  ///< Of its bytes; null: the one of everything else.
    };
    struct Events {
        std::function<void(const msg::Welcome&)> on_welcome{};
        std::function<void(const ControlMessage&)> on_control{};  ///< After the welcome.
        std::function<void(std::shared_ptr<Stream>)> on_stream{};
        std::function<void()> on_down{};    ///< After a welcome: the link is gone.
        std::function<void()> on_change{};  ///< `is_up()`, `is_refused()` or `trouble()` changed.
    };

    Uplink(boost::asio::io_context& io, Settings settings, TlsIdentity identity, Events events);

    /// Dials as soon as nothing else is under way. `hello` is said after every connect.
    void start(std::function<msg::Hello()> hello, KeyPins gateway);
    /// Dials again at once if it waits, and believes other keys of the gateway.
    void kick(KeyPins gateway);
    /// The keys of the gateway, and the own one, from the next dial on.
    void believe(KeyPins gateway) { gateway_ = std::move(gateway); }
    void show(TlsIdentity identity) { identity_ = std::move(identity); }
    void stop(std::string why);
    void send(const ControlMessage& message) { link_->send(message); }

    /// The link is up but made with keys that were changed since.
    [[nodiscard]] bool is_outdated() const;
    /// The link gets no new streams and is the last one; stop() once it is_idle().
    void retire();
    /// It has no streams, and all that they sent is on its way.
    [[nodiscard]] bool is_idle() const;
    /// An attempt has failed, and the next one is not due yet.
    [[nodiscard]] bool is_waiting() const noexcept { return phase_ == Phase::waiting; }
    /// Stopped, and nothing of it is left.
    [[nodiscard]] bool is_over() const;

    [[nodiscard]] bool is_up() const noexcept { return phase_ == Phase::up; }
    /// Null unless it is up.
    [[nodiscard]] Link* link() const noexcept { return is_up() ? link_.get() : nullptr; }
    /// The last attempt was turned away by the gateway, or by us for its key.
    [[nodiscard]] bool is_refused() const noexcept { return refused_; }
    /// Of the last link that had been up, once it is down: when it said anything last.
    [[nodiscard]] Instant last_heard() const noexcept { return last_heard_; }
    /// Why it is not up, and when the next attempt is made; empty while up.
    [[nodiscard]] const std::string& trouble() const noexcept { return trouble_; }

private:
    enum class Phase { idle, dialing, greeting, up, waiting, stopped };

    void dial();
    void on_socket(boost::asio::ip::tcp::socket socket);
    void on_control(ControlMessage message);
    void on_closed(const LinkClosed& closed);
    void lost(std::string why);

    boost::asio::io_context& io_;
    const Settings settings_;
    TlsIdentity identity_;
    const Events events_;
    std::function<msg::Hello()> hello_;
    KeyPins gateway_;
    Phase phase_ = Phase::idle;
    bool refused_ = false;
    std::string said_;  ///< Last words of the gateway on this link.
    bool turned_away_ = false;
    bool retires_ = false;
    std::string trouble_ = "not dialed yet";
    Backoff backoff_;
    Instant up_since_{};
    Instant last_heard_{};
    std::minstd_rand random_;
    boost::asio::steady_timer timer_;
    std::shared_ptr<GatewayDial> dial_;
    std::shared_ptr<Link> link_;
};

}  // namespace umbra::gateway
