#include <umbra/gateway/wire.hpp>

#include <algorithm>

namespace umbra::gateway {

void Writer::u16(std::uint16_t value) {
    u8(static_cast<std::uint8_t>(value >> 8));
    u8(static_cast<std::uint8_t>(value & 0xff));
}

void Writer::u32(std::uint32_t value) {
    u16(static_cast<std::uint16_t>(value >> 16));
    u16(static_cast<std::uint16_t>(value & 0xffff));
}

void Writer::u64(std::uint64_t value) {
    u32(static_cast<std::uint32_t>(value >> 32));
    u32(static_cast<std::uint32_t>(value & 0xffffffff));
}

void Writer::text(std::string_view value, std::size_t limit) {
    value = value.substr(0, std::min<std::size_t>(limit, 0xffff));
    u16(static_cast<std::uint16_t>(value.size()));
    bytes_.insert(bytes_.end(), value.begin(), value.end());
}

ByteView Reader::take(std::size_t count) noexcept {
    if (!ok_ || count > rest_.size()) {
        ok_ = false;
        return {};
    }
    const ByteView taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
}

std::uint8_t Reader::u8() noexcept {
    const ByteView bytes = take(1);
    return bytes.empty() ? std::uint8_t{0} : bytes[0];
}

std::uint16_t Reader::u16() noexcept {
    const ByteView bytes = take(2);
    if (bytes.empty()) return 0;
    return static_cast<std::uint16_t>((bytes[0] << 8) | bytes[1]);
}

std::uint32_t Reader::u32() noexcept {
    const ByteView bytes = take(4);
    std::uint32_t value = 0;
    for (const std::uint8_t byte : bytes) value = (value << 8) | byte;
    return value;
}

std::uint64_t Reader::u64() noexcept {
    const ByteView bytes = take(8);
    std::uint64_t value = 0;
    for (const std::uint8_t byte : bytes) value = (value << 8) | byte;
    return value;
}

void Reader::raw(std::span<std::uint8_t> out) noexcept {
    const ByteView bytes = take(out.size());
    std::copy(bytes.begin(), bytes.end(), out.begin());
}

std::string Reader::text(std::size_t limit) {
    const std::size_t length = u16();
    if (length > limit) ok_ = false;
    const ByteView bytes = take(length);
    return {bytes.begin(), bytes.end()};
}

}  // namespace umbra::gateway
