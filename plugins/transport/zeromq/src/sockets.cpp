#include "sockets.hpp"

#include "endpoint.hpp"
#include <umbra/sdk/plugin.hpp>

#include <atomic>
#include <cstring>
#include <thread>

namespace umbra::zeromq {

namespace {

/// ZMQ_ZAP_ENFORCE_DOMAIN: a draft name, so not declared, but honoured by release builds. Without
/// it a socket whose handler is missing lets everybody in.
constexpr int zap_enforce_domain = 93;

constexpr int listener_events = ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL;
constexpr int dialer_events = ZMQ_EVENT_CONNECTED | ZMQ_EVENT_DISCONNECTED |
                              ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
                              ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH;

int to_ms(Duration duration) {
    return static_cast<int>(std::chrono::duration_cast<Millis>(duration).count());
}

void set_limits(zmq::socket_t& socket, const Options& options) {
    socket.set(zmq::sockopt::linger, 0);
    socket.set(zmq::sockopt::sndhwm, queue_messages_max);
    socket.set(zmq::sockopt::rcvhwm, queue_messages_max);
    socket.set(zmq::sockopt::maxmsgsize, options.max_message + curve_overhead);
    socket.set(zmq::sockopt::handshake_ivl, to_ms(options.handshake_interval));
}

void make_server(zmq::socket_t& socket, const KeyPair& own, const char* domain) {
    socket.set(zmq::sockopt::curve_server, true);
    socket.set(zmq::sockopt::curve_secretkey, own.secret_key);
    socket.set(zmq::sockopt::zap_domain, domain);
    const int one = 1;
    if (::zmq_setsockopt(socket.handle(), zap_enforce_domain, &one, sizeof one) != 0)
        throw Failure{Errc::unsupported,
                      "this libzmq does not know ZAP_ENFORCE_DOMAIN, so it would let strangers in "
                      "if authentication failed; use libzmq 4.3.4 or a later build with it"};
}

void make_client(zmq::socket_t& socket, const KeyPair& own, const std::string& server_key,
                 const Options& options) {
    socket.set(zmq::sockopt::curve_serverkey, server_key);
    socket.set(zmq::sockopt::curve_publickey, own.public_key);
    socket.set(zmq::sockopt::curve_secretkey, own.secret_key);
    const int heartbeat = to_ms(options.heartbeat);
    socket.set(zmq::sockopt::heartbeat_ivl, heartbeat);
    socket.set(zmq::sockopt::heartbeat_timeout, heartbeat * heartbeats_missed_max);
    // What the other side holds against us; it sends no heartbeats of its own.
    socket.set(zmq::sockopt::heartbeat_ttl, heartbeat * heartbeats_missed_max);
    socket.set(zmq::sockopt::immediate, true);
    socket.set(zmq::sockopt::reconnect_ivl, static_cast<int>(reconnect_min.count()));
    socket.set(zmq::sockopt::reconnect_ivl_max, static_cast<int>(reconnect_max.count()));
    socket.set(zmq::sockopt::connect_timeout, static_cast<int>(connect_timeout.count()));
}

std::optional<sockaddr_storage> peer_of(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return std::nullopt;
    return address;
}

}  // namespace

Monitor::Monitor(zmq::context_t& context, zmq::socket_t& socket, int events) : socket_(socket) {
    static std::atomic<std::uint64_t> counter{0};
    const std::string address = "inproc://monitor-" + std::to_string(++counter);
    reader_ = zmq::socket_t{context, zmq::socket_type::pair};
    reader_.set(zmq::sockopt::rcvhwm, 0);
    reader_.set(zmq::sockopt::linger, 0);
    if (::zmq_socket_monitor(socket.handle(), address.c_str(), events) != 0) throw zmq::error_t{};
    reader_.connect(address);
    fd_ = reader_.get(zmq::sockopt::fd);
    // There is nothing yet; but only who found nothing is woken by what comes.
    static_cast<void>(next());
}

Monitor::~Monitor() { ::zmq_socket_monitor(socket_.handle(), nullptr, 0); }

std::optional<Monitor::Event> Monitor::next() {
    zmq::message_t head, endpoint;
    if (!reader_.recv(head, zmq::recv_flags::dontwait)) return std::nullopt;
    if (head.more()) static_cast<void>(reader_.recv(endpoint, zmq::recv_flags::none));
    Event event;
    if (head.size() != sizeof event.type + sizeof event.value) return event;
    std::memcpy(&event.type, head.data(), sizeof event.type);
    std::memcpy(&event.value, static_cast<const char*>(head.data()) + sizeof event.type,
                sizeof event.value);
    return event;
}

Listener::Listener(zmq::context_t& context, zmq::socket_type type, const char* domain,
                   const KeyPair& own, const Options& options, std::string endpoint)
    : context_(context),
      type_(type),
      domain_(domain),
      own_(own),
      options_(options),
      endpoint_(std::move(endpoint)) {}

Result<Done> Listener::open() {
    const auto parsed = parse_endpoint(endpoint_, true);
    if (!parsed.ok()) return parsed.error();
    auto socket = std::make_unique<zmq::socket_t>(context_, type_);
    set_limits(*socket, options_);
    make_server(*socket, own_, domain_);
    socket->set(zmq::sockopt::ipv6, parsed->ipv6);
    if (type_ == zmq::socket_type::router) socket->set(zmq::sockopt::router_mandatory, true);
    auto monitor = std::make_unique<Monitor>(context_, *socket, listener_events);

    const TimePoint give_up = Clock::now() + bind_wait;
    while (::zmq_bind(socket->handle(), endpoint_.c_str()) != 0) {
        const int code = ::zmq_errno();
        if (code != EADDRINUSE || Clock::now() > give_up)
            return Error{code == EINVAL ? Errc::invalid : Errc::unavailable,
                         "cannot listen on " + endpoint_ + ": " + ::zmq_strerror(code), code};
        std::this_thread::sleep_for(Millis{1});
    }
    endpoint_ = socket->get(zmq::sockopt::last_endpoint);
    socket_ = std::move(socket);
    monitor_ = std::move(monitor);
    return Done{};
}

Result<Done> Listener::reopen() {
    close();
    return open();
}

void Listener::close() {
    monitor_.reset();
    socket_.reset();
}

Dialer::Dialer(zmq::context_t& context, zmq::socket_type type, KeyPair own, std::string server_key,
               const Options& options, std::string endpoint)
    : context_(context),
      type_(type),
      own_(std::move(own)),
      server_key_(std::move(server_key)),
      options_(options),
      endpoint_(std::move(endpoint)) {
    dial();
}

void Dialer::dial() {
    auto socket = std::make_unique<zmq::socket_t>(context_, type_);
    set_limits(*socket, options_);
    make_client(*socket, own_, server_key_, options_);
    socket->set(zmq::sockopt::ipv6, endpoint_.find('[') != std::string::npos);
    if (type_ == zmq::socket_type::sub) socket->set(zmq::sockopt::subscribe, "");
    auto monitor = std::make_unique<Monitor>(context_, *socket, dialer_events);
    socket->connect(endpoint_);
    monitor_ = std::move(monitor);  // the old one ends before its socket
    socket_ = std::move(socket);
    up_ = false;
    redial_at_ = Clock::now() + redial_when_down;
}

std::vector<LinkChange> Dialer::step(TimePoint now, bool changed) {
    std::vector<LinkChange> changes;
    while (changed) {
        const auto event = monitor_->next();
        if (!event) break;
        if (auto change = on_event(*event, now)) changes.push_back(std::move(*change));
    }
    if (up_ || now < redial_at_) return changes;
    try {
        dial();
    } catch (const zmq::error_t&) {
        redial_at_ = now + redial_max;  // out of descriptors, most likely: the old socket stays
    }
    return changes;
}

std::optional<LinkChange> Dialer::on_event(const Monitor::Event& event, TimePoint now) {
    using Type = LinkChange::Type;
    const auto redial_soon = [&] {
        redial_at_ = now + back_off_;
        back_off_ = std::min(back_off_ * 2, redial_max);
    };
    switch (event.type) {
        case ZMQ_EVENT_CONNECTED:
            if (const auto address = peer_of(static_cast<int>(event.value))) address_ = address;
            return std::nullopt;
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
            up_ = true;
            back_off_ = redial_min;
            redial_at_ = TimePoint::max();
            return LinkChange{Type::up, "connected to " + endpoint_};
        case ZMQ_EVENT_DISCONNECTED:
            if (!up_) return std::nullopt;
            up_ = false;
            redial_at_ = now + redial_when_down;
            return LinkChange{Type::lost, "the connection to " + endpoint_ + " broke"};
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
            redial_soon();
            return LinkChange{Type::denied, endpoint_ + " refuses this key (status " +
                                                std::to_string(event.value) + ")"};
        case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
            redial_soon();
            return LinkChange{Type::failed,
                              endpoint_ +
                                  " does not let this key in yet, or has another key than "
                                  "the pinned one"};
        default:
            return std::nullopt;
    }
}

}  // namespace umbra::zeromq
