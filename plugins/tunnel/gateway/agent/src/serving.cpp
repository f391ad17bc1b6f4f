#include "serving.hpp"

#include <vector>

namespace umbra::gateway {

void Serving::open_gate(std::uint64_t epoch) { epoch_ = epoch; }

void Serving::close_gate(StatusCode code, std::string text) {
    epoch_ = 0;
    closed_code_ = code;
    closed_text_ = std::move(text);
}

void Serving::set_mappings(MappingTable table) {
    mappings_ = std::move(table);
    std::vector<std::shared_ptr<Stream>> gone;
    for (const auto& [key, one] : served_) {
        const OpenRequest& request = one.stream->request();
        if (!mappings_.still_permits(one.mapping, request.host, request.port))
            gone.push_back(one.stream);
    }
    for (const auto& stream : gone) stream->reset("its mapping was suspended, changed or removed");
}

void Serving::offer(std::shared_ptr<Stream> stream) {
    const OpenRequest& request = stream->request();
    if (epoch_ == 0) return stream->refuse(closed_code_, closed_text_);
    if (request.epoch != epoch_)
        return stream->refuse(StatusCode::stale_epoch, "epoch " + std::to_string(request.epoch) +
                                                           " was asked for, epoch " +
                                                           std::to_string(epoch_) + " is served");
    if (served_.size() >= streams_served_max || dials_ >= backend_dials_max)
        return stream->refuse(StatusCode::limit, "too many streams at a time");
    const MappingTable::Decision decision = mappings_.decide(request.host, request.port);
    switch (decision.verdict) {
        case MappingTable::Decision::Verdict::deny:
            if (events_.on_denied) events_.on_denied(request.client + ": " + decision.text);
            return stream->refuse(StatusCode::denied, decision.text);
        case MappingTable::Decision::Verdict::unsupported:
            return stream->refuse(StatusCode::refused, decision.text);
        case MappingTable::Decision::Verdict::allow:
            break;
    }
    const std::uint64_t key = next_key_++;
    stream->listen({.on_status = {},
                    .on_closed = [this, key](StreamEnd, const std::string&) { forget(key); }});
    served_.emplace(key, Served{std::move(stream), nullptr, decision.mapping});
    if (events_.on_count) events_.on_count();
    connect(key, decision.to);
}

void Serving::connect(std::uint64_t key, const Endpoint& to) {
    ++dials_;
    served_.at(key).dial = Dial::start(io_, to, connect_timeout_,
                                       [this, key](Result<boost::asio::ip::tcp::socket> result) {
                                           on_dialed(key, std::move(result));
                                       });
}

void Serving::on_dialed(std::uint64_t key, Result<boost::asio::ip::tcp::socket> result) {
    const auto found = served_.find(key);
    if (found == served_.end()) return;
    found->second.dial.reset();
    --dials_;
    const std::shared_ptr<Stream> stream = found->second.stream;
    if (result) return stream->attach(std::move(*result));
    const StatusCode code =
        result.error().code == Errc::timeout ? StatusCode::timeout : StatusCode::refused;
    stream->refuse(code, result.error().message);
}

void Serving::cut_all(const std::string& why) {
    std::vector<std::shared_ptr<Stream>> all;
    for (const auto& [key, one] : served_) all.push_back(one.stream);
    for (const auto& stream : all) stream->reset(why);
}

void Serving::forget(std::uint64_t key) {
    const auto found = served_.find(key);
    if (found == served_.end()) return;
    if (found->second.dial) {
        found->second.dial->cancel();
        --dials_;
    }
    served_.erase(found);
    if (events_.on_count) events_.on_count();
}

}  // namespace umbra::gateway
