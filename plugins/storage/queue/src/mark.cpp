#include <umbra/storage_queue/checksum.hpp>
#include <umbra/storage_queue/directory_lock.hpp>
#include <umbra/storage_queue/mark.hpp>

#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace umbra::storage_queue {

namespace {

constexpr std::string_view name = "umbra-mark ";
constexpr std::size_t digits = 20;
constexpr std::size_t hex_digits = 16;

/// With leading zeros.
std::string padded(std::uint64_t value, int base, std::size_t width) {
    char text[digits];
    const auto end = std::to_chars(text, text + sizeof text, value, base).ptr;
    std::string number(text, end);
    return number.insert(0, width - number.size(), '0');
}

}  // namespace

std::string encode_mark(std::uint64_t commits) {
    std::string line{name};
    line += padded(commits, 10, digits) + " ";
    line += padded(crc64(line), 16, hex_digits) + "\n";
    return line;
}

std::optional<std::uint64_t> decode_mark(std::string_view bytes) {
    if (bytes.size() != mark_size) return {};
    const auto number = bytes.substr(name.size(), digits);
    std::uint64_t commits = 0;
    const auto [end, bad] = std::from_chars(number.data(), number.data() + digits, commits);
    if (bad != std::errc{} || end != number.data() + digits) return {};
    if (bytes != encode_mark(commits)) return {};
    return commits;
}

Result<std::uint64_t> Mark::read() const {
    const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) return std::uint64_t{0};
    if (fd < 0) return file_error("open", path_, errno);
    std::string bytes(mark_size + 1, '\0');
    const auto got = ::read(fd, bytes.data(), bytes.size());
    const int error = errno;
    ::close(fd);
    if (got < 0) return file_error("read", path_, error);
    bytes.resize(static_cast<std::size_t>(got));
    return decode_mark(bytes).value_or(0);
}

Result<Done> Mark::start(std::uint64_t commits) {
    close();
    fd_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd_ < 0) return file_error("open", path_, errno);
    const auto line = encode_mark(commits);
    if (::pwrite(fd_, line.data(), line.size(), 0) != static_cast<ssize_t>(line.size()) ||
        ::ftruncate(fd_, static_cast<off_t>(line.size())) != 0)
        return file_error("write", path_, errno);
    if (::fsync(fd_) != 0) {
        auto failure = file_error("make durable", path_, errno);
        failure.code = Errc::data_loss;
        return failure;
    }
    return Done{};
}

void Mark::set(std::uint64_t commits) noexcept {
    const auto line = encode_mark(commits);
    // Within one sector and one page: whole or not at all, also for a reader after a kill -9.
    (void)!::pwrite(fd_, line.data(), line.size(), 0);
}

void Mark::close() noexcept {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

}  // namespace umbra::storage_queue
