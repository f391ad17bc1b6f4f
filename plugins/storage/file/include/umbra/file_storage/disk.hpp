#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace umbra::file_storage {

/// One directory and the files in it, with the calls that the store makes and no others: the real
/// one is `PosixDisk`; tests put one in its place that loses power or fails the n-th call.
///
/// Every function returns 0 or a count, or a negative errno. `name` has no slash. Threads: one at a
/// time.
class Disk {
public:
    enum class Open { existing, create, truncated };

    virtual ~Disk() = default;

    /// For messages.
    [[nodiscard]] virtual std::string path(std::string_view name) const = 0;
    /// @return A descriptor, mode 0600, never through a symbolic link.
    virtual int open(const char* name, Open how) = 0;
    virtual void close(int fd) = 0;
    virtual std::int64_t size(int fd) = 0;
    /// @return Bytes read; 0 at the end.
    virtual std::int64_t read(int fd, char* out, std::size_t count, std::uint64_t offset) = 0;
    /// @return Bytes written; may be fewer than asked.
    virtual std::int64_t write(int fd, std::string_view bytes, std::uint64_t offset) = 0;
    virtual int truncate(int fd, std::uint64_t size) = 0;
    /// Content, and the length that is needed to read it.
    virtual int sync_data(int fd) = 0;
    virtual int sync_all(int fd) = 0;
    virtual int rename(const char* from, const char* to) = 0;
    virtual int remove(const char* name) = 0;
    virtual int sync_directory() = 0;
    /// Exclusive, until `fd` is closed or the process ends. -EWOULDBLOCK: somebody else has it.
    virtual int lock(int fd) = 0;
    virtual std::uint64_t random() = 0;
};

/// Made and used by one thread at a time. Opens the directory at the first call that needs it.
class PosixDisk final : public Disk {
public:
    explicit PosixDisk(std::string directory);
    ~PosixDisk() override;
    PosixDisk(const PosixDisk&) = delete;
    PosixDisk& operator=(const PosixDisk&) = delete;

    [[nodiscard]] std::string path(std::string_view name) const override;
    int open(const char* name, Open how) override;
    void close(int fd) override;
    std::int64_t size(int fd) override;
    std::int64_t read(int fd, char* out, std::size_t count, std::uint64_t offset) override;
    std::int64_t write(int fd, std::string_view bytes, std::uint64_t offset) override;
    int truncate(int fd, std::uint64_t size) override;
    int sync_data(int fd) override;
    int sync_all(int fd) override;
    int rename(const char* from, const char* to) override;
    int remove(const char* name) override;
    int sync_directory() override;
    int lock(int fd) override;
    std::uint64_t random() override;

private:
    int directory();

    std::string directory_path_;
    int directory_fd_ = -1;
};

}  // namespace umbra::file_storage
