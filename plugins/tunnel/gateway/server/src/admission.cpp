#include "admission.hpp"

#include <utility>

namespace umbra::gateway {

using Sources = std::map<AddressBytes, std::size_t>;

struct Admission::Total {
    std::size_t now = 0;
    std::size_t clients_max = 0;
    std::size_t per_source_max = 0;
    Sources sources;
};

struct Admission::Way {
    std::shared_ptr<Total> total;
    WayRules rules{};
    WayTally tally{};
    Sources sources{};
};

namespace {

bool full(std::size_t now, std::size_t limit) { return limit != 0 && now >= limit; }

std::size_t count_of(const Sources& sources, const AddressBytes& source) {
    const auto found = sources.find(source);
    return found == sources.end() ? 0 : found->second;
}

void give_back(Sources& sources, const AddressBytes& source) noexcept {
    const auto found = sources.find(source);
    if (found != sources.end() && --found->second == 0) sources.erase(found);
}

}  // namespace

Admission::Place& Admission::Place::operator=(Place&& other) noexcept {
    if (this == &other) return *this;
    leave();
    way_ = std::move(other.way_);
    source_ = std::exchange(other.source_, std::nullopt);
    return *this;
}

WayTally* Admission::Place::tally() const noexcept { return way_ ? &way_->tally : nullptr; }

void Admission::Place::leave() noexcept {
    if (!way_) return;
    --way_->total->now;
    --way_->tally.now;
    if (source_) {
        give_back(way_->total->sources, *source_);
        give_back(way_->sources, *source_);
    }
    way_.reset();
    source_.reset();
}

Admission::Admission() : total_(std::make_shared<Total>()) {}

void Admission::limit(std::size_t clients, std::size_t per_source) {
    total_->clients_max = clients;
    total_->per_source_max = per_source;
}

void Admission::set(const std::string& way, WayRules rules) {
    auto& found = ways_[way];
    if (!found) found = std::make_shared<Way>(Way{total_});
    found->rules = std::move(rules);
}

void Admission::remove(const std::string& way) { ways_.erase(way); }

std::optional<Refusal> Admission::refuse(Way& way, Refusal refusal) {
    ++way.tally.refused[static_cast<std::size_t>(refusal)];
    return refusal;
}

std::optional<Refusal> Admission::enter(const std::string& name, Place& place) {
    const auto found = ways_.find(name);
    if (found == ways_.end()) return Refusal::clients;
    const auto& way = found->second;
    if (full(total_->now, total_->clients_max) || full(way->tally.now, way->rules.clients))
        return refuse(*way, Refusal::clients);
    ++total_->now;
    ++way->tally.now;
    Place taken;
    taken.way_ = way;
    place = std::move(taken);
    return std::nullopt;
}

std::optional<Refusal> Admission::identify(Place& place, const boost::asio::ip::address& address) {
    auto& way = *place.way_;
    if (!let_in(way.rules.allow, address)) return refuse(way, Refusal::network);
    const auto source = source_of(address);
    if (full(count_of(total_->sources, source), total_->per_source_max) ||
        full(count_of(way.sources, source), way.rules.per_source))
        return refuse(way, Refusal::per_source);
    ++total_->sources[source];
    ++way.sources[source];
    ++way.tally.clients;
    place.source_ = source;
    return std::nullopt;
}

std::optional<Refusal> Admission::admit(const std::string& name,
                                        const boost::asio::ip::address& address, Place& place) {
    const auto found = ways_.find(name);
    // Who is not allowed learns nothing about how full it is.
    if (found != ways_.end() && !let_in(found->second->rules.allow, address))
        return refuse(*found->second, Refusal::network);
    if (auto refused = enter(name, place)) return refused;
    auto refused = identify(place, address);
    if (refused) place = Place();
    return refused;
}

std::size_t Admission::now() const noexcept { return total_->now; }

const WayTally* Admission::tally(const std::string& way) const {
    const auto found = ways_.find(way);
    return found == ways_.end() ? nullptr : &found->second->tally;
}

}  // namespace umbra::gateway
