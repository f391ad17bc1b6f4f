#include <umbra/storage_queue/directory_lock.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <fcntl.h>
#include <sys/file.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace umbra::storage_queue {

namespace {

constexpr std::size_t pid_text_max = 20;

/// Waits out signals; the negative errno of a failure.
int flock_now(int fd) {
    for (;;) {
        if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return 0;
        if (errno != EINTR) return -errno;
    }
}

std::string holder_of(int fd) {
    std::string text(pid_text_max, '\0');
    const auto got = ::pread(fd, text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    text.resize(std::min(text.size(), text.find_first_not_of("0123456789")));
    return text.empty() ? "another process" : "process " + text;
}

}  // namespace

Error file_error(const char* verb, const std::string& path, int error) {
    Errc code = Errc::unavailable;
    if (error == ENOSPC || error == EDQUOT || error == EFBIG || error == EMFILE || error == ENOMEM)
        code = Errc::exhausted;
    if (error == EACCES || error == EPERM || error == EROFS || error == ELOOP) code = Errc::denied;
    if (error == EIO) code = Errc::data_loss;
    return {
        code,
        std::string{"cannot "} + verb + " " + path + ": " + std::generic_category().message(error),
        error};
}

Result<Done> DirectoryLock::take(const std::string& directory) {
    const auto path = directory + "/" + lock_name;
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return file_error("open", path, errno);
    const int refused = flock_now(fd);
    if (refused == 0) {
        release();
        fd_ = fd;
        // Only for the text of others: a full disk must not keep the log from being opened.
        const auto text = std::to_string(::getpid()) + "\n";
        if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, text.data(), text.size(), 0) < 0) return Done{};
        return Done{};
    }
    const auto holder = holder_of(fd);
    ::close(fd);
    if (refused != -EWOULDBLOCK) return file_error("lock", path, -refused);
    return Error{Errc::conflict,
                 "the storage in " + directory + " is in use by " + holder +
                     "; stop that instance, or give this one another data_dir",
                 EWOULDBLOCK};
}

void DirectoryLock::release() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

}  // namespace umbra::storage_queue
