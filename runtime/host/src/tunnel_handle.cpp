#include "instance_core.hpp"
#include <umbra/host/handles.hpp>

#include <string_view>

namespace umbra::host {

using Api = umbra_tunnel_api;

namespace {

/// The raw struct and what it borrows besides the spec itself.
struct RawSpec {
    explicit RawSpec(const TunnelSpec& spec) {
        using detail::to_str;
        mappings.reserve(spec.mappings.size());
        for (const auto& m : spec.mappings)
            mappings.push_back({sizeof(umbra_mapping), to_str(m.name), to_str(m.virtual_host),
                                m.virtual_port, m.virtual_port_last, to_str(m.internal_host),
                                m.internal_port, to_str(m.protocol), m.active ? 1u : 0u});
        channels.reserve(spec.channels.size());
        for (const auto& c : spec.channels)
            channels.push_back(
                {sizeof(umbra_channel), to_str(c.name), to_str(c.listen), to_str(c.target)});
        raw = {sizeof raw,      to_str(spec.node), to_str(spec.incarnation), spec.epoch,
               mappings.data(), mappings.size(),   channels.data(),          channels.size()};
    }
    std::vector<umbra_mapping> mappings;
    std::vector<umbra_channel> channels;
    umbra_tunnel_spec raw{};
};

}  // namespace

Result<std::unique_ptr<TunnelHandle>> TunnelHandle::make(const umbra_plugin& plugin,
                                                         const InstanceSpec& spec,
                                                         Surroundings surroundings) {
    auto core = InstanceCore::make(plugin, UMBRA_KIND_TUNNEL, spec, std::move(surroundings));
    if (!core) return core.error();
    return std::unique_ptr<TunnelHandle>(new TunnelHandle(std::move(*core)));
}

bool TunnelHandle::fences() const noexcept {
    const char* const* capability = core_->plugin().capabilities;
    for (; capability != nullptr && *capability != nullptr; ++capability)
        if (std::string_view{*capability} == UMBRA_CAP_FENCES) return true;
    return false;
}

void TunnelHandle::open(const TunnelSpec& spec, Deadline deadline, Callback<Done> done) {
    const RawSpec raw(spec);
    core_->call<Done>("open", &Api::open, deadline, std::move(done), &raw.raw);
}

void TunnelHandle::claim(std::uint64_t epoch, ClaimReason reason, Deadline deadline,
                         Callback<ClaimResult> done) {
    core_->call<ClaimResult>("claim", &Api::claim, deadline, std::move(done), epoch,
                             static_cast<std::uint32_t>(reason));
}

void TunnelHandle::activate(std::uint64_t epoch, Deadline deadline, Callback<Done> done) {
    core_->call<Done>("activate", &Api::activate, deadline, std::move(done), epoch);
}

void TunnelHandle::configure(const TunnelSpec& spec, Deadline deadline, Callback<Done> done) {
    const RawSpec raw(spec);
    core_->call<Done>("configure", &Api::configure, deadline, std::move(done), &raw.raw);
}

void TunnelHandle::consent(std::uint64_t epoch, const std::string& successor, Deadline deadline,
                           Callback<Done> done) {
    core_->call<Done>("consent", &Api::consent, deadline, std::move(done), epoch,
                      detail::to_str(successor));
}

void TunnelHandle::drain(Duration grace, Deadline deadline, Callback<Done> done) {
    core_->call<Done>("drain", &Api::drain, deadline, std::move(done), grace.count());
}

void TunnelHandle::next_event(Deadline deadline, Callback<TunnelEvent> done) {
    core_->call<TunnelEvent>("next_event", &Api::next_event, deadline, std::move(done));
}

void TunnelHandle::set_in_sync(std::uint64_t epoch, std::uint64_t seq,
                               const std::vector<Member>& members, Deadline deadline,
                               Callback<Done> done) {
    const auto raw = detail::to_raw(members);
    core_->call<Done>("set_in_sync", &Api::set_in_sync, deadline, std::move(done), epoch, seq,
                      raw.data(), raw.size());
}

void TunnelHandle::enrol(const std::string& invitation, Deadline deadline, Callback<Done> done) {
    core_->call<Done>("enrol", &Api::enrol, deadline, std::move(done), detail::to_str(invitation));
}

}  // namespace umbra::host
