#include "channels.hpp"

#include "log_room.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace umbra::gateway {

namespace json = boost::json;
using boost::asio::ip::tcp;

namespace {

const std::string way_channels = "channels";

std::size_t index_of(StatusCode code) { return static_cast<std::size_t>(code); }

}  // namespace

Channels::Channels(Context& context) : context_(context) {
    context_.admission.set(way_channels, {.clients = channel_streams_max});
}

void Channels::configure() {
    const auto& channels = context_.settings.channels;
    std::vector<std::shared_ptr<Stream>> going;
    for (const auto& [key, one] : calls_) {
        const auto* channel = find(one.pair, one.stream->request());
        if (channel == nullptr || channel->name != one.channel) going.push_back(one.stream);
    }
    for (const auto& stream : going) stream->reset("the gateway's file permits it no longer");
    std::erase_if(counts_, [&](const auto& one) {
        return std::ranges::find(channels, one.first, &ChannelSettings::name) == channels.end();
    });
}

const ChannelSettings* Channels::find(const std::string& pair, const OpenRequest& request) const {
    const auto& channels = context_.settings.channels;
    const auto found = std::ranges::find_if(channels, [&](const ChannelSettings& one) {
        return one.pair == pair && one.target.host == request.host &&
               one.target.port == request.port;
    });
    return found == channels.end() ? nullptr : &*found;
}

void Channels::offer(const Pair& pair, const Session& session, std::shared_ptr<Stream> stream) {
    const OpenRequest& request = stream->request();
    const std::string who = "pair " + pair.name() + ": " + session.node + " for " + request.client +
                            ", " + to_string(config::Endpoint{request.host, request.port});
    if (auto stale = pair.objection(session, request.epoch))
        return refuse(*stream, who, *std::move(stale), "");
    const auto* channel = find(pair.name(), request);
    if (channel == nullptr)
        return refuse(*stream, who,
                      {StatusCode::denied, "no [channel] of gateway.toml permits this target"}, "");
    if (dials_ >= channel_dials_max)
        return refuse(*stream, who, {StatusCode::limit, "too many services are being dialed"},
                      channel->name);
    connect(pair, session, *channel, std::move(stream));
}

void Channels::connect(const Pair& pair, const Session& session, const ChannelSettings& channel,
                       std::shared_ptr<Stream> stream) {
    std::string who = "pair " + pair.name() + ": " + session.node + " for " +
                      stream->request().client + ", " + to_string(channel.target);
    Call call{channel.name, pair.name(), stream, nullptr, {}};
    if (context_.admission.enter(way_channels, call.place))
        return refuse(*stream, who, {StatusCode::limit, "too many streams at the gateway"},
                      channel.name);
    const std::uint64_t key = next_key_++;
    stream->listen({.on_status = {},
                    .on_closed = [this, key](StreamEnd, const std::string&) { forget(key); }});
    ++dials_;
    call.dial =
        Dial::start(context_.io, {channel.address.host, channel.address.port}, channel_dial_limit,
                    [this, key, who = std::move(who)](Result<tcp::socket> result) {
                        on_dialed(key, who, std::move(result));
                    });
    calls_.emplace(key, std::move(call));
}

void Channels::on_dialed(std::uint64_t key, const std::string& who, Result<tcp::socket> result) {
    const auto found = calls_.find(key);
    if (found == calls_.end()) return;
    Call& one = found->second;
    one.dial.reset();
    --dials_;
    if (result) {
        ++counts_[one.channel][index_of(StatusCode::ok)];
        ++context_.counters.channel_streams;
        return one.stream->attach(std::move(result).value());
    }
    const auto code =
        result.error().code == Errc::timeout ? StatusCode::timeout : StatusCode::refused;
    refuse(*one.stream, who, {code, result.error().message}, one.channel);
}

void Channels::refuse(Stream& stream, const std::string& who, OpenStatus status,
                      const std::string& channel) {
    ++context_.counters.channel_refused;
    if (!channel.empty()) ++counts_[channel][index_of(status.code)];
    if (const auto more = log_[index_of(status.code)].pass(boot_now()))
        base::warn(log_room, "{}: {}, {} ({} more like it)", who, name_of(status.code), status.text,
                   *more);
    stream.refuse(status.code, std::move(status.text));
}

void Channels::forget(std::uint64_t key) {
    const auto found = calls_.find(key);
    if (found == calls_.end()) return;
    if (found->second.dial) {
        found->second.dial->cancel();
        --dials_;
    }
    calls_.erase(found);
}

void Channels::stop() {
    for (const auto& [key, one] : calls_)
        if (one.dial) one.dial->cancel();
}

json::array Channels::status() const {
    json::array all;
    for (const auto& channel : context_.settings.channels) {
        const auto now = std::ranges::count_if(
            calls_, [&](const auto& one) { return one.second.channel == channel.name; });
        const auto found = counts_.find(channel.name);
        const Counts counts = found == counts_.end() ? Counts{} : found->second;
        json::object refused;
        for (std::size_t i = 1; i < counts.size(); ++i)
            if (counts[i] != 0) refused[name_of(static_cast<StatusCode>(i))] = counts[i];
        all.push_back(json::object{{"name", channel.name},
                                   {"target", to_string(channel.target)},
                                   {"address", to_string(channel.address)},
                                   {"pair", channel.pair},
                                   {"streams", now},
                                   {"served", counts[index_of(StatusCode::ok)]},
                                   {"refused", std::move(refused)}});
    }
    return all;
}

}  // namespace umbra::gateway
