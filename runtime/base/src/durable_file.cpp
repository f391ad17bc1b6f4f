#include <umbra/base/durable_file.hpp>

#include <fmt/format.h>

#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace umbra::base {
namespace {

namespace fs = std::filesystem;

class Descriptor {
public:
    explicit Descriptor(int fd) noexcept : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) ::close(fd_);
    }
    [[nodiscard]] int get() const noexcept { return fd_; }
    [[nodiscard]] bool ok() const noexcept { return fd_ >= 0; }

private:
    int fd_;
};

Error system_error(const fs::path& path, std::string_view doing, int code) {
    Errc errc = Errc::unavailable;
    switch (code) {
        case EACCES:
        case EPERM:
        case EROFS:
            errc = Errc::denied;
            break;
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
        case EMFILE:
        case ENFILE:
        case ENOMEM:
            errc = Errc::exhausted;
            break;
        case ENOTDIR:
        case EISDIR:
        case ELOOP:
        case ENAMETOOLONG:
            errc = Errc::invalid;
            break;
        default:
            break;
    }
    return {errc,
            fmt::format("{} {}: {}", doing, path.string(), std::generic_category().message(code)),
            code};
}

Error sync_error(const fs::path& path, int code) {
    return {Errc::data_loss,
            fmt::format("fsync of {} failed, what is on disk is unknown: {}", path.string(),
                        std::generic_category().message(code)),
            code};
}

Result<Done> write_all(int fd, std::string_view content, const fs::path& path) {
    while (!content.empty()) {
        const ssize_t n = ::write(fd, content.data(), content.size());
        if (n < 0) {
            if (errno == EINTR) continue;
            return system_error(path, "cannot write", errno);
        }
        content.remove_prefix(static_cast<std::size_t>(n));
    }
    return Done{};
}

fs::path directory_of(const fs::path& path) {
    const fs::path parent = path.parent_path();
    return parent.empty() ? fs::path{"."} : parent;
}

}  // namespace

Result<Done> sync_directory(const fs::path& path) {
    const Descriptor directory{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!directory.ok()) return system_error(path, "cannot open the directory", errno);
    if (::fsync(directory.get()) != 0) return sync_error(path, errno);
    return Done{};
}

Result<Done> replace_file(const fs::path& path, std::string_view content, unsigned mode) {
    fs::path temporary = path;
    temporary += ".tmp";
    // What a crash left behind may have another mode or be a link: begin anew.
    ::unlink(temporary.c_str());
    {
        const Descriptor file{
            ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)};
        if (!file.ok()) return system_error(temporary, "cannot create", errno);
        Result<Done> written = write_all(file.get(), content, temporary);
        if (written.ok() && ::fchmod(file.get(), mode) != 0) {
            written = system_error(temporary, "cannot set the mode of", errno);
        }
        if (!written) {
            ::unlink(temporary.c_str());
            return written;
        }
        if (::fsync(file.get()) != 0) {
            const int code = errno;
            ::unlink(temporary.c_str());
            return sync_error(temporary, code);
        }
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        const int code = errno;
        ::unlink(temporary.c_str());
        return system_error(path, "cannot replace", code);
    }
    return sync_directory(directory_of(path));
}

Result<std::string> read_file(const fs::path& path, std::size_t size_max) {
    // Not blocking: opening a pipe that nobody writes would wait for ever.
    const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (!file.ok()) return system_error(path, "cannot open", errno);
    struct stat about {};
    if (::fstat(file.get(), &about) != 0) return system_error(path, "cannot examine", errno);
    if (!S_ISREG(about.st_mode)) {
        return Error{Errc::invalid, fmt::format("{} is not a regular file", path.string())};
    }
    std::string content;
    char buffer[65536];
    for (;;) {
        const ssize_t n = ::read(file.get(), buffer, sizeof buffer);
        if (n < 0) {
            if (errno == EINTR) continue;
            return system_error(path, "cannot read", errno);
        }
        if (n == 0) return content;
        content.append(buffer, static_cast<std::size_t>(n));
        if (content.size() > size_max) {
            return Error{Errc::exhausted, fmt::format("{} is larger than the {} bytes allowed",
                                                      path.string(), size_max)};
        }
    }
}

Result<Done> make_private_directory(const fs::path& path) {
    const fs::path parent = directory_of(path);
    std::error_code code;
    fs::create_directories(parent, code);
    if (code) return system_error(parent, "cannot create the directory", code.value());
    if (::mkdir(path.c_str(), 0700) == 0) return sync_directory(parent);
    if (errno != EEXIST) return system_error(path, "cannot create the directory", errno);

    const Descriptor directory{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!directory.ok()) return system_error(path, "cannot open the directory", errno);
    struct stat about {};
    if (::fstat(directory.get(), &about) != 0) return system_error(path, "cannot examine", errno);
    if (about.st_uid != ::geteuid()) {
        return Error{Errc::denied,
                     fmt::format("the directory {} belongs to user id {}, not to this process's "
                                 "{}: change its owner or name another directory",
                                 path.string(), about.st_uid, ::geteuid())};
    }
    if ((about.st_mode & 07777) != 0700 && ::fchmod(directory.get(), 0700) != 0) {
        return system_error(path, "cannot set the mode of", errno);
    }
    return Done{};
}

}  // namespace umbra::base
