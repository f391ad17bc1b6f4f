#include "instance_core.hpp"
#include <umbra/host/handles.hpp>

namespace umbra::host {

using Api = umbra_transport_api;

namespace {

/// The raw struct and what it borrows besides the spec itself.
struct RawSpec {
    explicit RawSpec(const TransportSpec& spec) {
        using detail::to_str;
        guests.reserve(spec.guests.size());
        for (const auto& guest : spec.guests) guests.push_back(to_str(guest));
        raw = {sizeof raw,
               to_str(spec.own_publish),
               to_str(spec.own_respond),
               to_str(spec.peer_publish),
               to_str(spec.peer_respond),
               to_str(spec.peer_identity),
               guests.data(),
               guests.size()};
    }
    std::vector<umbra_str> guests;
    umbra_transport_spec raw{};
};

}  // namespace

Result<std::unique_ptr<TransportHandle>> TransportHandle::make(const umbra_plugin& plugin,
                                                               const InstanceSpec& spec,
                                                               Surroundings surroundings) {
    auto core = InstanceCore::make(plugin, UMBRA_KIND_TRANSPORT, spec, std::move(surroundings));
    if (!core) return core.error();
    return std::unique_ptr<TransportHandle>(new TransportHandle(std::move(*core)));
}

void TransportHandle::open(const TransportSpec& spec, Deadline deadline,
                           Callback<TransportOpened> done) {
    const RawSpec raw(spec);
    core_->call<TransportOpened>("open", &Api::open, deadline, std::move(done), &raw.raw);
}

void TransportHandle::reconfigure(const TransportSpec& spec, Deadline deadline,
                                  Callback<Done> done) {
    const RawSpec raw(spec);
    core_->call<Done>("reconfigure", &Api::reconfigure, deadline, std::move(done), &raw.raw);
}

void TransportHandle::publish(const Frames& frames, Deadline deadline, Callback<Done> done) {
    const auto raw = detail::to_raw(frames);
    core_->call<Done>("publish", &Api::publish, deadline, std::move(done), raw.data(), raw.size());
}

void TransportHandle::request(const Frames& frames, Deadline deadline, Callback<Frames> done) {
    const auto raw = detail::to_raw(frames);
    core_->call<Frames>("request", &Api::request, deadline, std::move(done), raw.data(),
                        raw.size());
}

void TransportHandle::next_event(Deadline deadline, Callback<TransportEvent> done) {
    core_->call<TransportEvent>("next_event", &Api::next_event, deadline, std::move(done));
}

void TransportHandle::answer(std::uint64_t id, const Frames& frames, Deadline deadline,
                             Callback<Done> done) {
    const auto raw = detail::to_raw(frames);
    core_->call<Done>("answer", &Api::answer, deadline, std::move(done), id, raw.data(),
                      raw.size());
}

void TransportHandle::set_pong(const std::string& ping, const Frames& pong, Deadline deadline,
                               Callback<Done> done) {
    const auto raw = detail::to_raw(pong);
    core_->call<Done>("set_pong", &Api::set_pong, deadline, std::move(done),
                      umbra_view{ping.data(), ping.size()}, raw.data(), raw.size());
}

void TransportHandle::mint(Deadline deadline, Callback<Minted> done) {
    core_->call<Minted>("mint", &Api::mint, deadline, std::move(done));
}

void TransportHandle::introduce(const std::string& respond, const std::string& server_identity,
                                const std::string& secret, const Frames& frames, Deadline deadline,
                                Callback<Frames> done) {
    const auto raw = detail::to_raw(frames);
    core_->call<Frames>("introduce", &Api::introduce, deadline, std::move(done),
                        detail::to_str(respond), detail::to_str(server_identity),
                        detail::to_str(secret), raw.data(), raw.size());
}

}  // namespace umbra::host
