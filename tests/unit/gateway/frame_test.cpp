#include <umbra/gateway/frame.hpp>

#include <gtest/gtest.h>

namespace umbra::gateway {
namespace {

Bytes bytes_of(const FrameHeader& header, std::size_t payload = 0) {
    Bytes bytes(frame_header_bytes);
    encode(header, std::span<std::uint8_t, frame_header_bytes>(bytes.data(), frame_header_bytes));
    for (std::size_t i = 0; i < payload; ++i) bytes.push_back(static_cast<std::uint8_t>(i * 7));
    return bytes;
}

Result<FrameHeader> decoded(const Bytes& bytes) {
    return decode_header(
        std::span<const std::uint8_t, frame_header_bytes>(bytes.data(), frame_header_bytes));
}

TEST(FrameTest, HeaderIsThatOfYamux) {
    const Bytes bytes =
        bytes_of({FrameType::window, flag::syn | flag::fin, 0x01020304, 0xa0b0c0d0});
    EXPECT_EQ(bytes, (Bytes{0, 1, 0, 5, 1, 2, 3, 4, 0xa0, 0xb0, 0xc0, 0xd0}));
}

TEST(FrameTest, EveryTypeAndFlagComesBack) {
    for (int type = 0; type <= 3; ++type) {
        for (std::uint16_t flags = 0; flags <= flag::all; ++flags) {
            const FrameHeader header{static_cast<FrameType>(type), flags, type < 2 ? 77u : 0u,
                                     0xffffffff};
            auto back = decoded(bytes_of(header));
            ASSERT_TRUE(back.ok()) << back.error().message;
            EXPECT_EQ(*back, header);
        }
    }
}

TEST(FrameTest, WhatYamuxDoesNotHaveIsRefused) {
    const FrameHeader good{FrameType::data, 0, 3, 0};
    ASSERT_TRUE(decoded(bytes_of(good)).ok());
    Bytes version = bytes_of(good);
    version[0] = 1;
    EXPECT_FALSE(decoded(version).ok());
    Bytes type = bytes_of(good);
    type[1] = 4;
    EXPECT_FALSE(decoded(type).ok());
    Bytes flags = bytes_of(good);
    flags[3] = 16;
    EXPECT_FALSE(decoded(flags).ok());
    EXPECT_FALSE(decoded(bytes_of({FrameType::data, 0, 0, 0})).ok());
    EXPECT_FALSE(decoded(bytes_of({FrameType::window, 0, 0, 0})).ok());
    EXPECT_FALSE(decoded(bytes_of({FrameType::ping, 0, 3, 0})).ok());
    EXPECT_FALSE(decoded(bytes_of({FrameType::goaway, 0, 3, 0})).ok());
}

TEST(FrameTest, FramesAreFoundHoweverTheBytesAreCut) {
    Bytes stream = bytes_of({FrameType::data, flag::syn, 3, 100}, 100);
    for (const auto& more :
         {bytes_of({FrameType::ping, 0, 0, 9}), bytes_of({FrameType::data, flag::fin, 3, 0}),
          bytes_of({FrameType::data, 0, 5, 1}, 1)})
        stream.insert(stream.end(), more.begin(), more.end());
    for (std::size_t cut = 1; cut <= stream.size(); ++cut) {
        FrameDecoder decoder;
        std::size_t frames = 0;
        Bytes payload;
        for (std::size_t at = 0; at < stream.size(); at += cut) {
            ByteView part = ByteView{stream}.subspan(at, std::min(cut, stream.size() - at));
            for (;;) {
                auto piece = decoder.next(part);
                ASSERT_TRUE(piece.ok());
                if (!piece->has_value()) break;
                const auto& found = **piece;
                if (found.header.stream == 3)
                    payload.insert(payload.end(), found.payload.begin(), found.payload.end());
                frames += found.ends ? 1 : 0;
            }
            ASSERT_TRUE(part.empty());
        }
        EXPECT_EQ(frames, 4u) << "cut every " << cut;
        EXPECT_EQ(payload, Bytes(stream.begin() + frame_header_bytes,
                                 stream.begin() + frame_header_bytes + 100));
    }
}

TEST(FrameTest, PayloadAtTheLimitIsTakenOnePastItIsRefused) {
    const auto accepts = [](std::size_t limit, std::uint32_t length) {
        FrameDecoder decoder;
        if (limit != data_bytes_max_early) decoder.set_limit(limit);
        const Bytes bytes = bytes_of({FrameType::data, 0, 3, length});
        ByteView view{bytes};
        return decoder.next(view).ok();
    };
    EXPECT_TRUE(accepts(data_bytes_max_early, data_bytes_max_early));
    EXPECT_FALSE(accepts(data_bytes_max_early, data_bytes_max_early + 1));
    EXPECT_TRUE(accepts(data_bytes_max, data_bytes_max));
    EXPECT_FALSE(accepts(data_bytes_max, data_bytes_max + 1));
}

TEST(FrameTest, AHugeLengthIsACreditNotAPayload) {
    FrameDecoder decoder;
    const Bytes bytes = bytes_of({FrameType::window, 0, 3, 0xffffffff});
    ByteView view{bytes};
    auto piece = decoder.next(view);
    ASSERT_TRUE(piece.ok() && piece->has_value());
    EXPECT_TRUE((*piece)->begins && (*piece)->ends);
}

}  // namespace
}  // namespace umbra::gateway
