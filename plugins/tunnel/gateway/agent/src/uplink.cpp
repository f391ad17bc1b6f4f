#include "uplink.hpp"

#include <chrono>

namespace umbra::gateway {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

/// A link that lived shorter than this did not work: its end does not make the next retry
/// immediate.
constexpr Duration worked_after = 1s;
/// The agent is more patient than the gateway: giving up a link that still works costs more than
/// noticing late that one does not.
constexpr int leases_until_dead = 3;
constexpr Duration lease_default = 600ms;

}  // namespace

Uplink::Uplink(asio::io_context& io, Settings settings, TlsIdentity identity, Events events)
    : io_(io),
      settings_(std::move(settings)),
      identity_(std::move(identity)),
      events_(std::move(events)),
      backoff_(settings_.reconnect_max),
      random_(std::random_device{}()),
      timer_(io) {}

void Uplink::start(std::function<msg::Hello()> hello, KeyPins gateway) {
    hello_ = std::move(hello);
    gateway_ = std::move(gateway);
    if (phase_ == Phase::idle) dial();
}

void Uplink::kick(KeyPins gateway) {
    gateway_ = std::move(gateway);
    if (phase_ != Phase::waiting) return;
    backoff_.reset();
    timer_.cancel();
    dial();
}

void Uplink::stop(std::string why) {
    phase_ = Phase::stopped;
    timer_.cancel();
    if (dial_) dial_->cancel();
    if (!link_) return;
    link_->send(msg::Bye{why});
    link_->close(std::move(why));
}

bool Uplink::is_outdated() const {
    return is_up() &&
           (link_->own_pin() != identity_.pin() || !gateway_.contains(link_->peer_pin()));
}

void Uplink::retire() {
    retires_ = true;
    if (!is_up())
        stop("another link has taken its place");
    else if (link_->minor() >= 1)
        link_->send(msg::Retire{});
}

bool Uplink::is_idle() const { return is_up() && link_->streams() == 0 && link_->unsent() == 0; }

bool Uplink::is_over() const { return phase_ == Phase::stopped && !link_ && !dial_; }

void Uplink::dial() {
    phase_ = Phase::dialing;
    dial_ = GatewayDial::start(io_, settings_.route, settings_.connect_timeout,
                               [this](Result<asio::ip::tcp::socket> result) {
                                   dial_.reset();
                                   if (!result) {
                                       refused_ = false;
                                       return lost(result.error().message);
                                   }
                                   on_socket(std::move(*result));
                               });
}

void Uplink::on_socket(asio::ip::tcp::socket socket) {
    phase_ = Phase::greeting;
    said_.clear();
    turned_away_ = false;
    link_ = Link::make(std::move(socket), identity_,
                       {.expected = gateway_,
                        .budget = settings_.budget,
                        .sparse = settings_.sparse,
                        .loop = settings_.loop});
    link_->start({.on_ready = [this] { link_->send(hello_()); },
                  .on_control = [this](ControlMessage m) { on_control(std::move(m)); },
                  .on_open = [this](std::shared_ptr<Stream> s) { events_.on_stream(std::move(s)); },
                  .on_closed = [this](const LinkClosed& closed) { on_closed(closed); }});
}

void Uplink::on_control(ControlMessage message) {
    if (const auto* bye = std::get_if<msg::Bye>(&message)) {
        said_ = bye->text;
    } else if (const auto* refused = std::get_if<msg::Refused>(&message)) {
        said_ = refused->text;
        turned_away_ = true;
    } else if (const auto* welcome = std::get_if<msg::Welcome>(&message)) {
        if (phase_ != Phase::greeting) return;
        phase_ = Phase::up;
        refused_ = false;
        trouble_.clear();
        up_since_ = boot_now();
        const Duration lease =
            welcome->lease_ms > 0 ? std::chrono::milliseconds(welcome->lease_ms) : lease_default;
        const Duration ping =
            welcome->ping_ms > 0 ? std::chrono::milliseconds(welcome->ping_ms) : lease / 4;
        link_->admit(ping, lease * leases_until_dead, lease);
        events_.on_welcome(*welcome);
        events_.on_change();
    } else if (phase_ == Phase::up) {
        events_.on_control(message);
    }
}

void Uplink::on_closed(const LinkClosed& closed) {
    link_.reset();
    if (phase_ == Phase::stopped) return;
    const bool was_up = phase_ == Phase::up;
    if (retires_) {
        phase_ = Phase::stopped;
        return events_.on_down();
    }
    if (was_up) last_heard_ = closed.last_heard;
    if (was_up && boot_now() - up_since_ >= worked_after) backoff_.reset();
    // A wrong key will be wrong the next time: say so instead of "connecting".
    refused_ = turned_away_ || closed.why == LinkClosed::Why::wrong_key;
    std::string why = closed.text;
    if (!said_.empty()) why = "the gateway " + to_text(settings_.route.gateway) + " says: " + said_;
    // State first: whoever is told looks.
    phase_ = Phase::waiting;
    if (was_up) events_.on_down();
    lost(std::move(why));
}

void Uplink::lost(std::string why) {
    phase_ = Phase::waiting;
    const Duration pause = backoff_.next(static_cast<std::uint32_t>(random_()));
    trouble_ =
        std::move(why) + "; attempt " + std::to_string(backoff_.attempts() + 1) +
        (pause == Duration::zero() ? " at once" : " in " + std::to_string(pause / 1ms) + " ms");
    timer_.expires_after(pause);
    timer_.async_wait([this](boost::system::error_code error) {
        if (!error && phase_ == Phase::waiting) dial();
    });
    events_.on_change();
}

}  // namespace umbra::gateway
