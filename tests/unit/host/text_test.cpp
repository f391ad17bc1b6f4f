#include "text.hpp"

#include <umbra/sdk/abi.h>

#include <gtest/gtest.h>

namespace umbra::host {
namespace {

TEST(TextTest, ControlCharactersAndBrokenUtf8BecomeQuestionMarks) {
    EXPECT_EQ(one_line("a\nb\tc\x1b[0m\x7f", 100), "a?b?c?[0m?");
    EXPECT_EQ(one_line("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", 100), "grüß € 😀");
    EXPECT_EQ(one_line("\xff|\xc3|\xc0\xaf|\xed\xa0\x80", 100), "?|?|??|???");
}

TEST(TextTest, LongTextIsCutBetweenCharacters) {
    EXPECT_EQ(one_line("1234", 4), "1234");
    EXPECT_EQ(one_line("12345", 4), "1234…");
    EXPECT_EQ(one_line("123\xc3\xbc", 4), "123…");
}

TEST(TextTest, SpansHaveTheUnitThatFits) {
    EXPECT_EQ(span_text(1'500'000), "1500 us");
    EXPECT_EQ(span_text(140'000'000), "140 ms");
    EXPECT_EQ(span_text(9'999'000'000), "9999 ms");
    EXPECT_EQ(span_text(12'000'000'000), "12 s");
}

TEST(TextTest, ModesAndCodesAreSpelled) {
    EXPECT_EQ(mode_text(0644), "0644");
    EXPECT_EQ(mode_text(01777), "1777");
    EXPECT_EQ(code_text(UMBRA_OK), "ok");
    EXPECT_EQ(code_text(UMBRA_DATA_LOSS), "data loss");
    EXPECT_EQ(code_text(UMBRA_INTERNAL), "internal");
    EXPECT_EQ(code_text(UMBRA_INTERNAL + 1), "unknown");
    EXPECT_EQ(code_text(-1), "unknown");
}

}  // namespace
}  // namespace umbra::host
