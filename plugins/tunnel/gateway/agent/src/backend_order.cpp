#include "backend_order.hpp"

#include <algorithm>
#include <iterator>

namespace umbra::gateway {

namespace {

/// More than these are never remembered: a mapping of a range has up to 65,535 ports.
constexpr std::size_t failures_max = 4096;

}  // namespace

std::vector<Backend> backends_of(const Mapping& mapping) {
    if (!mapping.backends.empty()) return mapping.backends;
    return {{mapping.internal_host, mapping.internal_port, false}};
}

std::vector<Endpoint> BackendOrder::next(const Mapping& mapping, int offset, Instant now) {
    const auto backends = backends_of(mapping);
    std::vector<Endpoint> ready, failing, down;
    for (const Backend& backend : backends) {
        Endpoint at{backend.host, static_cast<std::uint16_t>(backend.port + offset)};
        const auto failed = failed_.find(at);
        const bool paused = failed != failed_.end() && now - failed->second < backend_pause;
        (backend.down ? down : paused ? failing : ready).push_back(std::move(at));
    }
    if (backends.size() > 1 && ready.size() > 1) {
        const std::size_t turn = turns_[mapping.name]++ % ready.size();
        std::rotate(ready.begin(), ready.begin() + static_cast<std::ptrdiff_t>(turn), ready.end());
    }
    std::move(failing.begin(), failing.end(), std::back_inserter(ready));
    std::move(down.begin(), down.end(), std::back_inserter(ready));
    return ready;
}

void BackendOrder::failed(const Endpoint& backend, Instant now) {
    if (failed_.size() >= failures_max && !failed_.contains(backend)) failed_.clear();
    failed_[backend] = now;
}

void BackendOrder::answered(const Endpoint& backend) { failed_.erase(backend); }

}  // namespace umbra::gateway
