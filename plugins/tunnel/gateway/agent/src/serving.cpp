#include "serving.hpp"

#include "http_relay.hpp"
#include "proxy_header.hpp"

#include <vector>

namespace umbra::gateway {

namespace {

constexpr Duration failed_pause = std::chrono::seconds(1);

}  // namespace

Serving::Serving(boost::asio::io_context& io, const AgentOptions& options, Events events)
    : io_(io),
      place_{io, options.connect_timeout, *AddressRules::make(options.permit_networks)},
      response_timeout_(options.response_timeout),
      events_(std::move(events)) {}

void Serving::open_gate(std::uint64_t epoch) { epoch_ = epoch; }

void Serving::close_gate(StatusCode code, std::string text) {
    epoch_ = 0;
    closed_code_ = code;
    closed_text_ = std::move(text);
}

void Serving::set_mappings(MappingTable table) {
    mappings_ = std::move(table);
    place_.trust.forget();
    std::vector<std::uint64_t> gone;
    for (const auto& [key, one] : served_) {
        const OpenRequest& request = one.stream->request();
        const bool stays =
            mappings_.still_permits(one.rules->name, request.host, request.port,
                                    one.rules->protocol) &&
            (!one.relayed || !one.relayed->relay || one.relayed->relay->still_permitted());
        if (!stays) gone.push_back(key);
    }
    cut(gone, "its mapping was suspended, changed or removed");
}

void Serving::offer(std::shared_ptr<Stream> stream) {
    const OpenRequest& request = stream->request();
    if (epoch_ == 0) return stream->refuse(closed_code_, closed_text_);
    if (request.epoch != epoch_)
        return stream->refuse(StatusCode::stale_epoch, "epoch " + std::to_string(request.epoch) +
                                                           " was asked for, epoch " +
                                                           std::to_string(epoch_) + " is served");
    if (served_.size() >= streams_served_max || dials_.size() >= backend_dials_max)
        return stream->refuse(StatusCode::limit, "too many streams at a time");
    const MappingTable::Decision decision = mappings_.decide(request.host, request.port);
    switch (decision.verdict) {
        case MappingTable::Decision::Verdict::deny:
            denied(*stream, decision.text);
            return stream->refuse(StatusCode::denied, decision.text);
        case MappingTable::Decision::Verdict::unsupported:
            return stream->refuse(StatusCode::refused, decision.text);
        case MappingTable::Decision::Verdict::allow:
            break;
    }
    const std::uint64_t key = next_key_++;
    stream->listen({.on_status = {}, .on_closed = [this, key](StreamEnd end, const std::string&) {
                        on_stream_closed(key, end);
                    }});
    served_.emplace(key, Served{std::move(stream), decision.rules});
    if (events_.on_count) events_.on_count();
    if (decision.rules->protocol.starts_with("http")) return relay_http(key, decision);
    connect(key, decision);
}

void Serving::denied(const Stream& stream, const std::string& text) {
    if (events_.on_denied) events_.on_denied(stream.request().client + ": " + text);
}

/// One line a second is enough to see it; a backend that is away fails for every client.
void Serving::failed(const Stream& stream, const std::string& text) {
    const Instant now = boot_now();
    if (now - failed_told_ < failed_pause) {
        ++failed_untold_;
        return;
    }
    failed_told_ = now;
    const std::uint64_t untold = std::exchange(failed_untold_, 0);
    if (events_.on_failed)
        events_.on_failed("for " + stream.request().client + ": " + text +
                          (untold == 0 ? "" : ", and " + std::to_string(untold) + " more before"));
}

void Serving::connect(std::uint64_t key, const MappingTable::Decision& decision) {
    const OpenRequest& request = served_.at(key).stream->request();
    dials_[key] = BackendDial::start(
        place_, {decision.rules, decision.offset, request.client, request.host},
        [this, key](Result<BackendConnection> result) { on_dialed(key, std::move(result)); });
}

void Serving::on_dialed(std::uint64_t key, Result<BackendConnection> result) {
    const auto found = served_.find(key);
    if (found == served_.end()) return;
    dials_.erase(key);
    const std::shared_ptr<Stream> stream = found->second.stream;
    if (result && !result->tls) return stream->attach(std::move(result->socket));
    if (result) return relay_bytes(key, std::move(*result));
    const Errc code = result.error().code;
    if (code == Errc::denied)
        denied(*stream, result.error().message);
    else
        failed(*stream, result.error().message);
    stream->refuse(code == Errc::denied    ? StatusCode::denied
                   : code == Errc::timeout ? StatusCode::timeout
                                           : StatusCode::refused,
                   result.error().message);
}

void Serving::relay_bytes(std::uint64_t key, BackendConnection connection) {
    Served& one = served_.at(key);
    auto pair = SocketPair::make(io_);
    if (!pair) return one.stream->refuse(StatusCode::limit, pair.error().message);
    one.relayed = std::make_unique<Relayed>();
    one.relayed->relay =
        start_byte_relay(io_, std::move(pair->relay), std::move(connection).duplex(),
                         [this, key](const std::string& why) { on_relay_over(key, why); });
    one.stream->attach(std::move(pair->stream));
}

/// The client is let in at once: what it may reach depends on what it asks for.
void Serving::relay_http(std::uint64_t key, const MappingTable::Decision& decision) {
    Served& one = served_.at(key);
    auto pair = SocketPair::make(io_);
    if (!pair) return one.stream->refuse(StatusCode::limit, pair.error().message);
    Stream* const stream = one.stream.get();  // Lives as long as its relay.
    one.relayed = std::make_unique<Relayed>();
    one.relayed->relay = start_http_relay(
        {.io = io_,
         .client = std::move(pair->relay),
         .client_address = std::string(host_of(stream->request().client)),
         .mapping = [this, name = decision.mapping] { return mappings_.find(name); },
         .dial =
             [this, stream, offset = decision.offset](std::shared_ptr<const Mapping> mapping,
                                                      BackendDial::Outcome outcome) {
                 const OpenRequest& request = stream->request();
                 return BackendDial::start(
                     place_, {std::move(mapping), offset, request.client, request.host},
                     std::move(outcome));
             },
         .on_denied = [this, stream](const std::string& text) { denied(*stream, text); },
         .on_failed = [this, stream](const std::string& text) { failed(*stream, text); },
         .response_timeout = response_timeout_,
         .over = [this, key](const std::string& why) { on_relay_over(key, why); }});
    one.stream->attach(std::move(pair->stream));
}

void Serving::cut_all(const std::string& why) {
    std::vector<std::uint64_t> all;
    for (const auto& [key, one] : served_) all.push_back(key);
    cut(all, why);
}

void Serving::cut(const std::vector<std::uint64_t>& keys, const std::string& why) {
    for (const std::uint64_t key : keys) {
        const auto found = served_.find(key);
        if (found == served_.end()) continue;
        // Where only the relay is left, nobody else will end it.
        const auto* relayed = found->second.relayed.get();
        const auto relay = relayed != nullptr && relayed->stream_over ? relayed->relay : nullptr;
        if (relay)
            relay->abort();
        else
            found->second.stream->reset(why);
    }
}

void Serving::on_stream_closed(std::uint64_t key, StreamEnd end) {
    const auto found = served_.find(key);
    if (found == served_.end()) return;
    if (!found->second.relayed) return forget(key);
    Relayed& one = *found->second.relayed;
    one.stream_over = true;
    const auto relay = one.relay;
    if (!relay) return forget(key);
    if (one.relay_over) {
        relay->abort();
        return forget(key);
    }
    if (end != StreamEnd::finished) return relay->abort();
    one.linger = std::make_unique<boost::asio::steady_timer>(io_, relay_linger);
    one.linger->async_wait([relay](boost::system::error_code error) {
        if (!error) relay->abort();
    });
}

void Serving::on_relay_over(std::uint64_t key, const std::string& why) {
    const auto found = served_.find(key);
    if (found == served_.end()) return;
    Relayed& one = *found->second.relayed;
    if (one.stream_over) return forget(key);
    if (why.empty()) return one.relay.reset();
    one.relay_over = true;
    found->second.stream->reset(why);
}

void Serving::forget(std::uint64_t key) {
    const auto found = served_.find(key);
    if (found == served_.end()) return;
    if (const auto dial = dials_.extract(key); !dial.empty()) dial.mapped()->cancel();
    served_.erase(found);
    if (events_.on_count) events_.on_count();
}

}  // namespace umbra::gateway
