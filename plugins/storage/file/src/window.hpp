#pragma once

#include <umbra/file_storage/scan.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace umbra::file_storage {

/// A part of a source in memory, so that records that are read one after the other do not cost a
/// call each. The source must outlive it.
class Window {
public:
    /// @param ahead  How much is read at least, where there is as much.
    Window(Source& source, std::size_t ahead)
        : source_(source), size_(source.size()), ahead_(ahead) {}

    [[nodiscard]] std::uint64_t size() const { return size_; }

    /// The bytes [offset, offset + count), fewer at the end of the file. Valid until the next call.
    Result<std::string_view> at(std::uint64_t offset, std::uint64_t count) {
        if (offset >= size_) return std::string_view{};
        count = std::min(count, size_ - offset);
        if (offset < start_ || offset + count > start_ + bytes_.size()) {
            const auto length = std::min(std::max<std::uint64_t>(count, ahead_), size_ - offset);
            bytes_.resize(length);
            start_ = offset;
            if (const int error = source_.read(offset, bytes_.data(), bytes_.size())) {
                bytes_.clear();
                return Error{Errc::unavailable,
                             "cannot read it at offset " + std::to_string(offset) + ": " +
                                 std::generic_category().message(error),
                             error};
            }
        }
        return std::string_view{bytes_}.substr(offset - start_, count);
    }

private:
    Source& source_;
    std::uint64_t size_;
    std::size_t ahead_;
    std::uint64_t start_ = 0;
    std::string bytes_;
};

}  // namespace umbra::file_storage
