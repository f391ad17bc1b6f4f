#include "unit/base/temp_directory.hpp"
#include <umbra/base/durable_file.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <sys/stat.h>
#include <unistd.h>

namespace umbra::base {
namespace {

namespace fs = std::filesystem;

unsigned mode_of(const fs::path& path) {
    struct stat about {};
    EXPECT_EQ(::stat(path.c_str(), &about), 0);
    return about.st_mode & 07777;
}

class DurableFileTest : public ::testing::Test {
protected:
    std::size_t entries() {
        return static_cast<std::size_t>(
            std::distance(fs::directory_iterator{dir.path()}, fs::directory_iterator{}));
    }
    test::TempDirectory dir;
};

TEST_F(DurableFileTest, WhatWasReplacedReadsBackWithPrivateModeAndNothingElseIsLeft) {
    ASSERT_TRUE(replace_file(dir / "state", "one"));
    ASSERT_TRUE(replace_file(dir / "state", std::string("t\0wo", 4)));
    const auto content = read_file(dir / "state", 100);
    ASSERT_TRUE(content);
    EXPECT_EQ(*content, std::string("t\0wo", 4));
    EXPECT_EQ(mode_of(dir / "state"), 0600u);
    EXPECT_EQ(entries(), 1u);
}

TEST_F(DurableFileTest, ReplacingGivesTheModeThatIsAskedFor) {
    ASSERT_TRUE(replace_file(dir / "public", "x", 0644));
    EXPECT_EQ(mode_of(dir / "public"), 0644u);
}

TEST_F(DurableFileTest, LeftoverOfACrashIsNotWrittenThrough) {
    ASSERT_TRUE(replace_file(dir / "precious", "keep"));
    fs::create_symlink(dir / "precious", dir / "state.tmp");
    ASSERT_TRUE(replace_file(dir / "state", "new"));
    EXPECT_EQ(*read_file(dir / "precious", 100), "keep");
    EXPECT_EQ(*read_file(dir / "state", 100), "new");
}

TEST_F(DurableFileTest, FailedReplacementKeepsTheOldContentAndCleansUp) {
    fs::create_directory(dir / "state");
    ASSERT_TRUE(replace_file((dir / "state") / "inner", "x"));
    const auto outcome = replace_file(dir / "state", "new");
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().sys_errno, EISDIR);
    EXPECT_EQ(entries(), 1u) << "no temporary file stays behind";
    EXPECT_EQ(*read_file((dir / "state") / "inner", 10), "x");
}

TEST_F(DurableFileTest, DirectoryThatIsMissingIsNamed) {
    const auto outcome = replace_file((dir / "none") / "state", "x");
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().sys_errno, ENOENT);
    EXPECT_NE(outcome.error().message.find("none/state"), std::string::npos);
}

TEST_F(DurableFileTest, ReadingTakesExactlyTheLimitAndNotAByteMore) {
    ASSERT_TRUE(replace_file(dir / "f", std::string(1000, 'x')));
    EXPECT_TRUE(read_file(dir / "f", 1000));
    const auto outcome = read_file(dir / "f", 999);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Errc::exhausted);
}

TEST_F(DurableFileTest, ReadingWhatIsNotAFileIsRefusedAndDoesNotHang) {
    EXPECT_EQ(read_file(dir / "missing", 10).error().sys_errno, ENOENT);
    EXPECT_EQ(read_file(dir.path(), 10).error().code, Errc::invalid);
    ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
    EXPECT_EQ(read_file(dir / "pipe", 10).error().code, Errc::invalid);
}

TEST_F(DurableFileTest, PrivateDirectoryIsMadeWithParentsAndTightened) {
    const fs::path path = (dir / "a") / "b";
    ASSERT_TRUE(make_private_directory(path));
    EXPECT_EQ(mode_of(path), 0700u);
    ::chmod(path.c_str(), 0755);
    ASSERT_TRUE(make_private_directory(path));
    EXPECT_EQ(mode_of(path), 0700u);
}

TEST_F(DurableFileTest, PrivateDirectoryInPlaceOfAFileIsRefused) {
    ASSERT_TRUE(replace_file(dir / "f", "x"));
    EXPECT_EQ(make_private_directory(dir / "f").error().code, Errc::invalid);
    EXPECT_FALSE(make_private_directory((dir / "f") / "below"));
}

TEST_F(DurableFileTest, PrivateDirectoryOfSomebodyElseIsDenied) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give a directory away";
    ASSERT_TRUE(make_private_directory(dir / "theirs"));
    ASSERT_EQ(::chown((dir / "theirs").c_str(), 12345, 12345), 0);
    const auto outcome = make_private_directory(dir / "theirs");
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Errc::denied);
    EXPECT_NE(outcome.error().message.find("12345"), std::string::npos);
}

}  // namespace
}  // namespace umbra::base
