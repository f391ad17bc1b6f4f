#include <umbra/process/environment.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace umbra::process {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Environment, TheLaterEntryOfANameCounts) {
    const auto all = with({"A=1", "AB=2"}, {"A=3", "C=", "C=x=y"});
    ASSERT_TRUE(all.ok());
    EXPECT_THAT(all.value(), ElementsAre("AB=2", "A=3", "C=x=y"));
    EXPECT_EQ(value_of(*all, "C"), "x=y");
    EXPECT_EQ(value_of(*all, "B"), "");
}

TEST(Environment, AnEntryThatIsNoneIsNamed) {
    for (const std::string wrong : {"NAME", "=value", ""}) {
        const auto all = with({}, {wrong});
        ASSERT_FALSE(all.ok()) << wrong;
        EXPECT_THAT(all.error().message, HasSubstr("\"" + wrong + "\" is not NAME=value"));
    }
    EXPECT_FALSE(with({}, {std::string{"A=\0b", 4}}).ok());
}

TEST(Environment, ThereIsAlwaysAPath) { EXPECT_NE(value_of(basic_environment(), "PATH"), ""); }

}  // namespace
}  // namespace umbra::process
