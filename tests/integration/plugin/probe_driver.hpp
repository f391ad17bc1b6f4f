#pragma once

#include "integration/plugin/driver.hpp"
#include <umbra/sdk/probe.hpp>

namespace umbra::plugin_test {

/// An instance of the health probe in UMBRA_TEST_PLUGIN.
class ProbeUnderTest {
public:
    explicit ProbeUnderTest(const OptionValues& values)
        : instance_(file(), "/nonexistent", values) {}

    [[nodiscard]] const PluginInstance& instance() const { return instance_; }
    /// @param deadline_ns  CLOCK_MONOTONIC; 0 = none.
    [[nodiscard]] Pending<ProbeResult> start(std::int64_t deadline_ns = 0) {
        Pending<ProbeResult> pending{
            [](const void* result) {
                return detail::decode(*static_cast<const umbra_probe_result*>(result));
            },
            deadline_ns};
        static_cast<const umbra_probe_api*>(file().plugin().api)
            ->check(instance_.self(), pending.op());
        return pending;
    }
    [[nodiscard]] Result<ProbeResult> check() { return start().get(); }
    [[nodiscard]] Pending<Done> stop() { return instance_.stop(); }

    static const PluginFile& file() {
        static const PluginFile file{UMBRA_TEST_PLUGIN, UMBRA_KIND_PROBE};
        return file;
    }

private:
    PluginInstance instance_;
};

}  // namespace umbra::plugin_test
