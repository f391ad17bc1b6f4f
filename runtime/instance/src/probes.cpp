#include "probes.hpp"

#include <umbra/base/log.hpp>

#include <utility>

namespace umbra::instance {

namespace {

using namespace std::chrono_literals;

/// A probe has its own time-out option; this ends the wait for one that ignores it.
constexpr Duration check_limit = 90s;
constexpr Duration stop_limit = 5s;

}  // namespace

Probes::Probes(const host::Registry& registry, host::Surroundings surroundings, std::string node,
               std::filesystem::path state_dir, Alert alert, Down down)
    : registry_(registry),
      surroundings_(std::move(surroundings)),
      node_(std::move(node)),
      state_dir_(std::move(state_dir)),
      alert_(std::move(alert)),
      down_(std::move(down)) {}

void Probes::apply(const std::vector<config::ProbeConfig>& config) {
    std::map<std::string, const config::ProbeConfig*> wanted;
    for (const auto& probe : config) wanted.emplace(probe.name, &probe);
    for (auto it = probes_.begin(); it != probes_.end();) {
        const auto found = wanted.find(it->first);
        if (found != wanted.end() && stays(it->second, *found->second)) {
            wanted.erase(found);
            ++it;
            continue;
        }
        auto handle = it->second.handle;
        handle->stop(host::Deadline::after(stop_limit), [handle](const Result<Done>&) {});
        alert_("probe-" + it->first, false, {});
        it = probes_.erase(it);
    }
    for (const auto& [name, probe_config] : wanted) make(*probe_config);
    tell_down();
}

/// As it is, or with other values for its live options.
bool Probes::stays(Probe& probe, const config::ProbeConfig& config) {
    if (config == probe.config) return true;
    const bool only_live = config.plugin == probe.config.plugin &&
                           config.every == probe.config.every && probe.handle->changes_options() &&
                           probe.config.options.only_live_differs(config.options);
    if (!only_live) return false;
    probe.config = config;
    probe.handle->change_options(
        config.options.data(), config.options.size(), host::Deadline::after(stop_limit),
        [name = config.name](const Result<Done>& result) {
            if (!result.ok()) base::warn("probe", "{}: {}", name, result.error().message);
        });
    return true;
}

void Probes::make(const config::ProbeConfig& config) {
    const auto alert_id = "probe-" + config.name;
    const umbra_plugin* plugin = registry_.find(UMBRA_KIND_PROBE, config.plugin);
    if (plugin == nullptr) {
        alert_(
            alert_id, true,
            "probe " + config.name + ": " + registry_.why_missing(UMBRA_KIND_PROBE, config.plugin));
        return;
    }
    const host::InstanceSpec spec{node_, config.name, state_dir_ / config.name,
                                  config.options.data(), config.options.size()};
    auto made = host::ProbeHandle::make(*plugin, spec, surroundings_);
    if (!made.ok()) {
        alert_(alert_id, true, made.error().message);
        return;
    }
    const auto generation = ++last_generation_;
    probes_.emplace(config.name, Probe{config, std::move(made).value(), generation, false, {}});
    check(config.name, generation);
}

void Probes::check(const std::string& name, std::uint64_t generation) {
    const auto found = probes_.find(name);
    if (found == probes_.end() || found->second.generation != generation) return;
    found->second.handle->check(host::Deadline::after(check_limit),
                                [this, name, generation](const Result<ProbeResult>& result) {
                                    const auto at = probes_.find(name);
                                    if (at == probes_.end() || at->second.generation != generation)
                                        return;
                                    if (!result.ok() && result.error().code == Errc::closed) return;
                                    take(name, at->second, result);
                                    check_later(name, generation, at->second.config.every);
                                });
}

void Probes::check_later(const std::string& name, std::uint64_t generation, Duration delay) {
    surroundings_.timers->schedule(surroundings_.timers->now() + delay,
                                   [this, name, generation] { check(name, generation); });
}

void Probes::take(const std::string& name, Probe& probe, const Result<ProbeResult>& result) {
    const bool was_healthy = probe.checked && probe.last.health == Health::healthy;
    probe.last = result.ok() ? *result : ProbeResult{Health::down, {}, result.error().message};
    const bool healthy = probe.last.health == Health::healthy;
    if (!healthy) {
        alert_("probe-" + name, probe.last.health == Health::down,
               "probe " + name + ": " + probe.last.detail);
        if (was_healthy || !probe.checked) base::warn("probe", "{}: {}", name, probe.last.detail);
    } else {
        alert_("probe-" + name, false, {});
        if (!was_healthy) base::info("probe", "{}: healthy", name);
    }
    probe.checked = true;
    tell_down();
}

/// A probe that has not been heard yet is not down: nothing is passed over without a reason.
void Probes::tell_down() {
    std::set<std::string> names;
    for (const auto& [name, probe] : probes_)
        if (probe.checked && probe.last.health == Health::down) names.insert(name);
    if (names == told_down_) return;
    told_down_ = names;
    down_(std::move(names));
}

std::vector<ProbeStatus> Probes::status() const {
    std::vector<ProbeStatus> list;
    for (const auto& [name, probe] : probes_) {
        const auto latency =
            std::chrono::duration_cast<std::chrono::microseconds>(probe.last.latency).count();
        list.push_back({name, probe.config.plugin, probe.last.health == Health::healthy, latency,
                        probe.checked ? probe.last.detail : "not checked yet"});
    }
    return list;
}

void Probes::stop(Duration limit, std::function<void()> done) {
    auto open = std::make_shared<std::size_t>(probes_.size() + 1);
    const auto one_less = [open, done = std::move(done)] {
        if (--*open == 0) done();
    };
    for (auto& [name, probe] : probes_) {
        probe.generation = 0;
        auto handle = probe.handle;
        handle->stop(host::Deadline::after(limit),
                     [handle, one_less](const Result<Done>&) { one_less(); });
    }
    one_less();
}

}  // namespace umbra::instance
