#pragma once

#include <umbra/config/shared_config.hpp>
#include <umbra/core/effect.hpp>
#include <umbra/core/fact.hpp>
#include <umbra/host/handles.hpp>
#include <umbra/host/registry.hpp>
#include <umbra/instance/control.hpp>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace umbra::instance {

/// The tunnels of the shared configuration: makes and ends them as it changes, carries out the
/// core's wishes, and turns their events into facts.
class Tunnels {
public:
    using Report = std::function<void(core::Fact)>;
    /// id, error?, text; an empty text clears the alert.
    using Alert = std::function<void(const std::string& id, bool error, const std::string& text)>;

    struct Place {
        const host::Registry* registry = nullptr;
        host::Surroundings surroundings;
        std::string node, incarnation;
        std::filesystem::path state_dir;  ///< Each tunnel gets a directory below it.
    };

    Tunnels(Place place, Report report, Alert alert);

    /// Makes the tunnels equal to `config`; unrelated ones and their streams are not touched.
    /// @param epoch  Highest this node has stored; told to the far ends.
    void apply(const std::vector<config::TunnelConfig>& config, core::Epoch epoch);

    /// Backends with these probes are down; no stream is touched.
    void set_down(std::set<std::string> probes);

    void carry_out(const core::effect::Claim& effect);
    void carry_out(const core::effect::Activate& effect);
    void carry_out(const core::effect::Drain& effect);
    void carry_out(const core::effect::SetInSync& effect);
    void carry_out(const core::effect::Consent& effect);

    void enrol(const std::string& tunnel, const std::string& invitation,
               std::function<void(Result<Done>)> done);
    void rotate_key(const std::string& tunnel, std::function<void(Result<Done>)> done);
    /// @param tunnel  Empty: all of them. `done` gets `invalid` when there is none of that name.
    void check(const std::string& tunnel,
               std::function<void(Result<std::vector<TunnelCheckView>>)> done);
    [[nodiscard]] std::vector<TunnelStatus> status() const;
    [[nodiscard]] bool any_fences() const;
    void stop(Duration limit, std::function<void()> done);

private:
    struct Tunnel {
        config::TunnelConfig config;
        TunnelSpec spec;
        std::shared_ptr<host::TunnelHandle> handle;
        std::uint64_t generation = 0;  ///< Events of an earlier handle of this name are dropped.
        TunnelState state = TunnelState::down;
        core::Epoch epoch = 0;
        core::Epoch asked = 0;  ///< To serve under it; a slow provider answers too late.
        std::string refusal;    ///< Of the last activation; told once, however often it is tried.
        std::uint32_t links = 0, streams = 0;
        std::uint64_t denied = 0;
        std::string detail;
    };

    /// Without being made anew.
    [[nodiscard]] static bool may_take(const Tunnel& tunnel, const config::OptionValues& options);
    void change_options(const Tunnel& tunnel, const config::OptionValues& options);
    bool make(const config::TunnelConfig& config, core::Epoch epoch);
    void end(Tunnel& tunnel);
    void pull(const std::string& name, std::uint64_t generation);
    void take(const std::string& name, Tunnel& tunnel, const TunnelEvent& event);
    void configure(Tunnel& tunnel, core::Epoch epoch);
    [[nodiscard]] Mapping mapping_of(const config::Mapping& config) const;
    [[nodiscard]] TunnelSpec spec_of(const config::TunnelConfig& config, core::Epoch epoch) const;
    [[nodiscard]] host::TunnelHandle* find(const std::string& name);
    [[nodiscard]] Error no_such(const std::string& tunnel) const;

    Place place_;
    Report report_;
    Alert alert_;
    std::map<std::string, Tunnel> tunnels_;
    std::set<std::string> down_;  ///< Names of probes.
    std::uint64_t last_generation_ = 0;
};

}  // namespace umbra::instance
