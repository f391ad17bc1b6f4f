#include <umbra/process/lines.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace umbra::process {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class LinesTest : public testing::Test {
protected:
    std::vector<std::string> got_;
    const LineSplitter::OnLine on_line_ = [this](std::string line) {
        got_.push_back(std::move(line));
    };
    LineSplitter splitter_;
};

TEST_F(LinesTest, ALineMayComeInPieces) {
    splitter_.feed("one\ntw", on_line_);
    EXPECT_THAT(got_, ElementsAre("one"));
    splitter_.feed("o\nthr", on_line_);
    splitter_.finish(on_line_);
    EXPECT_THAT(got_, ElementsAre("one", "two", "thr"));
}

TEST_F(LinesTest, EmptyLinesAndControlCharactersGo) {
    splitter_.feed("\n\r\n  \n\x1b[1mred\tline\r\n", on_line_);
    EXPECT_THAT(got_, ElementsAre("[1mred line"));
}

TEST_F(LinesTest, ALineOfTheLimitIsWholeAndOneByteMoreIsCut) {
    splitter_.feed(std::string(line_bytes_max, 'a') + "\n", on_line_);
    splitter_.feed(std::string(line_bytes_max + 1, 'b') + "\n", on_line_);
    splitter_.feed(std::string(100 * line_bytes_max, 'c'), on_line_);
    splitter_.feed("\nafter\n", on_line_);
    EXPECT_THAT(got_, ElementsAre(std::string(line_bytes_max, 'a'),
                                  std::string(line_bytes_max - 3, 'b') + "...",
                                  std::string(line_bytes_max - 3, 'c') + "...", "after"));
}

TEST_F(LinesTest, NothingGivesNothing) {
    splitter_.finish(on_line_);
    EXPECT_THAT(got_, IsEmpty());
}

TEST(Tail, KeepsTheLastLines) {
    Tail tail;
    EXPECT_EQ(tail.last(), "");
    for (std::size_t i = 0; i <= tail_lines_max; ++i) tail.add(std::to_string(i));
    EXPECT_EQ(tail.lines().size(), tail_lines_max);
    EXPECT_EQ(tail.lines().front(), "1");
    EXPECT_EQ(tail.last(), std::to_string(tail_lines_max));
}

}  // namespace
}  // namespace umbra::process
