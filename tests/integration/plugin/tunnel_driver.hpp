#pragma once

#include "integration/plugin/driver.hpp"
#include <umbra/sdk/tunnel.hpp>

#include <chrono>
#include <functional>
#include <optional>
#include <string>

namespace umbra::plugin_test {

/// An instance of the tunnel provider in UMBRA_TEST_PLUGIN, driven as a host does.
class TunnelUnderTest {
public:
    TunnelUnderTest(const std::string& state_dir, const OptionValues& values)
        : instance_(file(), state_dir, values) {}

    [[nodiscard]] const PluginInstance& instance() const { return instance_; }

    [[nodiscard]] Pending<Done> open(const TunnelSpec& spec) { return with_spec(api().open, spec); }
    [[nodiscard]] Pending<Done> configure(const TunnelSpec& spec) {
        return with_spec(api().configure, spec);
    }
    [[nodiscard]] Pending<Done> activate(std::uint64_t epoch) {
        return done([&](umbra_op* op) { api().activate(instance_.self(), epoch, op); });
    }
    [[nodiscard]] Pending<Done> drain(Duration grace) {
        return done([&](umbra_op* op) { api().drain(instance_.self(), grace.count(), op); });
    }
    [[nodiscard]] Result<ClaimResult> claim(std::uint64_t epoch) {
        Pending<ClaimResult> pending{[](const void* result) {
            return detail::decode(*static_cast<const umbra_claim_result*>(result));
        }};
        api().claim(instance_.self(), epoch, UMBRA_CLAIM_FIRST, pending.op());
        return pending.get();
    }
    [[nodiscard]] Pending<Done> stop() { return instance_.stop(); }

    /// Fetches events until one fits, and returns it. Failures carry the last one that did not.
    [[nodiscard]] Result<TunnelEvent> wait_for(
        const std::function<bool(const TunnelEvent&)>& fits) {
        const auto end = std::chrono::steady_clock::now() + patience;
        for (;;) {
            if (last_ && fits(*last_)) return *last_;
            if (std::chrono::steady_clock::now() > end)
                return Error{Errc::timeout, "the tunnel stays as it is: " + to_text(last_)};
            auto event = next_event().get();
            if (!event.ok())
                return Error{event.error().code,
                             event.error().message + "; the tunnel was " + to_text(last_)};
            last_ = *event;
        }
    }
    [[nodiscard]] Result<TunnelEvent> wait_for(TunnelState state, const std::string& detail = {}) {
        return wait_for([&](const TunnelEvent& event) {
            return event.state == state && event.detail.find(detail) != std::string::npos;
        });
    }

    static const PluginFile& file() {
        static const PluginFile file{UMBRA_TEST_PLUGIN, UMBRA_KIND_TUNNEL};
        return file;
    }

private:
    static const umbra_tunnel_api& api() {
        return *static_cast<const umbra_tunnel_api*>(file().plugin().api);
    }
    static std::string to_text(const std::optional<TunnelEvent>& event) {
        return event ? "in state " + std::to_string(static_cast<int>(event->state)) + ", \"" +
                           event->detail + "\""
                     : "never seen";
    }
    [[nodiscard]] Pending<TunnelEvent> next_event() {
        Pending<TunnelEvent> pending{[](const void* result) {
            return detail::decode(*static_cast<const umbra_tunnel_event*>(result));
        }};
        api().next_event(instance_.self(), pending.op());
        return pending;
    }
    template <class F>
    static Pending<Done> done(F call) {
        Pending<Done> pending{[](const void*) { return Done{}; }};
        call(pending.op());
        return pending;
    }
    Pending<Done> with_spec(void (*call)(void*, const umbra_tunnel_spec*, umbra_op*),
                            const TunnelSpec& spec) {
        using detail::to_str;
        std::vector<umbra_mapping> mappings;
        for (const auto& m : spec.mappings) {
            umbra_mapping raw{};
            raw.struct_size = sizeof raw;
            raw.name = to_str(m.name);
            raw.virtual_host = to_str(m.virtual_host);
            raw.virtual_port = m.virtual_port;
            raw.virtual_port_last = m.virtual_port_last;
            raw.internal_host = to_str(m.internal_host);
            raw.internal_port = m.internal_port;
            raw.protocol = to_str(m.protocol);
            raw.active = m.active ? 1 : 0;
            mappings.push_back(raw);
        }
        std::vector<umbra_channel> channels;
        for (const auto& c : spec.channels) {
            umbra_channel raw{};
            raw.struct_size = sizeof raw;
            raw.name = to_str(c.name);
            raw.listen = to_str(c.listen);
            raw.target = to_str(c.target);
            channels.push_back(raw);
        }
        umbra_tunnel_spec raw{};
        raw.struct_size = sizeof raw;
        raw.node = to_str(spec.node);
        raw.incarnation = to_str(spec.incarnation);
        raw.epoch = spec.epoch;
        raw.mappings = mappings.data();
        raw.mapping_count = mappings.size();
        raw.channels = channels.data();
        raw.channel_count = channels.size();
        return done([&](umbra_op* op) { call(instance_.self(), &raw, op); });
    }

    PluginInstance instance_;
    std::optional<TunnelEvent> last_;
};

}  // namespace umbra::plugin_test
