#include <umbra/gateway/control.hpp>
#include <umbra/gateway/open.hpp>

#include <gtest/gtest.h>

namespace umbra::gateway {
namespace {

const OpenRequest request{
    .epoch = 7, .host = "crm.cloud", .port = 8080, .client = "[2001:db8::1]:50000"};

TEST(OpenTest, RequestComesBackAndUserBytesBehindItStayTheUsers) {
    Bytes bytes = encode(request);
    const std::size_t size = bytes.size();
    bytes.push_back('G');
    auto found = decode_open(bytes);
    ASSERT_TRUE(found.ok() && found->has_value());
    EXPECT_EQ((*found)->value, request);
    EXPECT_EQ((*found)->taken, size);
}

TEST(OpenTest, EveryStatusComesBack) {
    for (int code = 0; code <= 6; ++code) {
        const OpenStatus status{static_cast<StatusCode>(code), "because"};
        const Bytes bytes = encode(status);
        auto found = decode_status(bytes);
        ASSERT_TRUE(found.ok() && found->has_value());
        EXPECT_EQ((*found)->value, status);
        EXPECT_EQ((*found)->taken, bytes.size());
        EXPECT_STRNE(name_of(status.code), "unknown");
    }
}

TEST(OpenTest, AnIncompletePreambleIsAwaited) {
    const Bytes open = encode(request);
    for (std::size_t size = 0; size < open.size(); ++size) {
        auto found = decode_open(ByteView{open}.first(size));
        ASSERT_TRUE(found.ok()) << size;
        EXPECT_FALSE(found->has_value()) << size;
    }
    const Bytes status = encode(OpenStatus{StatusCode::denied, "no mapping"});
    for (std::size_t size = 0; size < status.size(); ++size) {
        auto found = decode_status(ByteView{status}.first(size));
        ASSERT_TRUE(found.ok()) << size;
        EXPECT_FALSE(found->has_value()) << size;
    }
}

TEST(OpenTest, APreambleWhoseLengthLiesIsRefused) {
    for (const int change : {-1, +1}) {
        Bytes open = encode(request);
        open[1] = static_cast<std::uint8_t>(open[1] + change);
        open.push_back(0);
        EXPECT_FALSE(decode_open(open).ok()) << change;
        Bytes status = encode(OpenStatus{StatusCode::denied, "no"});
        status[1] = static_cast<std::uint8_t>(status[1] + change);
        status.push_back(0);
        EXPECT_FALSE(decode_status(status).ok()) << change;
    }
}

TEST(OpenTest, LengthAtTheLimitIsAwaitedOnePastItIsRefused) {
    const auto announced = [](std::size_t length) {
        return Bytes{static_cast<std::uint8_t>(length >> 8),
                     static_cast<std::uint8_t>(length & 0xff)};
    };
    EXPECT_TRUE(decode_open(announced(open_bytes_max)).ok());
    EXPECT_FALSE(decode_open(announced(open_bytes_max + 1)).ok());
    constexpr std::size_t status_max = 3 + text_bytes_max;
    EXPECT_TRUE(decode_status(announced(status_max)).ok());
    EXPECT_FALSE(decode_status(announced(status_max + 1)).ok());
}

TEST(OpenTest, AnotherVersionOrAnUnknownCodeIsRefused) {
    Bytes open = encode(request);
    open[2] = 2;
    EXPECT_FALSE(decode_open(open).ok());
    Bytes status = encode(OpenStatus{});
    status[2] = 7;
    EXPECT_FALSE(decode_status(status).ok());
}

TEST(OpenTest, TheLongestHostFits) {
    const OpenRequest longest{.epoch = 1,
                              .host = std::string(host_bytes_max, 'h'),
                              .port = 1,
                              .client = std::string(client_bytes_max, 'c')};
    auto found = decode_open(encode(longest));
    ASSERT_TRUE(found.ok() && found->has_value());
    EXPECT_EQ((*found)->value, longest);
}

}  // namespace
}  // namespace umbra::gateway
