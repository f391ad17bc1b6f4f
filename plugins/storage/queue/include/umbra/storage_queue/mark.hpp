#pragma once

#include <umbra/sdk/result.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace umbra::storage_queue {

/// Every mark has this length, so that one is overwritten in place, within a sector.
inline constexpr std::size_t mark_size = 49;

/// "umbra-mark <20 digits> <16 hexadecimal digits of the CRC-64 of all before>", a line.
std::string encode_mark(std::uint64_t commits);
/// Empty when it is none, or damaged.
std::optional<std::uint64_t> decode_mark(std::string_view bytes);

/// How many commits were durable, kept in a local file beside the store. It is written after each
/// commit and not synced, so it is never ahead of what was durable; a store with fewer commits has
/// lost some. SQLite cannot tell: it takes a damaged part of its log for the end of it. Neither can
/// a cluster that was restored from a backup.
class Mark {
public:
    explicit Mark(std::string path) : path_(std::move(path)) {}
    ~Mark() { close(); }
    Mark(const Mark&) = delete;
    Mark& operator=(const Mark&) = delete;

    /// 0 without a file, or when the file cannot be read as a mark.
    Result<std::uint64_t> read() const;
    /// Makes the file, durably, with `commits` in it.
    Result<Done> start(std::uint64_t commits);
    /// An error leaves an older mark, which is true as well.
    void set(std::uint64_t commits) noexcept;
    void close() noexcept;

private:
    std::string path_;
    int fd_ = -1;
};

}  // namespace umbra::storage_queue
