#include "channels.hpp"

#include <algorithm>
#include <set>
#include <sys/socket.h>
#include <utility>

namespace umbra::gateway {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

/// With a reset, so that the user does not take it for an empty answer.
void abort_user(tcp::socket& socket) {
    boost::system::error_code ignored;
    socket.set_option(asio::socket_base::linger(true, 0), ignored);
    socket.close(ignored);
}

std::string address_of(const tcp::socket& socket) {
    boost::system::error_code error;
    const auto peer = socket.remote_endpoint(error);
    return error ? "unknown" : to_text(Endpoint{peer.address().to_string(), peer.port()});
}

/// Port 0, "any free one", is for whoever asks where it listens.
Result<Endpoint> parse_listen(const std::string& text) {
    if (!text.ends_with(":0")) return parse_endpoint(text);
    auto endpoint = parse_endpoint(text.substr(0, text.size() - 1) + "1");
    if (endpoint) endpoint->port = 0;
    return endpoint;
}

}  // namespace

Channels::Channels(asio::io_context& io, Duration patience, Events events)
    : io_(io), patience_(patience), events_(std::move(events)), timer_(io) {}

// --- ports ---------------------------------------------------------------------------------------

void Channels::set(const std::vector<Channel>& channels) {
    std::set<std::string> names;
    for (const Channel& channel : channels) names.insert(channel.name);
    for (auto it = ways_.begin(); it != ways_.end();) {
        const bool stays = names.contains(it->first);
        if (!stays) close_port(it->second);
        it = stays ? std::next(it) : ways_.erase(it);
    }
    for (const Channel& channel : channels) {
        Way& way = ways_[channel.name];
        if (way.channel == channel) continue;
        const bool moves = way.channel.listen != channel.listen;
        if (moves) close_port(way);
        way.channel = channel;
        // The host checked both; an endpoint that cannot be read stays without a port.
        const auto listen = parse_listen(channel.listen), target = parse_endpoint(channel.target);
        way.listen = listen ? *listen : Endpoint{};
        way.target = target ? *target : Endpoint{};
    }
    cut(
        [this](const Call& one) {
            const auto found = ways_.find(one.channel);
            return found == ways_.end() || found->second.target != one.target;
        },
        "its channel was changed or removed");
    // Last, so that a port may go from one channel to another.
    if (epoch_ != 0)
        for (auto& [name, way] : ways_) open_port(way);
    if (events_.on_change) events_.on_change();
}

void Channels::open_gate(std::uint64_t epoch) {
    epoch_ = epoch;
    for (auto& [name, way] : ways_) open_port(way);
}

void Channels::close_gate() {
    epoch_ = 0;
    for (auto& [name, way] : ways_) close_port(way);
    for (const std::uint64_t key : std::exchange(waiting_, {}))
        turn_away(key, "this node does not serve any more");
    timer_.cancel();
}

void Channels::open_port(Way& way) {
    if (way.port || way.target.port == 0) return;
    way.port = ChannelPort::open(
        io_, way.listen,
        {.on_socket = [this, name = way.channel.name](
                          tcp::socket socket) { on_user(name, std::move(socket)); },
         .on_change =
             [this] {
                 if (events_.on_change) events_.on_change();
             }});
}

void Channels::close_port(Way& way) {
    if (way.port) std::exchange(way.port, nullptr)->close();
}

std::string Channels::trouble() const {
    std::string first;
    std::size_t count = 0;
    for (const auto& [name, way] : ways_) {
        if (!way.port || way.port->trouble().empty()) continue;
        if (++count == 1) first = "channel " + name + ": " + way.port->trouble();
    }
    return count < 2 ? first : first + " (" + std::to_string(count - 1) + " more)";
}

std::uint16_t Channels::port(const std::string& name) const {
    const auto found = ways_.find(name);
    return found == ways_.end() || !found->second.port ? 0 : found->second.port->port();
}

// --- users ---------------------------------------------------------------------------------------

void Channels::on_user(const std::string& name, tcp::socket socket) {
    const auto found = ways_.find(name);
    if (found == ways_.end()) return abort_user(socket);
    const std::uint64_t key = next_key_++;
    auto client = address_of(socket);
    calls_.emplace(key, Call{name, found->second.target, std::move(client), std::move(socket),
                             nullptr, boot_now() + patience_});
    if (calls_.size() > channel_streams_max)
        return turn_away(key,
                         "more than " + std::to_string(channel_streams_max) + " streams at a time");
    call(key);
    if (events_.on_change) events_.on_change();
}

