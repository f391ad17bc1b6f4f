#pragma once

#include <umbra/config/shared_config.hpp>
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

/// The health probes of the shared configuration: runs each at its interval and keeps its last
/// word.
class Probes {
public:
    using Alert = std::function<void(const std::string& id, bool error, const std::string& text)>;

    /// Names of the probes whose last word was "down"; told whenever they change.
    using Down = std::function<void(std::set<std::string> names)>;

    Probes(const host::Registry& registry, host::Surroundings surroundings, std::string node,
           std::filesystem::path state_dir, Alert alert, Down down);

    void apply(const std::vector<config::ProbeConfig>& config);
    [[nodiscard]] std::vector<ProbeStatus> status() const;
    void stop(Duration limit, std::function<void()> done);

private:
    struct Probe {
        config::ProbeConfig config;
        std::shared_ptr<host::ProbeHandle> handle;
        std::uint64_t generation = 0;
        bool checked = false;
        ProbeResult last;
    };

    [[nodiscard]] static bool stays(Probe& probe, const config::ProbeConfig& config);
    void make(const config::ProbeConfig& config);
    void check(const std::string& name, std::uint64_t generation);
    void check_later(const std::string& name, std::uint64_t generation, Duration delay);
    void take(const std::string& name, Probe& probe, const Result<ProbeResult>& result);
    void tell_down();

    const host::Registry& registry_;
    host::Surroundings surroundings_;
    std::string node_;
    std::filesystem::path state_dir_;
    Alert alert_;
    Down down_;
    std::set<std::string> told_down_;
    std::map<std::string, Probe> probes_;
    std::uint64_t last_generation_ = 0;
};

}  // namespace umbra::instance
