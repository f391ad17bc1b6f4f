// The agent's links: how they are made, come up and go.

#include "agent.hpp"

#include <string>
#include <utility>
#include <vector>

namespace umbra::gateway {

Result<Done> Agent::make_uplinks() {
    if (auto opened = keys_.open(spec_->node); !opened) return opened.error();
    for (std::int64_t i = 0; i < options_.links; ++i)
        uplinks_.push_back(make_uplink(static_cast<std::size_t>(i)));
    return Done{};
}

std::unique_ptr<Uplink> Agent::make_uplink(std::size_t place) {
    const auto self = std::make_shared<Uplink*>(nullptr);
    auto uplink = std::make_unique<Uplink>(
        io_,
        Uplink::Settings{route_, options_.connect_timeout, options_.reconnect_max, budget_, sparse_,
                         loops_.pick(place)},
        keys_.identity(),
        Uplink::Events{
            .on_welcome = [this, self](const msg::Welcome& w) { on_welcome(**self, w); },
            .on_control = [this, self](const ControlMessage& m) { on_control(**self, m); },
            .on_stream = [this](std::shared_ptr<Stream> s) { serving_.offer(std::move(s)); },
            .on_down = [this, self] { on_down(**self); },
            .on_change = [this] { changed(); }});
    *self = uplink.get();
    return uplink;
}

std::unique_ptr<Uplink> Agent::make_fresh_uplink(std::size_t place) {
    auto uplink = make_uplink(place);
    if (const auto pins = keys_.gateway())
        uplink->start([this, place] { return hello(place); }, *pins);
    return uplink;
}

void Agent::start_uplinks() {
    auto pins = keys_.gateway();
    enrolled_ = pins.ok() && !pins->present.empty();
    if (!pins.ok()) {
        trouble_ = pins.error().message;
    } else if (!enrolled_) {
        trouble_ = "not enrolled with this gateway; run: umbra-gateway invite " +
                   (spec_ ? spec_->node : std::string(context_.instance_name())) +
                   " there, then: umbra tunnel enrol " + std::string(context_.object_name()) +
                   " INVITATION here";
    }
    if (!enrolled_) return context_.warn(trouble_);
    for (std::size_t i = 0; i < uplinks_.size(); ++i) {
        uplinks_[i]->start([this, i] { return hello(i); }, *pins);
        uplinks_[i]->kick(*pins);
    }
}

msg::Hello Agent::hello(std::size_t index) const {
    return {.proto = protocol_version,
            .node = spec_->node,
            .incarnation = spec_->incarnation,
            .boot = boot_,
            .epoch_known = epoch_known_,
            .link_index = static_cast<std::uint8_t>(index),
            .links_total = static_cast<std::uint8_t>(uplinks_.size())};
}

Uplink* Agent::any_uplink() {
    for (const auto& uplink : uplinks_)
        if (uplink->is_up()) return uplink.get();
    return nullptr;
}

/// For a service channel: over the link that has least to do, once the gateway routes to this node.
Result<std::shared_ptr<Stream>> Agent::call_out(OpenRequest request) {
    Link* best = nullptr;
    std::pair<std::size_t, std::size_t> least;
    for (const auto& uplink : uplinks_) {
        Link* link = uplink->link();
        if (link == nullptr || !link->is_open() || link->streams() >= streams_per_link_max)
            continue;
        const std::pair load(link->unsent() / (64 * 1024), link->streams());
        if (best != nullptr && load >= least) continue;
        best = link;
        least = load;
    }
    if (!confirmed_ || best == nullptr)
        return Error{Errc::unavailable, "no link to the gateway, or not active"};
    return best->open(std::move(request));
}

void Agent::on_welcome(Uplink& uplink, const msg::Welcome& welcome) {
    renewal_.on_welcome(uplink);
    const std::uint32_t up = links_up();
    context_.info("link to the gateway " + welcome.gateway + " (" + to_text(route_.gateway) +
                  ") is up, " + std::to_string(up) + " of " + std::to_string(uplinks_.size()));
    on_view(welcome.view);
    resume_serving(&uplink);
    keys_.on_up(uplink);
}

void Agent::on_down(Uplink& uplink) {
    std::vector<std::uint64_t> lost;
    for (const auto& [number, one] : asks_)
        if (one.over == &uplink) lost.push_back(number);
    bool activation_lost = false;
    for (const std::uint64_t number : lost) {
        Ask one = std::move(asks_.extract(number).mapped());
        activation_lost |= one.activates != 0 && one.activates == epoch_active_;
        fail_ask(std::move(one), {Errc::unavailable,
                                  "the link to the gateway broke before it "
                                  "answered; the effect is unknown"});
    }
    if (links_up() == 0) {
        keys_.fail({Errc::unavailable,
                    "the link broke before the gateway had stored the next key; this goes on by "
                    "itself with the next link"});
        confirmed_ = false;
        serving_.close_gate(StatusCode::stale_epoch, "this node has no link to the gateway");
        return;
    }
    if (activation_lost) resume_serving();
    keys_.on_up(*any_uplink());
}

}  // namespace umbra::gateway
