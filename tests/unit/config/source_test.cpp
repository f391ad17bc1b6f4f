#include "sample_catalog.hpp"
#include <umbra/config/node.hpp>
#include <umbra/config/source.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <unistd.h>

namespace umbra::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

std::vector<std::string> faults(const std::string& text) {
    Problems problems;
    (void)parse(Source::from_text(text, "a.toml"), problems);
    return told(problems);
}

std::string dotted(std::size_t parts) {
    std::string key = "a";
    for (std::size_t i = 1; i < parts; ++i) key += ".a";
    return key;
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

class TempDir {
public:
    TempDir() {
        std::string name = (std::filesystem::temp_directory_path() / "umbra-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }
    ~TempDir() { std::filesystem::remove_all(path_); }
    TempDir(const TempDir&) = delete;
    TempDir& operator=(const TempDir&) = delete;
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

TEST(SourceTest, AFileThatIsNotThereIsNamed) {
    Problems problems;
    EXPECT_FALSE(Source::read("/nonexistent/umbra.toml", problems));
    EXPECT_THAT(told(problems), ElementsAre("/nonexistent/umbra.toml: error: cannot open the file: "
                                            "No such file or directory"));
}

TEST(SourceTest, ADirectoryIsNotAFile) {
    Problems problems;
    EXPECT_FALSE(Source::read("/", problems));
    EXPECT_THAT(told(problems), ElementsAre("/: error: this is a directory, not a file"));
}

TEST(SourceTest, SizeIsLimited) {
    const TempDir directory;
    const auto file = directory.path() / "a.toml";
    std::ofstream(file) << "#" << std::string(file_bytes_max - 1, 'x');
    Problems problems;
    EXPECT_TRUE(Source::read(file, problems));
    EXPECT_TRUE(problems.empty());
    std::ofstream(file, std::ios::app) << "x";
    EXPECT_FALSE(Source::read(file, problems));
    EXPECT_THAT(told(problems), ElementsAre(HasSubstr("larger than 4194304 bytes")));
    // Text that did not come from a file is held to the same limit.
    EXPECT_THAT(faults("#" + std::string(file_bytes_max, 'x')),
                ElementsAre(HasSubstr("larger than 4194304 bytes")));
}

TEST(SourceTest, RelativePathsAreRelativeToTheFile) {
    const TempDir directory;
    const auto file = directory.path() / "a.toml";
    std::ofstream(file) << "a = 1\r\nb = 2\n";
    Problems problems;
    const auto source = Source::read(file, problems);
    ASSERT_TRUE(source);
    EXPECT_EQ(source->directory(), directory.path());
    EXPECT_EQ(source->line(1), "a = 1");
    EXPECT_EQ(source->line(2), "b = 2");
    EXPECT_EQ(source->line(3), "");
    EXPECT_EQ(source->line(99), "");
}

TEST(ScanTest, PartsOfAKeyAreLimitedWhereverItStands) {
    const std::string ok = dotted(key_parts_max);
    const std::string over = dotted(key_parts_max + 1);
    for (const auto& [before, after] :
         std::vector<std::pair<std::string, std::string>>{{"", " = 1"},
                                                          {"[", "]"},
                                                          {"[[", "]]"},
                                                          {"x = { ", " = 1 }"},
                                                          {"x = [ 1, { y = 1, ", " = 1 }]"},
                                                          {"x = '''a'b''' # [\n", " = 1"},
                                                          {"x = \"\"\"a\\\"\"\"\"\n", " = 1"},
                                                          {"x = 'a\\'\n", " = 1"}}) {
        EXPECT_THAT(faults(before + ok + after), IsEmpty()) << before;
        EXPECT_THAT(faults(before + over + after),
                    ElementsAre(HasSubstr("a dotted key has more than 32 parts")))
            << before;
    }
}

TEST(ScanTest, AVeryLongDottedKeyIsRefusedBeforeTheParserSeesIt) {
    EXPECT_THAT(faults(dotted(131072) + " = 1"), ElementsAre(StartsWith("a.toml:1:65: error:")));
    EXPECT_THAT(faults("x = {" + dotted(131072) + " = 1}"), ElementsAre(HasSubstr("32 parts")));
    EXPECT_THAT(faults("x = 1\n\n[ " + dotted(131072)), ElementsAre(StartsWith("a.toml:3:")));
}

TEST(ScanTest, DotsInStringsAndCommentsAreNoParts) {
    const std::string dots(200, '.');
    EXPECT_THAT(faults("a = \"" + dots + "\" # " + dots + "\n\"" + dots + "\" = '" + dots +
                       "'\nb = \"\"\"" + dots + "\n" + dots + "\"\"\"\nc = '''\n" + dots + "'''"),
                IsEmpty());
    std::string floats = "a = [";
    for (int i = 0; i < 100; ++i) floats += "1.5, 2.5,\n";
    EXPECT_THAT(faults(floats + "]"), IsEmpty());
}

TEST(ScanTest, LengthOfAKeyIsLimited) {
    EXPECT_THAT(faults(std::string(key_bytes_max, 'k') + "=1"), IsEmpty());
    EXPECT_THAT(faults(std::string(key_bytes_max + 1, 'k') + "=1"),
                ElementsAre("a.toml:1:1025: error: a key is longer than 1024 bytes"));
    EXPECT_THAT(faults("[" + std::string(key_bytes_max - 1, 'k') + "]"), IsEmpty());
    EXPECT_THAT(faults("[" + std::string(key_bytes_max + 1, 'k') + "]"),
                ElementsAre(HasSubstr("a key is longer")));
    EXPECT_THAT(faults(std::string(5000, ' ') + "a = \"" + std::string(5000, 'v') + "\" # " +
                       std::string(5000, 'c') + "\n# " + std::string(5000, 'c') + "\n"),
                IsEmpty());
}

TEST(ScanTest, NestingIsLimited) {
    EXPECT_THAT(faults("a = " + nested(nesting_max)), IsEmpty());
    EXPECT_THAT(faults("a = " + nested(nesting_max + 1)),
                ElementsAre("a.toml:1:37: error: arrays and inline tables are nested more than 32 "
                            "levels deep"));
    std::string tables = "a = ";
    for (std::size_t i = 0; i < nesting_max; ++i) tables += "{a=";
    EXPECT_THAT(faults(tables + "1" + std::string(nesting_max, '}')), IsEmpty());
    EXPECT_THAT(faults(tables + "{}" + std::string(nesting_max, '}')),
                ElementsAre(HasSubstr("nested more than 32")));
    EXPECT_THAT(faults("a = " + std::string(1000000, '[')), ElementsAre(HasSubstr("nested")));
}

TEST(ScanTest, WhatIsNotTextIsRefusedWhereItStands) {
    EXPECT_THAT(faults(std::string("a = 1\nb\0 = 2", 12)),
                ElementsAre("a.toml:2:2: error: the file contains a NUL byte"));
    EXPECT_THAT(faults("a = 1\nb = \"\xc3\xa9\xff\""),
                ElementsAre("a.toml:2:7: error: invalid UTF-8: byte 0xff"));
    EXPECT_THAT(faults("# \xc0\xaf"), ElementsAre("a.toml:1:3: error: invalid UTF-8: byte 0xc0"));
    EXPECT_THAT(faults("a = '\xed\xa0\x80'"), ElementsAre(HasSubstr("1:6: error: invalid UTF-8")));
    EXPECT_THAT(faults("a = '''\n\xf4\x90\x80\x80'''"), ElementsAre(HasSubstr("2:1: error: inv")));
    EXPECT_THAT(faults("a = \"\xe2\x82"), ElementsAre(HasSubstr("1:6: error: invalid UTF-8")));
    EXPECT_THAT(faults(std::string("\xff\xfe") + std::string("a\0", 2)),
                ElementsAre("a.toml:1:1: error: the file is UTF-16, but must be UTF-8"));
}

TEST(ScanTest, AByteOrderMarkOfUtf8IsSkipped) {
    EXPECT_THAT(faults("\xef\xbb\xbf"
                       "a = 1\n"),
                IsEmpty());
    EXPECT_THAT(faults("\xef\xbb\xbf"
                       "a = x\n"),
                ElementsAre(StartsWith("a.toml:1:5: error: invalid TOML in ")));
}

TEST(ParseTest, SyntaxIsReportedAtItsPlace) {
    EXPECT_THAT(faults("a = 1\na = 2\n"),
                ElementsAre(StartsWith("a.toml:2:5: error: invalid TOML")));
    EXPECT_THAT(faults("a = [1 2]"),
                ElementsAre(StartsWith("a.toml:1:8: error: invalid TOML in array")));
    EXPECT_THAT(faults("a = 99999999999999999999"), ElementsAre(StartsWith("a.toml:1:")));
    EXPECT_THAT(faults("[;"), ElementsAre(StartsWith("a.toml:1:")));
}

TEST(ParseTest, EveryNodeKnowsItsPlace) {
    Problems problems;
    const auto root =
        parse(Source::from_text("[t.u]\nk = [1, { x = 2.5 }]\nd = 1979-05-27\n", "a"), problems);
    ASSERT_TRUE(root);
    const Entry* t = root->find("t");
    ASSERT_NE(t, nullptr);
    const Entry* u = t->value.find("u");
    ASSERT_NE(u, nullptr);
    EXPECT_EQ(u->at, (Position{1, 4}));
    EXPECT_EQ(u->value.at, (Position{1, 1}));
    const Entry* k = u->value.find("k");
    ASSERT_NE(k, nullptr);
    EXPECT_EQ(k->at, (Position{2, 1}));
    EXPECT_EQ(k->value.items.at(1).find("x")->value.at, (Position{2, 15}));
    EXPECT_EQ(to_literal(k->value), "[1, { x = 2.5 }]");
    EXPECT_EQ(to_literal(u->value.find("d")->value), "1979-05-27");
    EXPECT_EQ(root->find("none"), nullptr);
}

/// Random text of the characters that matter to the scanner: it must neither crash nor let the
/// parser crash, and must not refuse what the parser takes.
TEST(ParseTest, RandomTextNeverCrashes) {
    const std::string letters = "ab.=[]{}\"'#,\n\\ 1-\xc3";
    std::mt19937 random(11);
    for (int i = 0; i < 20000; ++i) {
        std::string text;
        for (std::size_t n = random() % 40; n > 0; --n) text += letters[random() % letters.size()];
        Problems problems;
        const auto root = parse(Source::from_text(text, "a"), problems);
        EXPECT_EQ(root.has_value(), problems.empty()) << text;
    }
}

}  // namespace
}  // namespace umbra::config
