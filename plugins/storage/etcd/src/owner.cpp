#include <umbra/etcd_storage/owner.hpp>
#include <umbra/storage_queue/directory_lock.hpp>

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <random>
#include <unistd.h>

namespace umbra::etcd_storage {

namespace {

constexpr std::size_t identity_size = 32;

using storage_queue::file_error;

/// Through another file and a rename: it is there as a whole, or not at all.
Result<Done> store(const std::string& directory, const std::string& path, const std::string& text) {
    const auto fresh = path + ".new";
    const int fd =
        ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return file_error("open", fresh, errno);
    const bool written =
        ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
        ::fsync(fd) == 0;
    const int error = errno;
    ::close(fd);
    if (!written) return file_error("write", fresh, error);
    if (std::rename(fresh.c_str(), path.c_str()) != 0) return file_error("rename", fresh, errno);
    const int in = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (in < 0) return file_error("open", directory, errno);
    const int failed = ::fsync(in) == 0 ? 0 : errno;
    ::close(in);
    if (failed != 0) return file_error("make durable", directory, failed);
    return Done{};
}

}  // namespace

std::string random_identity() {
    constexpr const char* digits = "0123456789abcdef";
    std::random_device random;
    std::string text;
    while (text.size() < identity_size) text.push_back(digits[random() & 15]);
    return text;
}

Result<std::string> owner_of(const std::string& directory) {
    const auto path = directory + "/owner";
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno != ENOENT) return file_error("open", path, errno);
    if (fd < 0) {
        auto identity = random_identity();
        if (auto r = store(directory, path, identity + "\n"); !r.ok()) return r.error();
        return identity;
    }
    std::string text(identity_size + 2, '\0');
    const auto got = ::read(fd, text.data(), text.size());
    const int error = errno;
    ::close(fd);
    if (got < 0) return file_error("read", path, error);
    text.resize(static_cast<std::size_t>(got));
    if (text.size() != identity_size + 1 || text.back() != '\n' ||
        text.find_first_not_of("0123456789abcdef") != identity_size)
        return Error{Errc::data_loss,
                     path + " is damaged; remove it, and set adopt = true for the next start"};
    text.pop_back();
    return text;
}

}  // namespace umbra::etcd_storage
