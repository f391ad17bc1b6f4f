#include <umbra/gateway/private_file.hpp>

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace umbra::gateway {

namespace fs = std::filesystem;

Error file_error(const fs::path& path, const char* what) {
    const int number = errno;
    const bool full = number == ENOSPC || number == EDQUOT;
    return {full ? Errc::exhausted : Errc::unavailable,
            std::string("cannot ") + what + " " + path.string() + ": " + std::strerror(number),
            number};
}

Result<Done> replace_file(const fs::path& path, std::string_view bytes) {
    const fs::path fresh = path.string() + ".new";
    const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return file_error(fresh, "create");
    const bool ok = ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
                    ::fsync(fd) == 0;
    const Error error = ok ? Error{} : file_error(fresh, "write");
    ::close(fd);
    if (!ok) return error;
    if (::rename(fresh.c_str(), path.c_str()) != 0) return file_error(path, "replace");
    return sync_directory(path.parent_path());
}

Result<Done> sync_directory(const fs::path& dir) {
    const int fd = ::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return file_error(dir, "open");
    const bool stored = ::fsync(fd) == 0;
    const Error error = stored ? Error{} : file_error(dir, "store");
    ::close(fd);
    if (!stored) return error;
    return Done{};
}

}  // namespace umbra::gateway
