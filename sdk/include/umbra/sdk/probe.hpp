#pragma once

#include <umbra/sdk/plugin.hpp>

#include <string>

namespace umbra {

enum class Health : std::uint32_t {
    healthy = UMBRA_HEALTHY,
    degraded = UMBRA_DEGRADED,
    down = UMBRA_DOWN
};

struct ProbeResult {
    Health health = Health::down;
    Duration latency{};
    std::string detail;  ///< One line, at most 256 bytes; empty when there is nothing to say.
};

/// Health probe: tells whether what its options name is well.
class HealthProbe : public Plugin {
public:
    using Kind = HealthProbe;

    /// One check. Being down is a result; a failure means that the probe itself could not work.
    virtual void check(Reply<ProbeResult> reply) = 0;
};

namespace detail {

template <>
struct Encode<ProbeResult> {
    template <class F>
    static void with(const ProbeResult& r, F f) {
        const umbra_probe_result raw{sizeof(umbra_probe_result),
                                     static_cast<std::uint32_t>(r.health), r.latency.count(),
                                     to_str(r.detail)};
        f(&raw);
    }
};

inline ProbeResult decode(const umbra_probe_result& raw) {
    return {static_cast<Health>(raw.health), Duration{raw.latency_ns},
            std::string{to_view(raw.detail)}};
}

struct ProbeThunks {
    static constexpr umbra_kind kind = UMBRA_KIND_PROBE;
    static void check(void* self, umbra_op* op) {
        guarded(op, [&] { static_cast<HealthProbe*>(self)->check(Reply<ProbeResult>{op}); });
    }
    static constexpr umbra_probe_api table{sizeof(umbra_probe_api), &check};
};
template <>
struct ThunksFor<HealthProbe> : ProbeThunks {};

}  // namespace detail
}  // namespace umbra
