#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace umbra::gateway {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

/// Appends numbers (network order) and length-prefixed texts to a buffer.
class Writer {
public:
    void u8(std::uint8_t value) { bytes_.push_back(value); }
    void u16(std::uint16_t value);
    void u32(std::uint32_t value);
    void u64(std::uint64_t value);
    void raw(ByteView bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
    /// u16 length and the bytes. What is past `limit` is cut off: texts for people are bounded by
    /// the writer, names are checked before they get here.
    void text(std::string_view value, std::size_t limit);

    [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
    [[nodiscard]] Bytes take() && { return std::move(bytes_); }
    [[nodiscard]] Bytes& bytes() noexcept { return bytes_; }

private:
    Bytes bytes_;
};

/// Reads what `Writer` wrote from bytes that nobody has checked.
///
/// The first failure sticks: every later read gives 0 or "", and `ok()` is false. So a decoder
/// reads a whole struct and asks once.
class Reader {
public:
    explicit Reader(ByteView bytes) noexcept : rest_(bytes) {}

    std::uint8_t u8() noexcept;
    std::uint16_t u16() noexcept;
    std::uint32_t u32() noexcept;
    std::uint64_t u64() noexcept;
    /// Fills `out`, or fails.
    void raw(std::span<std::uint8_t> out) noexcept;
    /// Fails when the text is longer than `limit`.
    std::string text(std::size_t limit);
    void fail() noexcept { ok_ = false; }

    [[nodiscard]] bool ok() const noexcept { return ok_; }
    /// Everything was read and nothing failed.
    [[nodiscard]] bool done() const noexcept { return ok_ && rest_.empty(); }
    [[nodiscard]] ByteView rest() const noexcept { return rest_; }

private:
    [[nodiscard]] ByteView take(std::size_t count) noexcept;

    ByteView rest_;
    bool ok_ = true;
};

}  // namespace umbra::gateway
