#pragma once

#include <umbra/file_storage/disk.hpp>
#include <umbra/file_storage/log_store.hpp>

#include <string>

namespace umbra::file_storage {

/// The log as it shall be, written beside the log as it is. Removed again unless released.
class LogStore::FreshFile {
public:
    explicit FreshFile(Disk& disk) : disk_(disk) {}
    ~FreshFile();
    FreshFile(const FreshFile&) = delete;
    FreshFile& operator=(const FreshFile&) = delete;

    Result<Done> open();
    /// @pre A snapshot only first, entries consecutive.
    Result<Done> add(RecordKind kind, const LogEntry& entry);
    /// Writes what is left, and the header. The caller syncs.
    Result<Done> seal();

    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] const Index& index() const { return index_; }
    /// The file is no longer fresh: it was renamed.
    int release();

private:
    Result<Done> flush();

    Disk& disk_;
    int fd_ = -1;
    Index index_;
    std::string buffer_;
    std::uint64_t flushed_ = file_header_size;
};

}  // namespace umbra::file_storage
