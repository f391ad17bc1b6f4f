#include "renewal.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace umbra::gateway {

namespace {

/// A stream's end is not told here, and may be hours away.
constexpr Duration look_every = std::chrono::milliseconds{200};

}  // namespace

void Renewal::believe(const KeyPins& gateway) {
    for (const auto& uplink : uplinks_) uplink->believe(gateway);
    if (fresh_) fresh_->believe(gateway);
    begin();
}

void Renewal::show(const TlsIdentity& identity) {
    for (const auto& uplink : uplinks_) uplink->show(identity);
    if (fresh_) fresh_->show(identity);
    begin();
}

void Renewal::begin() {
    if (armed_) return;
    armed_ = true;
    timer_.expires_after(look_every);
    timer_.async_wait([this](boost::system::error_code error) {
        armed_ = false;
        if (!error) look();
    });
}

void Renewal::look() {
    for (const auto& uplink : leaving_)
        if (uplink->is_idle()) uplink->stop("a key was changed, another link has taken its place");
    std::erase_if(leaving_, [](const auto& uplink) { return uplink->is_over(); });
    if (!fresh_) {
        const auto outdated =
            std::find_if(uplinks_.begin(), uplinks_.end(),
                         [](const auto& uplink) { return uplink->is_outdated(); });
        if (outdated != uplinks_.end()) {
            place_ = static_cast<std::size_t>(outdated - uplinks_.begin());
            fresh_ = make_(place_);
        }
    }
    if (fresh_ || !leaving_.empty()) begin();
}

void Renewal::on_welcome(const Uplink& uplink) {
    begin();  // It may have been dialed with keys that have changed since.
    if (&uplink != fresh_.get()) return;
    leaving_.push_back(std::exchange(uplinks_[place_], std::move(fresh_)));
    leaving_.back()->retire();
}

void Renewal::stop(const std::string& why) {
    timer_.cancel();
    if (fresh_) fresh_->stop(why);
    for (const auto& uplink : leaving_) uplink->stop(why);
}

std::string Renewal::trouble() const {
    if (!fresh_ || !fresh_->is_waiting()) return {};
    return "no link with the changed key yet: " + fresh_->trouble();
}

}  // namespace umbra::gateway
