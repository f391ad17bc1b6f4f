#include <umbra/core/peer_watch.hpp>

#include <algorithm>

namespace umbra::core {

namespace {

constexpr int fading = 32;

}  // namespace

void PeerWatch::sent(Instant now, AskId ask) {
    asked_ = ask;
    asked_at_ = now;
    next_ = now + check_interval_;
}

void PeerWatch::reset(Instant now) {
    const auto cleared = cleared_;
    *this = PeerWatch{check_interval_};
    cleared_ = cleared;
    next_ = now;
}

bool PeerWatch::answered(Instant now, AskId ask, Duration rtt) {
    if (asked_ != ask) return false;
    asked_.reset();
    heard_ = now;
    rtt_ = rtt;
    slowest_ = std::max(rtt, slowest_ - slowest_ / fading);
    refused_.reset();
    if (suspected_) ++cleared_;
    suspected_.reset();
    return true;
}

bool PeerWatch::failed(AskId ask) {
    if (asked_ != ask) return false;
    asked_.reset();
    suspect(std::max(asked_at_, heard_.value_or(asked_at_)));
    return true;
}

void PeerWatch::refused(Instant now) {
    refused_ = now;
    suspect(now);
}

void PeerWatch::lived(Instant now) {
    heard_ = now;
    if (suspected_) suspected_ = now;
}

void PeerWatch::link_lost(Instant now) {
    suspect(now);
    hurry(now);
}

void PeerWatch::was_late(Instant now, Duration gap) {
    if (suspected_) suspected_ = std::min(now, *suspected_ + gap);
    asked_at_ = std::min(now, asked_at_ + gap);
}

std::optional<Duration> PeerWatch::silent_for(Instant now) const {
    if (!suspected_) return std::nullopt;
    return now - *suspected_;
}

}  // namespace umbra::core
