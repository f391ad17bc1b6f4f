#include <umbra/config/problem.hpp>
#include <umbra/config/source.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace umbra::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Problem at(std::uint32_t line, std::uint32_t column, std::string text) {
    return Problem{"a.toml", {line, column}, {}, std::move(text), {}, {}};
}

TEST(ProblemTest, IsShownWithItsLineACaretAndTheRemedy) {
    const Source source = Source::from_text("a = 1\nlinks = \"2\"\n", "a.toml");
    EXPECT_EQ(render(source.problem({2, 9}, "\"links\" must be an integer", "drop the quotes")),
              "a.toml:2:9: error: \"links\" must be an integer\n"
              "    links = \"2\"\n"
              "            ^\n"
              "    help: drop the quotes\n");
}

TEST(ProblemTest, WithoutAPlaceNamesTheKey) {
    Problem problem;
    problem.key = "tunnel.main.plugin";
    problem.text = "is missing";
    EXPECT_EQ(render(problem), "tunnel.main.plugin: error: is missing\n");
    problem.file = "revision 3.41";
    EXPECT_EQ(render(problem), "revision 3.41: tunnel.main.plugin: error: is missing\n");
}

TEST(ProblemTest, TheCaretStandsBelowTabsAndLettersOfSeveralBytes) {
    const Source source = Source::from_text("\t\"\xc3\xa9\" = x\n", "a.toml");
    EXPECT_THAT(render(source.problem({1, 8}, "t")), HasSubstr("\n    \t      ^\n"));
}

TEST(ProblemTest, OfALongLineOnlyThePartAroundTheCaretIsShown) {
    const Source source = Source::from_text(std::string(5000, 'x') + "!", "a.toml");
    const std::string text = render(source.problem({1, 5001}, "t"));
    EXPECT_LT(text.size(), 600u);
    EXPECT_THAT(text, HasSubstr("...xxx"));
    EXPECT_THAT(text, HasSubstr("xxx!\n"));
}

TEST(ProblemTest, NothingOfAFileSteersTheTerminal) {
    const Source source = Source::from_text("a = \"\x1b[31m\xe2\x80\xae\xff\"", "\x1b[2Ja.toml");
    const std::string text = render(source.problem({1, 1}, "bad \x07 text", "h\x1b"));
    for (const char* control : {"\x1b", "\x07", "\xff", "\xe2\x80\xae"}) {
        EXPECT_THAT(text, Not(HasSubstr(control)));
    }
}

TEST(ProblemsTest, AreSortedByPlaceWhateverTheOrderTheyWereFoundIn) {
    Problems problems;
    problems.add(at(3, 1, "c"));
    problems.add(at(1, 9, "b"));
    problems.add(at(1, 2, "a"));
    problems.add(at(3, 1, "d"));
    EXPECT_THAT(problems.lines(), ElementsAre("a.toml:1:2: error: a", "a.toml:1:9: error: b",
                                              "a.toml:3:1: error: c", "a.toml:3:1: error: d"));
}

TEST(ProblemsTest, PastTheLimitAreCountedOnly) {
    Problems problems;
    for (std::size_t i = 0; i < Problems::kept_max; ++i) problems.add(at(1, 1, "x"));
    EXPECT_THAT(problems.render(), Not(HasSubstr("more")));
    problems.add(at(1, 1, "one too many"));
    EXPECT_EQ(problems.list().size(), Problems::kept_max);
    EXPECT_EQ(problems.count(), Problems::kept_max + 1);
    EXPECT_THAT(problems.render(), HasSubstr("and 1 more\n"));
    EXPECT_EQ(problems.lines().back(), "and 1 more");

    Problems sum;
    sum.add(problems);
    EXPECT_EQ(sum.count(), Problems::kept_max + 1);
}

TEST(NearestNameTest, FindsWhatWasMeant) {
    const std::vector<std::string> known{"address", "links", "connect_timeout", "pin"};
    EXPECT_EQ(nearest_name("adress", known), "address");
    EXPECT_EQ(nearest_name("Links", known), "links");
    EXPECT_EQ(nearest_name("likns", known), "links");
    EXPECT_EQ(nearest_name("conect_timout", known), "connect_timeout");
    EXPECT_EQ(nearest_name("pni", known), "pin");
}

TEST(NearestNameTest, SaysNothingRatherThanNonsense) {
    const std::vector<std::string> known{"address", "links", "on"};
    EXPECT_EQ(nearest_name("colour", known), "");
    EXPECT_EQ(nearest_name("", known), "");
    EXPECT_EQ(nearest_name("xx", {"on"}), "");
    EXPECT_EQ(nearest_name(std::string(100000, 'a'), known), "");
    EXPECT_EQ(suggest("colour", known), "known are \"address\", \"links\", \"on\"");
    EXPECT_EQ(suggest("adres", known), "did you mean \"address\"?");
    EXPECT_EQ(suggest("x", {}), "");
}

TEST(InQuotesTest, CutsAndEscapes) {
    EXPECT_EQ(in_quotes("a\"b\\"), "\"a\\\"b\\\\\"");
    EXPECT_EQ(in_quotes(std::string(60, 'x')), "\"" + std::string(60, 'x') + "\"");
    EXPECT_EQ(in_quotes(std::string(61, 'x')), "\"" + std::string(60, 'x') + "...\"");
}

}  // namespace
}  // namespace umbra::config
