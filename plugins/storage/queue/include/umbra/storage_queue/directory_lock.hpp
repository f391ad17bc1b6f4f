#pragma once

#include <umbra/sdk/result.hpp>

#include <string>

namespace umbra::storage_queue {

inline constexpr const char* lock_name = "lock";

/// Holds the file `lock` of a directory, so that one process works there. The file stays, with the
/// process id of the last holder, for the message to the next one; the kernel lets go when the
/// process ends.
class DirectoryLock {
public:
    DirectoryLock() = default;
    ~DirectoryLock() { release(); }
    DirectoryLock(const DirectoryLock&) = delete;
    DirectoryLock& operator=(const DirectoryLock&) = delete;

    /// `conflict` when another process, or another instance in this one, holds it.
    Result<Done> take(const std::string& directory);
    void release();

private:
    int fd_ = -1;
};

/// What `error` of a call on `path` means for a storage: "cannot <verb> <path>: <reason>".
Error file_error(const char* verb, const std::string& path, int error);

}  // namespace umbra::storage_queue
