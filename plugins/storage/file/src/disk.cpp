#include <umbra/file_storage/disk.hpp>

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <random>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace umbra::file_storage {

namespace {

constexpr mode_t private_mode = 0600;

/// Repeats a call that a signal interrupted; a failure becomes the negative errno.
template <class F>
auto checked(F call) -> decltype(call()) {
    for (;;) {
        const auto result = call();
        if (result >= 0) return result;
        if (errno != EINTR) return -errno;
    }
}

/// A sync is never repeated: an error that was reported once is forgotten by the kernel, and the
/// second call would report success for data that is gone.
int checked_once(int result) { return result == 0 ? 0 : -errno; }

}  // namespace

PosixDisk::PosixDisk(std::string directory) : directory_path_(std::move(directory)) {}

PosixDisk::~PosixDisk() {
    if (directory_fd_ >= 0) ::close(directory_fd_);
}

std::string PosixDisk::path(std::string_view name) const {
    return name.empty() ? directory_path_ : directory_path_ + "/" + std::string{name};
}

int PosixDisk::directory() {
    if (directory_fd_ < 0)
        directory_fd_ = checked(
            [&] { return ::open(directory_path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    return directory_fd_;
}

int PosixDisk::open(const char* name, Open how) {
    const int in = directory();
    if (in < 0) return in;
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW;
    if (how != Open::existing) flags |= O_CREAT;
    if (how == Open::truncated) flags |= O_TRUNC;
    return checked([&] { return ::openat(in, name, flags, private_mode); });
}

void PosixDisk::close(int fd) { ::close(fd); }

std::int64_t PosixDisk::size(int fd) {
    struct stat status {};
    const int result = checked([&] { return ::fstat(fd, &status); });
    if (result < 0) return result;
    if (!S_ISREG(status.st_mode)) return -EINVAL;
    return status.st_size;
}

std::int64_t PosixDisk::read(int fd, char* out, std::size_t count, std::uint64_t offset) {
    return checked([&] { return ::pread(fd, out, count, static_cast<off_t>(offset)); });
}

std::int64_t PosixDisk::write(int fd, std::string_view bytes, std::uint64_t offset) {
    return checked(
        [&] { return ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
}

int PosixDisk::truncate(int fd, std::uint64_t size) {
    return checked([&] { return ::ftruncate(fd, static_cast<off_t>(size)); });
}

int PosixDisk::sync_data(int fd) { return checked_once(::fdatasync(fd)); }

int PosixDisk::sync_all(int fd) { return checked_once(::fsync(fd)); }

int PosixDisk::rename(const char* from, const char* to) {
    const int in = directory();
    if (in < 0) return in;
    return checked([&] { return ::renameat(in, from, in, to); });
}

int PosixDisk::remove(const char* name) {
    const int in = directory();
    if (in < 0) return in;
    return checked([&] { return ::unlinkat(in, name, 0); });
}

int PosixDisk::sync_directory() {
    const int in = directory();
    return in < 0 ? in : checked_once(::fsync(in));
}

int PosixDisk::lock(int fd) {
    return checked([&] { return ::flock(fd, LOCK_EX | LOCK_NB); });
}

std::uint64_t PosixDisk::random() {
    std::random_device device;
    return (std::uint64_t{device()} << 32) | device();
}

}  // namespace umbra::file_storage
