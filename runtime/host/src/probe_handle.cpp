#include "instance_core.hpp"
#include <umbra/host/handles.hpp>

namespace umbra::host {

Result<std::unique_ptr<ProbeHandle>> ProbeHandle::make(const umbra_plugin& plugin,
                                                       const InstanceSpec& spec,
                                                       Surroundings surroundings) {
    auto core = InstanceCore::make(plugin, UMBRA_KIND_PROBE, spec, std::move(surroundings));
    if (!core) return core.error();
    return std::unique_ptr<ProbeHandle>(new ProbeHandle(std::move(*core)));
}

void ProbeHandle::check(Deadline deadline, Callback<ProbeResult> done) {
    core_->call<ProbeResult>("check", &umbra_probe_api::check, deadline, std::move(done));
}

}  // namespace umbra::host
