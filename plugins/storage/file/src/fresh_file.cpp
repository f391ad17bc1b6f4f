#include "fresh_file.hpp"

#include "disk_calls.hpp"

#include <utility>

namespace umbra::file_storage {

namespace {

constexpr std::size_t buffer_max = std::size_t{1} << 20;

}  // namespace

LogStore::FreshFile::~FreshFile() {
    if (fd_ < 0) return;
    disk_.close(fd_);
    (void)disk_.remove(fresh_name);
}

Result<Done> LogStore::FreshFile::open() {
    fd_ = disk_.open(fresh_name, Disk::Open::truncated);
    if (fd_ < 0) return disk_error(disk_, "create", fresh_name, -fd_);
    index_.header.id = disk_.random();
    return Done{};
}

Result<Done> LogStore::FreshFile::add(RecordKind kind, const LogEntry& entry) {
    const auto offset = index_.end;
    const auto before = buffer_.size();
    append_record(buffer_, index_.header, offset, kind, entry, 0);
    index_.end += buffer_.size() - before;
    index_.last = entry.position;
    if (kind == RecordKind::snapshot) {
        index_.snapshot = entry.position;
    } else {
        index_.offsets.push_back(offset);
    }
    return buffer_.size() < buffer_max ? Result<Done>{Done{}} : flush();
}

Result<Done> LogStore::FreshFile::seal() {
    if (auto flushed = flush(); !flushed.ok()) return flushed;
    index_.header.sealed = index_.end;
    return write_all(disk_, fd_, encode_file_header(index_.header), 0, fresh_name);
}

Result<Done> LogStore::FreshFile::flush() {
    auto written = write_all(disk_, fd_, buffer_, flushed_, fresh_name);
    flushed_ += buffer_.size();
    buffer_.clear();
    return written;
}

int LogStore::FreshFile::release() { return std::exchange(fd_, -1); }

}  // namespace umbra::file_storage
