#include <umbra/gateway/frame.hpp>

#include <algorithm>

namespace umbra::gateway {
namespace {

Error invalid(std::string what) { return {Errc::invalid, "frame refused: " + std::move(what)}; }

}  // namespace

void encode(const FrameHeader& header, std::span<std::uint8_t, frame_header_bytes> out) noexcept {
    const auto byte = [](std::uint32_t value, int shift) {
        return static_cast<std::uint8_t>((value >> shift) & 0xff);
    };
    out[0] = 0;
    out[1] = static_cast<std::uint8_t>(header.type);
    out[2] = byte(header.flags, 8);
    out[3] = byte(header.flags, 0);
    for (int i = 0; i < 4; ++i) {
        out[static_cast<std::size_t>(4 + i)] = byte(header.stream, 24 - 8 * i);
        out[static_cast<std::size_t>(8 + i)] = byte(header.length, 24 - 8 * i);
    }
}

Result<FrameHeader> decode_header(std::span<const std::uint8_t, frame_header_bytes> bytes) {
    Reader reader{bytes};
    const std::uint8_t version = reader.u8();
    const std::uint8_t type = reader.u8();
    FrameHeader header;
    header.flags = reader.u16();
    header.stream = reader.u32();
    header.length = reader.u32();
    if (version != 0) return invalid("version " + std::to_string(version) + ", 0 is understood");
    if (type > static_cast<std::uint8_t>(FrameType::goaway))
        return invalid("unknown type " + std::to_string(type));
    header.type = static_cast<FrameType>(type);
    if ((header.flags & ~flag::all) != 0)
        return invalid("unknown flags " + std::to_string(header.flags));
    const bool of_stream = header.type == FrameType::data || header.type == FrameType::window;
    if (of_stream != (header.stream != 0))
        return invalid("type " + std::to_string(type) + " on stream " +
                       std::to_string(header.stream));
    return header;
}

Result<std::optional<FrameDecoder::Piece>> FrameDecoder::next(ByteView& bytes) {
    if (left_ > 0) {
        if (bytes.empty()) return std::optional<Piece>{};
        Piece piece{.header = current_, .payload = bytes.first(std::min(left_, bytes.size()))};
        bytes = bytes.subspan(piece.payload.size());
        left_ -= piece.payload.size();
        piece.ends = left_ == 0;
        return std::optional{piece};
    }
    const std::size_t count = std::min(frame_header_bytes - have_, bytes.size());
    std::copy_n(bytes.begin(), count, header_.begin() + static_cast<std::ptrdiff_t>(have_));
    bytes = bytes.subspan(count);
    have_ += count;
    if (have_ < frame_header_bytes) return std::optional<Piece>{};
    have_ = 0;

    auto header = decode_header(header_);
    if (!header) return header.error();
    current_ = *header;
    Piece piece{.header = current_, .payload = {}, .begins = true, .ends = true};
    if (current_.type != FrameType::data || current_.length == 0) return std::optional{piece};
    if (current_.length > limit_)
        return invalid(std::to_string(current_.length) + " bytes of data, the limit is " +
                       std::to_string(limit_));
    left_ = std::min<std::size_t>(current_.length, bytes.size());
    piece.payload = bytes.first(left_);
    bytes = bytes.subspan(left_);
    left_ = current_.length - left_;
    piece.ends = left_ == 0;
    return std::optional{piece};
}

}  // namespace umbra::gateway
