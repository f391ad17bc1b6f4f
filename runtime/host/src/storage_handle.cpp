#include "instance_core.hpp"
#include <umbra/host/handles.hpp>

namespace umbra::host {

using Api = umbra_storage_api;

Result<std::unique_ptr<StorageHandle>> StorageHandle::make(const umbra_plugin& plugin,
                                                           const InstanceSpec& spec,
                                                           Surroundings surroundings) {
    auto core = InstanceCore::make(plugin, UMBRA_KIND_STORAGE, spec, std::move(surroundings));
    if (!core) return core.error();
    return std::unique_ptr<StorageHandle>(new StorageHandle(std::move(*core)));
}

void StorageHandle::open(Deadline deadline, Callback<StorageOpened> done) {
    core_->call<StorageOpened>("open", &Api::open, deadline, std::move(done));
}

void StorageHandle::append(const std::vector<LogEntry>& entries, Deadline deadline,
                           Callback<Done> done) {
    std::vector<umbra_entry> raw;
    raw.reserve(entries.size());
    for (const auto& entry : entries) raw.push_back(detail::to_raw(entry));
    core_->call<Done>("append", &Api::append, deadline, std::move(done), raw.data(), raw.size());
}

void StorageHandle::read(std::uint64_t from_seq, std::size_t max, Deadline deadline,
                         Callback<std::vector<LogEntry>> done) {
    core_->call<std::vector<LogEntry>>("read", &Api::read, deadline, std::move(done), from_seq,
                                       max);
}

void StorageHandle::read_snapshot(Deadline deadline, Callback<LogEntry> done) {
    core_->call<LogEntry>("read_snapshot", &Api::read_snapshot, deadline, std::move(done));
}

void StorageHandle::truncate(std::uint64_t seq, Deadline deadline, Callback<Done> done) {
    core_->call<Done>("truncate", &Api::truncate, deadline, std::move(done), seq);
}

void StorageHandle::install(const LogEntry& snapshot, Deadline deadline, Callback<Done> done) {
    const auto raw = detail::to_raw(snapshot);
    core_->call<Done>("install", &Api::install, deadline, std::move(done), &raw);
}

void StorageHandle::compact(const LogEntry& snapshot, Deadline deadline, Callback<Done> done) {
    const auto raw = detail::to_raw(snapshot);
    core_->call<Done>("compact", &Api::compact, deadline, std::move(done), &raw);
}

}  // namespace umbra::host
