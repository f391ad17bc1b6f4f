// The part of a pair that deals with clients: routing, streams and parking.
#include "log_room.hpp"
#include "pair.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <sys/socket.h>
#include <tuple>

namespace umbra::gateway {

namespace {

constexpr unsigned attempts_max = 16;
/// Parked clients that are let go in one turn of the loop.
constexpr std::size_t release_batch = 64;

/// Whether the open stream never began, so that the client can be sent elsewhere.
bool may_try_again(StatusCode code) {
    return code == StatusCode::stale_epoch || code == StatusCode::draining;
}

Refusal refusal_of(StatusCode code) {
    switch (code) {
        case StatusCode::denied:
            return Refusal::denied;
        case StatusCode::refused:
            return Refusal::backend_refused;
        case StatusCode::timeout:
            return Refusal::backend_timeout;
        case StatusCode::ok:
        case StatusCode::stale_epoch:
        case StatusCode::limit:
        case StatusCode::draining:
            break;
    }
    return Refusal::streams;
}

}  // namespace

std::shared_ptr<Link> Pair::route() const {
    if (!active_ || !may_route()) return nullptr;
    const auto found = nodes_.find(active_->node);
    if (found == nodes_.end() || found->second.boot != active_->boot) return nullptr;
    std::shared_ptr<Link> best;
    std::tuple<bool, std::size_t, std::size_t> least;
    Instant heard{};
    for (const auto& session : found->second.sessions) {
        const auto& link = session->link;
        heard = std::max(heard, link->last_heard());
        if (!link->is_open() || link->streams() >= streams_per_link_max) continue;
        const std::tuple load(session->retiring, link->unsent() / (64 * 1024), link->streams());
        if (best && load >= least) continue;
        best = link;
        least = load;
    }
    // A silent node is most likely dead; who is sent there waits longer than who is parked.
    if (best && boot_now() - heard >= context_.settings.lease) return nullptr;
    return best;
}

std::optional<OpenStatus> Pair::objection(const Session& session, Epoch epoch) const {
    const auto stale = [](std::string text) {
        return OpenStatus{StatusCode::stale_epoch, std::move(text)};
    };
    if (!may_route()) return stale("this gateway routes nothing at the moment");
    if (active_ && active_->node == session.node && active_->boot == session.boot &&
        active_->epoch == epoch && register_.may_activate(session.node, session.boot, epoch))
        return std::nullopt;
    const std::string who =
        active_ ? active_->node + " is active under epoch " + std::to_string(active_->epoch)
                : std::string("nobody is active");
    return stale("epoch " + std::to_string(epoch) + " of " + session.node +
                 " is not routed here, " + who);
}

void Pair::serve(std::shared_ptr<Client> client) {
    client->deadline = boot_now() + context_.settings.park_time;
    // First come, first served: nobody overtakes those who wait.
    const bool queue = std::ranges::any_of(
        parked_, [&](const auto& other) { return other->not_before <= activations_; });
    if (!queue) {
        if (const auto link = route()) return open_stream(client, link);
    }
    park(client, false);
}

void Pair::open_stream(const std::shared_ptr<Client>& client, const std::shared_ptr<Link>& link) {
    ++client->attempts;
    client->epoch = active_->epoch;
    auto opened =
        link->open(OpenRequest{active_->epoch, client->host, client->port, client->address});
    if (!opened) return turn_away(context_, *client, Refusal::streams);
    auto stream = std::move(opened).value();
    Stream::Events events;
    events.on_status = [this, client, weak = std::weak_ptr(stream)](const OpenStatus& status) {
        if (const auto still = weak.lock()) on_status(client, still, status);
    };
    events.on_closed = [this, client, attempt = client->attempts](StreamEnd, const std::string&) {
        // Before the far side said yes, nothing of the client has gone anywhere.
        if (!client->settled && !client->parked && client->attempts == attempt) park(client, true);
    };
    stream->listen(std::move(events));
}

void Pair::on_status(const std::shared_ptr<Client>& client, const std::shared_ptr<Stream>& stream,
                     const OpenStatus& status) {
    if (status.code == StatusCode::ok) {
        client->settled = true;
        if (client->dialect != nullptr) say(client->socket, client->dialect->accepted);
        watch_served(*client, *stream);
        return stream->attach(std::move(client->socket));
    }
    if (may_try_again(status.code)) {
        client->not_before = activations_ + 1;
        return park(client, true);
    }
    turn_away(context_, *client, refusal_of(status.code), status.text);
}

/// It can not come back any more: lets go of the client, whose stream may live for days, and keeps
/// no more than its place.
void Pair::watch_served(Client& client, Stream& stream) {
    ++context_.counters.served;
    auto place = std::make_shared<Admission::Place>(std::move(client.place));
    if (auto* tally = place->tally()) ++tally->served;
    const Epoch epoch = client.epoch;
    ++served_[epoch];
    Stream::Events events;
    events.on_closed = [this, epoch, place, &stream](StreamEnd end, const std::string&) {
        if (--served_[epoch] == 0) served_.erase(epoch);
        // It belongs to a node that has handed over: how did it end?
        if (epoch < routed_)
            ++(end == StreamEnd::finished ? context_.counters.drained
                                          : context_.counters.drain_cut);
        auto* tally = place->tally();
        if (tally == nullptr) return;
        tally->bytes_up += stream.bytes_out();
        tally->bytes_down += stream.bytes_in();
    };
    stream.listen(std::move(events));
}

std::size_t Pair::draining() const {
    std::size_t count = 0;
    for (const auto& [epoch, streams] : served_)
        if (epoch < routed_) count += streams;
    return count;
}

// --- parking ------------------------------------------------------------------------------------

void Pair::park(const std::shared_ptr<Client>& client, bool again) {
    if (context_.parked_now >= context_.settings.park_clients && !drop_half_closed())
        return turn_away(context_, *client, Refusal::park_full);
    if (boot_now() >= client->deadline || client->attempts >= attempts_max)
        return turn_away(context_, *client, Refusal::park_timeout);
    client->parked = true;
    ++context_.parked_now;
    if (!again) ++context_.counters.parked;
    // Who was on its way already stands before who only arrives.
    again ? parked_.push_front(client) : parked_.push_back(client);
    watch_parked(client);
    if (again && client->not_before <= activations_ && route()) release_parked();
}

void Pair::unpark(Client& client) {
    client.parked = false;
    --context_.parked_now;
    boost::system::error_code ignored;
    client.socket.cancel(ignored);
}

void Pair::release_parked() {
    if (releasing_) return;
    releasing_ = true;
    // Not at once: the message that made it possible leaves first, in one go with the streams.
    boost::asio::post(context_.io, [this] {
        releasing_ = false;
        for (std::size_t released = 0; released < release_batch; ++released) {
            const auto next = std::ranges::find_if(
                parked_, [&](const auto& one) { return one->not_before <= activations_; });
            const auto link = next == parked_.end() ? nullptr : route();
            if (!link) return;
            const auto client = *next;
            parked_.erase(next);
            unpark(*client);
            open_stream(client, link);
        }
        release_parked();
    });
}

void Pair::tick() {
    swept_ = false;
    const auto now = boot_now();
    std::vector<std::shared_ptr<Client>> late;
    std::erase_if(parked_, [&](const std::shared_ptr<Client>& client) {
        if (now < client->deadline) return false;
        late.push_back(client);
        return true;
    });
    for (const auto& client : late) {
        unpark(*client);
        turn_away(context_, *client, Refusal::park_timeout);
    }
    if (!parked_.empty() && route()) release_parked();
}

}  // namespace umbra::gateway
