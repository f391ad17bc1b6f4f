#include <umbra/file_storage/crc32c.hpp>

#include <gtest/gtest.h>

#include <string>

namespace umbra::file_storage {
namespace {

TEST(Crc32c, AgreesWithThePublishedVectors) {
    EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
    EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
    EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
    EXPECT_EQ(crc32c(""), 0u);
    EXPECT_EQ(crc32c_by_table("123456789"), 0xe3069283u);
}

TEST(Crc32c, InstructionAndTableAgreeAtEveryLengthAndAlignment) {
    std::string bytes;
    for (int i = 0; i < 100; ++i) bytes.push_back(static_cast<char>(i * 37 + 11));
    for (std::size_t from = 0; from < 9; ++from) {
        for (std::size_t count = 0; from + count <= bytes.size(); ++count) {
            const auto part = std::string_view{bytes}.substr(from, count);
            ASSERT_EQ(crc32c(part), crc32c_by_table(part)) << from << "+" << count;
        }
    }
}

TEST(Crc32c, GoesOnFromTheValueOfWhatCameBefore) {
    const std::string bytes = "a record in two parts";
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut)
        EXPECT_EQ(crc32c(bytes.substr(cut), crc32c(bytes.substr(0, cut))), crc32c(bytes));
}

}  // namespace
}  // namespace umbra::file_storage
