#include <umbra/gateway/register.hpp>

#include <gtest/gtest.h>

#include <string>

namespace umbra::gateway {
namespace {

Record sample_record() {
    Record record;
    record.serial = 41;
    record.epoch = 7;
    record.holder = {"alpha", "a1"};
    record.incarnations = {{"alpha", "a1"}, {"beta", "b3"}};
    record.in_sync = {{"alpha", "a1"}, {"beta", "b3"}};
    record.in_sync_seq = 12;
    return record;
}

TEST(RecordTest, WhatIsWrittenIsRead) {
    for (const auto& record : {Record{}, sample_record()}) {
        const auto back = decode_record(encode(record));
        ASSERT_TRUE(back.ok()) << back.error().message;
        EXPECT_EQ(back.value(), record);
    }
}

TEST(RecordTest, TheLargestRecordFits) {
    Record record = sample_record();
    const auto name = [](std::size_t number) {
        auto text = std::to_string(number);
        return text + std::string(name_bytes_max - text.size(), 'x');
    };
    for (std::size_t i = record.in_sync.size(); i < members_max; ++i) {
        record.in_sync.insert({name(i), name(i)});
        record.incarnations[name(i)] = name(i);
    }
    const auto bytes = encode(record);
    EXPECT_LE(bytes.size(), record_bytes_max);
    EXPECT_EQ(decode_record(bytes).value(), record);
}

TEST(RecordTest, EveryTruncationIsRefused) {
    const auto bytes = encode(sample_record());
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        const auto back = decode_record(ByteView(bytes).first(length));
        ASSERT_FALSE(back.ok()) << length;
        EXPECT_EQ(back.error().code, Errc::data_loss);
    }
}

TEST(RecordTest, EveryFlippedBitIsRefused) {
    auto bytes = encode(sample_record());
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        bytes[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
        ASSERT_FALSE(decode_record(bytes).ok()) << bit;
        bytes[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    }
}

TEST(RecordTest, BytesBehindItAreRefused) {
    auto bytes = encode(sample_record());
    bytes.push_back(0);
    EXPECT_FALSE(decode_record(bytes).ok());
}

TEST(RecordTest, ChecksumIsCrc32c) {
    const std::string_view text = "123456789";
    EXPECT_EQ(crc32c(ByteView(reinterpret_cast<const std::uint8_t*>(text.data()), text.size())),
              0xe3069283u);
}

}  // namespace
}  // namespace umbra::gateway
