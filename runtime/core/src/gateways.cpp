// Several gateways: which of them arbitrates, and how the others follow it.

#include "text.hpp"
#include <umbra/core/node.hpp>

#include <algorithm>
#include <utility>

namespace umbra::core {

namespace {

using namespace std::chrono_literals;

/// Pause between two claims at a gateway that does not follow.
constexpr Duration follow_again{1s};

bool is_up(TunnelState state) {
    return state == TunnelState::standby || state == TunnelState::active ||
           state == TunnelState::draining;
}

}  // namespace

/// The register of record: what it grants counts at every gateway.
const std::string* Node::record_name() const {
    const auto named = tunnels_.find(policy_.register_of_record);
    if (named != tunnels_.end() && named->second.fences) return &named->first;
    for (const auto& [name, tunnel] : tunnels_) {
        if (tunnel.fences) return &name;
    }
    return nullptr;
}

/// Who is asked: the register of record, or while it is out of reach another gateway that has shown
/// the very same one.
const std::string* Node::arbiter_name() const {
    const std::string* record = record_name();
    if (record == nullptr) return nullptr;
    const Tunnel& first = tunnels_.at(*record);
    if (is_up(first.state) || first.view.store.empty()) return record;
    for (const auto& [name, tunnel] : tunnels_) {
        if (tunnel.fences && is_up(tunnel.state) && tunnel.view.store == first.view.store)
            return &name;
    }
    return record;
}

const Node::Tunnel* Node::arbiter() const {
    const std::string* name = arbiter_name();
    return name == nullptr ? nullptr : &tunnels_.at(*name);
}

/// For an operator's order: any gateway, the register of record first.
const std::string* Node::reachable_gateway() const {
    const std::string* name = arbiter_name();
    if (name == nullptr || (is_up(tunnels_.at(*name).state) && tunnels_.at(*name).view.known))
        return name;
    for (const auto& [other, tunnel] : tunnels_) {
        if (tunnel.fences && is_up(tunnel.state) && tunnel.view.known) return &other;
    }
    return name;
}

/// Whether its gateway has to be told of an epoch that was granted elsewhere.
bool Node::follows(const std::string& name, const Tunnel& tunnel) const {
    if (!tunnel.fences || !arbitrated_) return false;
    return name != *record_name() || !granted_by_.empty();
}

bool Node::holds(const Tunnel& tunnel) const {
    return tunnel.followed == serving_ || (tunnel.view.known && tunnel.view.epoch == serving_ &&
                                           tunnel.view.holder == settings_.node);
}

/// Claims the epoch of this master at the gateways that did not grant it.
void Node::follow_gateways() {
    if (serving_ == 0) return;
    const std::string store = arbiter() == nullptr ? std::string() : arbiter()->view.store;
    for (auto& [name, tunnel] : tunnels_) {
        if (!follows(name, tunnel) || holds(tunnel) || tunnel.follow_ask) continue;
        if (tunnel.state != TunnelState::standby || now_ < tunnel.next_activate) continue;
        // It has the same register and tells by itself.
        if (!store.empty() && tunnel.view.store == store) continue;
        tunnel.next_activate = now_ + follow_again;
        tunnel.follow_ask = next_ask();
        tunnel.follow_epoch = serving_;
        emit(effect::Claim{*tunnel.follow_ask, name, serving_, ClaimReason::follow});
    }
}

/// @return False: it is the answer to another question.
bool Node::follow_answered(const fact::ClaimAnswered& fact) {
    for (auto& [name, tunnel] : tunnels_) {
        if (tunnel.follow_ask != fact.ask) continue;
        tunnel.follow_ask.reset();
        if (fact.view.known) see(tunnel, fact.view);
        if (fact.granted) tunnel.followed = std::max(tunnel.followed, tunnel.follow_epoch);
        if (serving_ != 0 && holds(tunnel)) {
            tunnel.next_activate = now_;
            clear_alert("gateway-not-following");
        } else if (serving_ != 0 && serving_ == tunnel.follow_epoch) {
            alert("gateway-not-following", true,
                  "the gateway of tunnel " + name + " does not follow epoch " +
                      std::to_string(serving_) + " of the register of record: " + fact.detail);
        }
        obey_gateway(name, tunnel);
        return true;
    }
    return false;
}

bool Node::follow_failed(const fact::ClaimFailed& fact) {
    for (auto& [name, tunnel] : tunnels_) {
        if (tunnel.follow_ask != fact.ask) continue;
        tunnel.follow_ask.reset();
        return true;
    }
    return false;
}

void Node::stop_following() {
    for (auto& [name, tunnel] : tunnels_) tunnel.follow_ask.reset();
    granted_by_.clear();
    clear_alert("gateway-not-following");
}

/// Tunnels or policy changed: another gateway may be the register of record now. It follows first.
void Node::record_moved(const std::string* before) {
    const std::string* now = record_name();
    if (before == nullptr || now == nullptr || *before == *now) return;
    if (serving_ == 0 || !arbitrated_) return;
    granted_by_ = *before;
    in_sync_doubtful_ = true;
    note("tunnel " + *now + " leads to the register of record now, before it was " + *before);
}

/// Gateways that follow let the streams of the handed-over epoch end in peace as well.
void Node::consent_everywhere(const std::string& arbiter) {
    for (const auto& [name, tunnel] : tunnels_) {
        if (name == arbiter || tunnel.state != TunnelState::active) continue;
        if (follows(name, tunnel) && holds(tunnel))
            emit(effect::Consent{next_ask(), name, serving_, {}});
    }
}

/// What another gateway than the register of record says of a higher epoch: that one was granted
/// there, or by the register of record to an instance that it followed.
void Node::obey_gateway(const std::string& name, const Tunnel& tunnel) {
    const RegisterView& view = tunnel.view;
    const std::string* record = record_name();
    const bool same =
        record != nullptr && !view.store.empty() && view.store == tunnels_.at(*record).view.store;
    if (same) return obey_higher_epoch(view);
    if (serving_ == 0 || tunnel.followed != serving_ || view.epoch <= serving_) return;
    if (view.holder.empty() || view.holder == settings_.node) return;
    step_down(view.epoch,
              "the gateway of tunnel " + name + " follows epoch " + std::to_string(view.epoch) +
                  " of " + view.holder + ", this instance was of epoch " + std::to_string(serving_),
              Duration{});
}

}  // namespace umbra::core