void Channels::call(std::uint64_t key) {
    Call& one = calls_.at(key);
    auto opened = events_.open({epoch_, one.target.host, one.target.port, one.client});
    if (!opened && opened.error().code == Errc::unavailable) return wait(key);
    if (!opened) return turn_away(key, opened.error().message);
    one.stream = std::move(*opened);
    one.stream->listen(
        {.on_status = [this, key](const OpenStatus& status) { on_status(key, status); },
         .on_closed =
             [this, key, stream = one.stream.get()](StreamEnd, const std::string& why) {
                 const auto still = calls_.find(key);
                 if (still == calls_.end() || still->second.stream.get() != stream) return;
                 if (!still->second.socket.is_open()) return forget(key);
                 // Before the gateway said yes, nothing of the user has gone anywhere.
                 still->second.stream.reset();
                 epoch_ != 0 ? wait(key) : turn_away(key, why);
             }});
}

void Channels::on_status(std::uint64_t key, const OpenStatus& status) {
    const auto found = calls_.find(key);
    if (found == calls_.end()) return;
    if (status.code == StatusCode::ok)
        return found->second.stream->attach(std::move(found->second.socket));
    // Told before the gateway knew that this node is active, or knows no more: `on_closed` follows.
    if (status.code == StatusCode::stale_epoch) return;
    turn_away(key, std::string(name_of(status.code)) + ", " + status.text);
}

void Channels::wait(std::uint64_t key) {
    const Call& one = calls_.at(key);
    if (boot_now() >= one.deadline) return turn_away(key, "no link to the gateway in time");
    if (waiting_.size() >= channel_waiting_max)
        return turn_away(key, "more than " + std::to_string(channel_waiting_max) +
                                  " users wait for a link to the gateway");
    const auto later = std::find_if(waiting_.begin(), waiting_.end(), [&](std::uint64_t other) {
        return calls_.at(other).deadline > one.deadline;
    });
    waiting_.insert(later, key);
    arm_timer();
}

void Channels::release() {
    for (const std::uint64_t key : std::exchange(waiting_, {}))
        if (calls_.contains(key)) call(key);
}

void Channels::arm_timer() {
    if (waiting_.empty()) return;
    timer_.expires_after(
        std::max<Duration>(calls_.at(waiting_.front()).deadline - boot_now(), Duration::zero()));
    timer_.async_wait([this](boost::system::error_code error) {
        if (!error) on_timer();
    });
}

void Channels::on_timer() {
    while (!waiting_.empty() && calls_.at(waiting_.front()).deadline <= boot_now()) {
        const std::uint64_t key = waiting_.front();
        waiting_.pop_front();
        turn_away(key, "no link to the gateway in time");
    }
    arm_timer();
}

void Channels::turn_away(std::uint64_t key, const std::string& why) {
    const auto found = calls_.find(key);
    if (found == calls_.end()) return;
    Call one = std::move(found->second);
    abort_user(one.socket);
    if (one.stream) one.stream->reset(why);
    if (events_.on_refused)
        events_.on_refused("channel " + one.channel + ": " + one.client + " wanted " +
                           to_text(one.target) + ": " + why);
    forget(key);
}

void Channels::forget(std::uint64_t key) {
    if (calls_.erase(key) == 0) return;
    std::erase(waiting_, key);
    if (events_.on_change) events_.on_change();
}

void Channels::cut_all(const std::string& why) {
    cut([](const Call&) { return true; }, why);
}

void Channels::cut(const std::function<bool(const Call&)>& which, const std::string& why) {
    std::vector<std::uint64_t> waiting;
    std::vector<std::shared_ptr<Stream>> going;
    for (const auto& [key, one] : calls_) {
        if (!which(one)) continue;
        if (one.socket.is_open())
            waiting.push_back(key);
        else
            going.push_back(one.stream);
    }
    for (const std::uint64_t key : waiting) turn_away(key, why);
    for (const auto& stream : going) stream->reset(why);
}

}  // namespace umbra::gateway
