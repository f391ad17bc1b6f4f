#include "entries.hpp"
#include <umbra/file_storage/crc32c.hpp>
#include <umbra/file_storage/format.hpp>

#include <gtest/gtest.h>

#include <cctype>
#include <fstream>
#include <string>

namespace umbra::file_storage {
namespace {

constexpr FileHeader file{0x1122334455667788u, file_header_size};

std::string record(const LogEntry& entry, std::uint64_t offset = 32, std::uint64_t synced = 32,
                   RecordKind kind = RecordKind::entry) {
    std::string out;
    append_record(out, file, offset, kind, entry, synced);
    return out;
}

TEST(Format, FileHeaderComesBack) {
    const FileHeader header{0xfedcba9876543210u, 4711};
    const auto bytes = encode_file_header(header);
    EXPECT_EQ(bytes.size(), file_header_size);
    const auto back = decode_file_header(bytes);
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(*back, header);
}

TEST(Format, EveryFlippedBitOfAFileHeaderIsNoticed) {
    const auto bytes = encode_file_header(file);
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        auto flipped = bytes;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        const auto back = decode_file_header(flipped);
        ASSERT_FALSE(back.ok()) << "bit " << bit;
        EXPECT_EQ(back.error().code, Errc::data_loss);
    }
}

TEST(Format, FileHeaderOfAnotherVersionIsNamedAsSuch) {
    // "UMBRALOG", version 2, id 0, sealed 32, and the checksum of that.
    std::string bytes{"UMBRALOG\2\0\0\0\0\0\0\0\0\0\0\0\x20\0\0\0\0\0\0\0", 28};
    const auto crc = crc32c(bytes);
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(crc >> shift));
    const auto back = decode_file_header(bytes);
    ASSERT_FALSE(back.ok());
    EXPECT_EQ(back.error().code, Errc::unsupported) << back.error().message;
    EXPECT_NE(back.error().message.find("format 2"), std::string::npos);
}

TEST(Format, RecordComesBack) {
    for (const auto& body : {std::string{}, std::string{"x"}, std::string(100'000, '\0')}) {
        const auto entry = entry_of(7, body, 3);
        const auto bytes = record(entry, 32, 32);
        const auto header = decode_record_header(bytes, file, 32);
        ASSERT_TRUE(header);
        EXPECT_EQ(header->position, entry.position);
        EXPECT_EQ(header->kind, RecordKind::entry);
        EXPECT_EQ(header->synced, 32u);
        EXPECT_EQ(header->record_size(), bytes.size());
        EXPECT_TRUE(body_is_intact(*header, bytes.substr(record_header_size)));
    }
}

TEST(Format, RecordIsValidInItsOwnPlaceAndFileOnly) {
    const auto bytes = record(entry_of(1), 32);
    EXPECT_TRUE(decode_record_header(bytes, file, 32));
    EXPECT_FALSE(decode_record_header(bytes, file, 33));
    EXPECT_FALSE(decode_record_header(bytes, FileHeader{file.id + 1, file.sealed}, 32));
}

TEST(Format, EveryFlippedBitOfARecordIsNoticed) {
    const auto bytes = record(entry_of(1));
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        auto flipped = bytes;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        const auto header = decode_record_header(flipped, file, 32);
        const bool intact =
            header && body_is_intact(*header, std::string_view{flipped}.substr(record_header_size));
        ASSERT_FALSE(intact) << "bit " << bit;
    }
}

TEST(Format, LargestBodiesComeBack) {
    const auto entry = record(entry_of(1, std::string(entry_body_max, 'e')));
    EXPECT_TRUE(decode_record_header(entry, file, 32));
    const auto snapshot =
        record(entry_of(1, std::string(snapshot_body_max, 's')), 32, 0, RecordKind::snapshot);
    EXPECT_TRUE(decode_record_header(snapshot, file, 32));
}

/// The bytes of the hex dump in the README: lines of the form "0020  55 52 …  what it is".
std::string readme_example() {
    std::ifstream readme{UMBRA_STORAGE_FILE_README};
    std::string bytes, line;
    while (std::getline(readme, line)) {
        if (line.size() < 6 || line.find_first_not_of("0123456789abcdef") != 4 ||
            line.substr(4, 2) != "  ")
            continue;
        for (std::size_t at = 6;
             at + 1 < line.size() && std::isxdigit(line[at]) && std::isxdigit(line[at + 1]);
             at += 3)
            bytes.push_back(static_cast<char>(std::stoi(line.substr(at, 2), nullptr, 16)));
    }
    return bytes;
}

std::string hex(std::string_view bytes) {
    constexpr std::string_view digits{"0123456789abcdef"};
    std::string text;
    for (const unsigned char c : bytes) {
        text += digits[c >> 4];
        text += digits[c & 15];
        text += ' ';
    }
    return text;
}

TEST(Format, WorkedExampleOfTheReadmeIsWhatIsWritten) {
    LogEntry entry{{1, 3, {}}, "hello"};
    for (std::size_t i = 0; i < 32; ++i) entry.position.hash[i] = static_cast<std::byte>(i);
    EXPECT_EQ(hex(readme_example()), hex(encode_file_header(file) + record(entry)));
}

}  // namespace
}  // namespace umbra::file_storage
