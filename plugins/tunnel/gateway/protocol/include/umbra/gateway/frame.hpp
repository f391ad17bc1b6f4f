#pragma once

#include <umbra/gateway/window.hpp>
#include <umbra/gateway/wire.hpp>
#include <umbra/sdk/result.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

/// Frames of a link: the wire format of yamux, version 0.
///
///     u8 version = 0 | u8 type | u16 flags | u32 stream | u32 length        (network order)
///
/// DATA: length bytes follow. WINDOW: length is a credit. PING: length is an opaque number that
/// comes back with ACK. GOAWAY: length is a reason. Nothing but DATA has a payload.
namespace umbra::gateway {

inline constexpr std::size_t frame_header_bytes = 12;
/// Payload accepted in one frame: all of a window. Go's yamux sends that in one piece.
inline constexpr std::size_t data_bytes_max = window_bytes_max;
inline constexpr std::size_t data_bytes_max_early = 8u << 10;  ///< The same before admission.

enum class FrameType : std::uint8_t { data = 0, window = 1, ping = 2, goaway = 3 };

namespace flag {
inline constexpr std::uint16_t syn = 1;  ///< First frame of a stream; asks, of a ping.
inline constexpr std::uint16_t ack = 2;  ///< First answer of a stream; answers, of a ping.
inline constexpr std::uint16_t fin = 4;  ///< The sender has no more bytes.
inline constexpr std::uint16_t rst = 8;  ///< The stream is gone, in both directions.
inline constexpr std::uint16_t all = syn | ack | fin | rst;
}  // namespace flag

struct FrameHeader {
    FrameType type = FrameType::data;
    std::uint16_t flags = 0;
    std::uint32_t stream = 0;  ///< 0 for PING and GOAWAY, never for DATA and WINDOW.
    std::uint32_t length = 0;

    [[nodiscard]] bool has(std::uint16_t one) const noexcept { return (flags & one) != 0; }
    bool operator==(const FrameHeader&) const = default;
};

void encode(const FrameHeader& header, std::span<std::uint8_t, frame_header_bytes> out) noexcept;

/// @return `Errc::invalid` for another version, an unknown type or flag, or a stream that the type
///         can not have.
[[nodiscard]] Result<FrameHeader> decode_header(
    std::span<const std::uint8_t, frame_header_bytes> bytes);

/// Cuts arriving bytes into frames without copying payload: hands out payload as it comes, in
/// pieces that point into the input. Keeps at most one header.
class FrameDecoder {
public:
    struct Piece {
        FrameHeader header;  ///< The same for each piece of a frame.
        ByteView payload;    ///< Empty for a frame without.
        bool begins = false;
        bool ends = false;
    };

    /// Largest DATA payload accepted from now on; begins with the early limit.
    void set_limit(std::size_t bytes) noexcept { limit_ = bytes; }

    /// Takes the next piece off the front of `bytes`.
    /// @return nothing when `bytes` is used up; an error is final.
    [[nodiscard]] Result<std::optional<Piece>> next(ByteView& bytes);

private:
    std::array<std::uint8_t, frame_header_bytes> header_{};
    std::size_t have_ = 0;  ///< Bytes of `header_`.
    std::size_t left_ = 0;  ///< Payload bytes of the current frame still to come.
    FrameHeader current_;
    std::size_t limit_ = data_bytes_max_early;
};

}  // namespace umbra::gateway
