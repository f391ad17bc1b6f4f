#include "instance_core.hpp"
#include <umbra/host/handles.hpp>

#include <deque>
#include <string_view>

namespace umbra::host {

using Api = umbra_tunnel_api;

namespace {

/// The raw struct and what it borrows besides the spec itself.
class RawSpec {
public:
    explicit RawSpec(const TunnelSpec& spec) {
        using detail::to_str;
        mappings_.reserve(spec.mappings.size());
        for (const auto& m : spec.mappings) mappings_.push_back(to_raw(m));
        channels_.reserve(spec.channels.size());
        for (const auto& c : spec.channels)
            channels_.push_back(
                {sizeof(umbra_channel), to_str(c.name), to_str(c.listen), to_str(c.target)});
        raw = {sizeof raw,       to_str(spec.node), to_str(spec.incarnation), spec.epoch,
               mappings_.data(), mappings_.size(),  channels_.data(),         channels_.size()};
    }
    umbra_tunnel_spec raw{};

private:
    umbra_mapping to_raw(const Mapping& m) {
        using detail::to_str;
        const auto& backends = backends_of(m);
        const auto& resources = resources_of(m);
        return {sizeof(umbra_mapping),    to_str(m.name),      to_str(m.virtual_host),
                m.virtual_port,           m.virtual_port_last, to_str(m.internal_host),
                m.internal_port,          to_str(m.protocol),  m.active ? 1u : 0u,
                backends.data(),          backends.size(),     to_str(m.tls.server_name),
                to_str(m.tls.ca_file),    to_str(m.tls.pin),   m.proxy_v2 ? 1u : 0u,
                m.rewrite_host ? 1u : 0u, resources.data(),    resources.size()};
    }
    const std::vector<umbra_backend>& backends_of(const Mapping& m) {
        auto& list = backends_.emplace_back();
        for (const auto& b : m.backends)
            list.push_back(
                {sizeof(umbra_backend), detail::to_str(b.host), b.port, b.down ? 1u : 0u});
        return list;
    }
    const std::vector<umbra_resource>& resources_of(const Mapping& m) {
        using detail::to_str;
        auto& list = resources_.emplace_back();
        for (const auto& r : m.resources) {
            auto& methods = methods_.emplace_back();
            for (const auto& method : r.methods) methods.push_back(to_str(method));
            list.push_back({sizeof(umbra_resource), to_str(r.name), to_str(r.path),
                            r.sub_paths ? 1u : 0u, methods.data(), methods.size(),
                            r.upgrade ? 1u : 0u, r.active ? 1u : 0u});
        }
        return list;
    }

    std::vector<umbra_mapping> mappings_;
    std::vector<umbra_channel> channels_;
    std::deque<std::vector<umbra_backend>> backends_;  // A deque: what is in it does not move.
    std::deque<std::vector<umbra_resource>> resources_;
    std::deque<std::vector<umbra_str>> methods_;
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

void TunnelHandle::check(Deadline deadline, Callback<std::vector<TunnelCheck>> done) {
    core_->call<std::vector<TunnelCheck>>("check", &Api::check, deadline, std::move(done));
}

void TunnelHandle::rotate_key(Deadline deadline, Callback<Done> done) {
    core_->call<Done>("rotate_key", &Api::rotate_key, deadline, std::move(done));
}

}  // namespace umbra::host
