#include "tunnels.hpp"

#include <umbra/base/log.hpp>

#include <algorithm>
#include <utility>

namespace umbra::instance {

namespace {

using namespace std::chrono_literals;

constexpr Duration tunnel_open_limit = 5s;
constexpr Duration answer_limit = 1s;  ///< For questions of one round trip to the far end.
constexpr Duration enrol_limit = 15s;
constexpr Duration drain_margin = 5s;  ///< Beyond the grace period.
constexpr Duration tunnel_stop_limit = 5s;
constexpr Duration tunnel_event_retry = 1s;

const char* name_of(TunnelState state) {
    switch (state) {
        case TunnelState::down:
            return "down";
        case TunnelState::connecting:
            return "connecting";
        case TunnelState::standby:
            return "standby";
        case TunnelState::active:
            return "active";
        case TunnelState::draining:
            return "draining";
        case TunnelState::refused:
            return "refused";
    }
    return "unknown";
}

}  // namespace

Tunnels::Tunnels(Place place, Report report, Alert alert)
    : place_(std::move(place)), report_(std::move(report)), alert_(std::move(alert)) {}

Mapping Tunnels::mapping_of(const config::Mapping& config) const {
    const auto& first = config.internals.front();
    Mapping mapping{config.name,
                    config.virtual_at.host,
                    config.virtual_at.first,
                    config.virtual_at.last,
                    first.host,
                    first.port,
                    config.protocol,
                    config.active};
    for (std::size_t i = 0; i < config.internals.size(); ++i) {
        const bool down = i < config.probes.size() && down_.contains(config.probes[i]);
        mapping.backends.push_back({config.internals[i].host, config.internals[i].port, down});
    }
    mapping.tls = {config.tls.server_name, config.tls.ca_file, config.tls.pin};
    mapping.proxy_v2 = config.proxy_v2;
    mapping.rewrite_host = config.rewrite_host;
    for (const auto& r : config.resources)
        mapping.resources.push_back({r.name, r.path, r.sub_paths, r.methods, r.upgrade, r.active});
    return mapping;
}

TunnelSpec Tunnels::spec_of(const config::TunnelConfig& config, core::Epoch epoch) const {
    TunnelSpec spec{place_.node, place_.incarnation, epoch, {}, {}};
    for (const auto& m : config.mappings) spec.mappings.push_back(mapping_of(m));
    for (const auto& c : config.channels) {
        spec.channels.push_back({c.name, to_string(c.listen), to_string(c.target)});
    }
    return spec;
}

void Tunnels::apply(const std::vector<config::TunnelConfig>& config, core::Epoch epoch) {
    std::map<std::string, const config::TunnelConfig*> wanted;
    for (const auto& tunnel : config) wanted.emplace(tunnel.name, &tunnel);
    for (auto it = tunnels_.begin(); it != tunnels_.end();) {
        const auto found = wanted.find(it->first);
        const bool stays = found != wanted.end() &&
                           found->second->plugin == it->second.config.plugin &&
                           may_take(it->second, found->second->options);
        if (stays) {
            ++it;
            continue;
        }
        end(it->second);
        it = tunnels_.erase(it);
    }
    for (const auto& [name, tunnel_config] : wanted) {
        const auto found = tunnels_.find(name);
        if (found == tunnels_.end()) {
            make(*tunnel_config, epoch);
            continue;
        }
        Tunnel& tunnel = found->second;
        change_options(tunnel, tunnel_config->options);
        tunnel.config = *tunnel_config;
        configure(tunnel, epoch);
    }
    core::fact::TunnelsConfigured configured;
    for (const auto& [name, tunnel] : tunnels_) configured.fences[name] = tunnel.handle->fences();
    report_(std::move(configured));
}

/// Tells the plugin, if there is something new.
void Tunnels::configure(Tunnel& tunnel, core::Epoch epoch) {
    auto spec = spec_of(tunnel.config, epoch);
    if (spec == tunnel.spec) return;
    tunnel.spec = std::move(spec);
    tunnel.handle->configure(tunnel.spec, host::Deadline::after(tunnel_open_limit),
                             [](const Result<Done>& result) {
                                 if (!result.ok())
                                     base::warn("tunnel", "{}", result.error().message);
                             });
}

void Tunnels::set_down(std::set<std::string> probes) {
    if (probes == down_) return;
    down_ = std::move(probes);
    for (auto& [name, tunnel] : tunnels_) configure(tunnel, tunnel.spec.epoch);
}

bool Tunnels::may_take(const Tunnel& tunnel, const config::OptionValues& options) {
    const auto& present = tunnel.config.options;
    return present == options ||
           (tunnel.handle->changes_options() && present.only_live_differs(options));
}

void Tunnels::change_options(const Tunnel& tunnel, const config::OptionValues& options) {
    if (tunnel.config.options == options) return;
    tunnel.handle->change_options(
        options.data(), options.size(), host::Deadline::after(tunnel_open_limit),
        [this, id = "tunnel-" + tunnel.config.name](const Result<Done>& result) {
            if (!result.ok() && result.error().code == Errc::closed) return;
            alert_(id, true, result.ok() ? "" : result.error().message);
        });
}

bool Tunnels::make(const config::TunnelConfig& config, core::Epoch epoch) {
    const auto alert_id = "tunnel-" + config.name;
    const umbra_plugin* plugin = place_.registry->find(UMBRA_KIND_TUNNEL, config.plugin);
    if (plugin == nullptr) {
        alert_(alert_id, true,
               "tunnel " + config.name + ": " +
                   place_.registry->why_missing(UMBRA_KIND_TUNNEL, config.plugin));
        return false;
    }
    const host::InstanceSpec spec{place_.node, config.name, place_.state_dir / config.name,
                                  config.options.data(), config.options.size()};
    auto made = host::TunnelHandle::make(*plugin, spec, place_.surroundings);
    if (!made.ok()) {
        alert_(alert_id, true, made.error().message);
        return false;
    }
    alert_(alert_id, false, {});
    Tunnel tunnel;
    tunnel.config = config;
    tunnel.spec = spec_of(config, epoch);
    tunnel.handle = std::move(made).value();
    tunnel.generation = ++last_generation_;
    auto& placed = tunnels_.emplace(config.name, std::move(tunnel)).first->second;
    placed.handle->open(placed.spec, host::Deadline::after(tunnel_open_limit),
                        [this, alert_id](const Result<Done>& result) {
                            if (!result.ok() && result.error().code != Errc::closed) {
                                alert_(alert_id, true, result.error().message);
                            }
                        });
    pull(config.name, placed.generation);
    return true;
}

void Tunnels::end(Tunnel& tunnel) {
    // The handle lives until the plugin has stopped.
    auto handle = tunnel.handle;
    handle->stop(host::Deadline::after(tunnel_stop_limit), [handle](const Result<Done>&) {});
}

void Tunnels::pull(const std::string& name, std::uint64_t generation) {
    const auto found = tunnels_.find(name);
    if (found == tunnels_.end() || found->second.generation != generation) return;
    found->second.handle->next_event(
        host::Deadline::none(), [this, name, generation](const Result<TunnelEvent>& event) {
            const auto at = tunnels_.find(name);
            if (at == tunnels_.end() || at->second.generation != generation) return;
            if (event.ok()) {
                take(name, at->second, *event);
                pull(name, generation);
            } else if (event.error().code != Errc::closed) {
                base::error("tunnel", "{}", event.error().message);
                place_.surroundings.timers->schedule(
                    place_.surroundings.timers->now() + tunnel_event_retry,
                    [this, name, generation] { pull(name, generation); });
            }
        });
}

void Tunnels::take(const std::string& name, Tunnel& tunnel, const TunnelEvent& event) {
    if (event.state != tunnel.state) {
        base::info("tunnel", "{}: {} -> {}{}{}", name, name_of(tunnel.state), name_of(event.state),
                   event.detail.empty() ? "" : ": ", event.detail);
    }
    const bool changed = event.state != tunnel.state;
    if (changed && event.state == TunnelState::active) tunnel.epoch = tunnel.asked;
    tunnel.state = event.state;
    tunnel.links = event.links;
    tunnel.streams = event.streams;
    if (event.type == TunnelEvent::Type::denied) {
        tunnel.denied += event.count;
        base::warn("tunnel", "{}: denied {} stream(s): {}", name, event.count, event.detail);
    } else if (event.type == TunnelEvent::Type::state) {
        tunnel.detail = event.detail;
    }
    // The register first: what a state means depends on it.
    if (event.reg.known) {
        report_(core::fact::RegisterSeen{name, event.reg,
                                         event.type == TunnelEvent::Type::holder_lost});
    }
    if (changed) report_(core::fact::TunnelChanged{name, event.state, event.unheard});
}

host::TunnelHandle* Tunnels::find(const std::string& name) {
    const auto found = tunnels_.find(name);
    return found == tunnels_.end() ? nullptr : found->second.handle.get();
}

void Tunnels::carry_out(const core::effect::Claim& effect) {
    auto* handle = find(effect.tunnel);
    if (handle == nullptr) {
        report_(core::fact::ClaimFailed{effect.ask, "there is no such tunnel any more"});
        return;
    }
    handle->claim(effect.epoch, effect.reason, host::Deadline::after(answer_limit),
                  [this, ask = effect.ask](const Result<ClaimResult>& result) {
                      if (result.ok()) {
                          report_(core::fact::ClaimAnswered{ask, result->granted, result->reg,
                                                            result->detail});
                      } else {
                          report_(core::fact::ClaimFailed{ask, result.error().message});
                      }
                  });
}

void Tunnels::carry_out(const core::effect::Activate& effect) {
    const auto tunnel = tunnels_.find(effect.tunnel);
    if (tunnel == tunnels_.end()) return;
    tunnel->second.asked = effect.epoch;
    tunnel->second.handle->activate(
        effect.epoch, host::Deadline::after(answer_limit),
        [this, name = effect.tunnel, epoch = effect.epoch](const Result<Done>& result) {
            const auto found = tunnels_.find(name);
            if (found == tunnels_.end()) return;
            if (result.ok()) {
                found->second.epoch = epoch;
                found->second.refusal.clear();
            } else if (std::exchange(found->second.refusal, result.error().message) !=
                       result.error().message) {
                base::warn("tunnel", "{}", result.error().message);
            }
        });
}

void Tunnels::carry_out(const core::effect::Drain& effect) {
    auto open = std::make_shared<std::size_t>(tunnels_.size());
    if (tunnels_.empty()) report_(core::fact::Drained{});
    for (auto& [name, tunnel] : tunnels_) {
        tunnel.epoch = tunnel.asked = 0;
        tunnel.refusal.clear();
        tunnel.handle->drain(effect.grace, host::Deadline::after(effect.grace + drain_margin),
                             [this, open](const Result<Done>& result) {
                                 if (!result.ok())
                                     base::warn("tunnel", "{}", result.error().message);
                                 if (--*open == 0) report_(core::fact::Drained{});
                             });
    }
}

void Tunnels::carry_out(const core::effect::SetInSync& effect) {
    auto* handle = find(effect.tunnel);
    if (handle == nullptr) {
        report_(core::fact::InSyncAnswered{effect.ask, false});
        return;
    }
    handle->set_in_sync(effect.epoch, effect.seq, effect.members,
                        host::Deadline::after(answer_limit),
                        [this, ask = effect.ask](const Result<Done>& result) {
                            if (!result.ok()) base::warn("tunnel", "{}", result.error().message);
                            report_(core::fact::InSyncAnswered{ask, result.ok()});
                        });
}

void Tunnels::carry_out(const core::effect::Consent& effect) {
    auto* handle = find(effect.tunnel);
    if (handle == nullptr) {
        report_(core::fact::ConsentAnswered{effect.ask, false, "there is no such tunnel any more"});
        return;
    }
    handle->consent(effect.epoch, effect.successor, host::Deadline::after(answer_limit),
                    [this, ask = effect.ask](const Result<Done>& result) {
                        report_(core::fact::ConsentAnswered{
                            ask, result.ok(), result.ok() ? "" : result.error().message});
                    });
}

void Tunnels::enrol(const std::string& tunnel, const std::string& invitation,
                    std::function<void(Result<Done>)> done) {
    if (auto* handle = find(tunnel)) {
        handle->enrol(invitation, host::Deadline::after(enrol_limit), std::move(done));
        return;
    }
    done(no_such(tunnel));
}

void Tunnels::rotate_key(const std::string& tunnel, std::function<void(Result<Done>)> done) {
    if (auto* handle = find(tunnel)) {
        handle->rotate_key(host::Deadline::after(enrol_limit), std::move(done));
        return;
    }
    done(no_such(tunnel));
}

Error Tunnels::no_such(const std::string& tunnel) const {
    std::vector<std::string> known;
    for (const auto& [name, unused] : tunnels_) known.push_back(name);
    return {Errc::invalid,
            "there is no tunnel " + config::in_quotes(tunnel) + "; " +
                (known.empty() ? "the configuration names none" : config::suggest(tunnel, known))};
}

bool Tunnels::any_fences() const {
    return std::any_of(tunnels_.begin(), tunnels_.end(),
                       [](const auto& tunnel) { return tunnel.second.handle->fences(); });
}

std::vector<TunnelStatus> Tunnels::status() const {
    std::vector<TunnelStatus> list;
    list.reserve(tunnels_.size());
    for (const auto& [name, tunnel] : tunnels_) {
        list.push_back({name, tunnel.config.plugin, name_of(tunnel.state), tunnel.epoch,
                        tunnel.handle->fences(), tunnel.links, tunnel.streams, tunnel.denied,
                        tunnel.detail});
    }
    return list;
}

void Tunnels::stop(Duration limit, std::function<void()> done) {
    auto open = std::make_shared<std::size_t>(tunnels_.size() + 1);
    const auto one_less = [open, done = std::move(done)] {
        if (--*open == 0) done();
    };
    for (auto& [name, tunnel] : tunnels_) {
        tunnel.generation = 0;
        auto handle = tunnel.handle;
        handle->stop(host::Deadline::after(limit),
                     [handle, one_less](const Result<Done>&) { one_less(); });
    }
    one_less();
}

}  // namespace umbra::instance
