#include <umbra/storage_queue/checksum.hpp>
#include <umbra/storage_queue/mark.hpp>

#include <gtest/gtest.h>

#include <charconv>
#include <fstream>
#include <iterator>

namespace umbra::storage_queue {
namespace {

TEST(Mark, ComesBack) {
    for (const std::uint64_t commits : {std::uint64_t{0}, std::uint64_t{41}, UINT64_MAX}) {
        EXPECT_EQ(encode_mark(commits).size(), mark_size);
        EXPECT_EQ(decode_mark(encode_mark(commits)), commits);
    }
}

TEST(Mark, IsNoneWhenAnyBitOrTheLengthIsWrong) {
    const auto whole = encode_mark(4711);
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        auto flipped = whole;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        EXPECT_FALSE(decode_mark(flipped)) << bit;
    }
    EXPECT_FALSE(decode_mark(""));
    EXPECT_FALSE(decode_mark(whole.substr(1)));
    EXPECT_FALSE(decode_mark(whole + "\n"));
}

TEST(Mark, AndChecksumAreThoseOfTheReadme) {
    std::ifstream in{UMBRA_STORAGE_SQLITE_README};
    const std::string readme{std::istreambuf_iterator<char>{in}, {}};
    EXPECT_NE(readme.find("\n" + encode_mark(41)), std::string::npos) << encode_mark(41);
    LogPosition position{1, 3, {}};
    for (std::size_t i = 0; i < position.hash.size(); ++i)
        position.hash[i] = static_cast<std::byte>(i);
    char sum[20];
    const auto end = std::to_chars(sum, sum + sizeof sum, checksum(position, "hello"), 16);
    const auto row = "\n1|3|00010203|hello|" + std::string(sum, end.ptr) + "\n";
    EXPECT_NE(readme.find(row), std::string::npos) << row;
}

}  // namespace
}  // namespace umbra::storage_queue
