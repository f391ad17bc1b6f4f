#include "instance_core.hpp"
#include <umbra/host/handles.hpp>

namespace umbra::host {

InstanceHandle::InstanceHandle(std::shared_ptr<InstanceCore> core) : core_(std::move(core)) {}

InstanceHandle::~InstanceHandle() { core_->detach(); }

void InstanceHandle::stop(Deadline deadline, Callback<Done> done) {
    core_->stop(deadline, std::move(done));
}

const std::string& InstanceHandle::label() const noexcept { return core_->label(); }

CallStats InstanceHandle::stats() const { return core_->stats(); }

}  // namespace umbra::host
