#include "instance_core.hpp"
#include <umbra/host/handles.hpp>

namespace umbra::host {

InstanceHandle::InstanceHandle(std::shared_ptr<InstanceCore> core) : core_(std::move(core)) {}

InstanceHandle::~InstanceHandle() { core_->detach(); }

void InstanceHandle::stop(Deadline deadline, Callback<Done> done) {
    core_->stop(deadline, std::move(done));
}

bool InstanceHandle::changes_options() const noexcept { return core_->changes_options(); }

void InstanceHandle::change_options(const umbra_value* values, std::size_t count, Deadline deadline,
                                    Callback<Done> done) {
    core_->change_options(values, count, deadline, std::move(done));
}

const std::string& InstanceHandle::label() const noexcept { return core_->label(); }

CallStats InstanceHandle::stats() const { return core_->stats(); }

}  // namespace umbra::host
