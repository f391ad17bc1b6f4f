#include "integration/host/support.hpp"
#include <umbra/host/file.hpp>

#include <sys/stat.h>
#include <unistd.h>

namespace umbra::host::test {
namespace {

/// Gate 0 as far as it needs no ELF file: a text file that gets past the checks of place, owner and
/// mode is refused as text.
class FileTest : public ::testing::Test {
protected:
    static std::string refusal(const fs::path& path) {
        const auto file = PluginFile::open(path);
        if (file) return "opened";
        const std::string prefix = path.string() + ": ";
        const std::string& text = file.error().message;
        EXPECT_EQ(text.substr(0, prefix.size()), prefix);
        return text.substr(std::min(prefix.size(), text.size()));
    }
    static constexpr const char* taken_as_text =
        "is not an ELF file, it begins with \"#!/bin/sh\"; build the plugin with "
        "umbra_add_plugin()";

    TempDirectory directory;
    const fs::path file = directory.write("p.so", "#!/bin/sh\nexit\n");
};

TEST_F(FileTest, TextFileIsShownByItsStart) { EXPECT_EQ(refusal(file), taken_as_text); }

TEST_F(FileTest, MissingFileIsNamed) {
    EXPECT_EQ(refusal(directory / "q.so"),
              "does not exist; install the plugin or correct the path");
    EXPECT_EQ(refusal(directory / "no/q.so"),
              "does not exist; install the plugin or correct the path");
}

TEST_F(FileTest, DirectoryIsRefusedWithAndWithoutASlash) {
    fs::create_directory(directory / "d.so");
    EXPECT_EQ(refusal(directory / "d.so"), "is a directory, not a plugin; name a file in it");
    EXPECT_FALSE(PluginFile::open((directory / "d.so").string() + "/").ok());
}

TEST_F(FileTest, EmptyFileIsRefused) {
    EXPECT_EQ(refusal(directory.write("e.so", "")), "is empty; copy the plugin again");
}

TEST_F(FileTest, FifoIsRefusedWithoutWaitingForAWriter) {
    ASSERT_EQ(::mkfifo((directory / "f.so").c_str(), 0644), 0);
    EXPECT_EQ(refusal(directory / "f.so"), "is not a regular file; install the plugin as one");
}

TEST_F(FileTest, SymbolicLinkIsRefusedAlsoInsideTheDirectory) {
    fs::create_symlink("p.so", directory / "l.so");
    fs::create_symlink("/etc/passwd", directory / "out.so");
    const char* text =
        "is a symbolic link, which could lead out of its directory; put the file itself there";
    EXPECT_EQ(refusal(directory / "l.so"), text);
    EXPECT_EQ(refusal(directory / "out.so"), text);
}

TEST_F(FileTest, DirectoryThatIsALinkIsFollowed) {
    fs::create_directory(directory / "real");
    fs::rename(file, directory / "real/p.so");
    fs::create_directory_symlink("real", directory / "link");
    EXPECT_EQ(refusal(directory / "link/p.so"), taken_as_text);
}

TEST_F(FileTest, FileThatEverybodyMayWriteIsRefused) {
    fs::permissions(file, fs::perms{0646});
    EXPECT_EQ(refusal(file),
              "may be written by everybody (mode 0646); run \"chmod go-w " + file.string() + "\"");
}

TEST_F(FileTest, FileThatItsGroupMayWriteIsRefused) {
    fs::permissions(file, fs::perms{0664});
    EXPECT_EQ(refusal(file),
              "may be written by its group (mode 0664); run \"chmod go-w " + file.string() + "\"");
}

TEST_F(FileTest, DirectoryThatOthersMayWriteIsRefusedAlsoWhenSticky) {
    const std::string place = directory.path().string();
    fs::permissions(directory.path(), fs::perms{01777});
    EXPECT_EQ(refusal(file), "its directory " + place +
                                 " may be written by everybody (mode 1777), so others could put a "
                                 "plugin there; run \"chmod go-w " +
                                 place + "\"");
    fs::permissions(directory.path(), fs::perms{0775});
    EXPECT_NE(refusal(file).find("may be written by its group (mode 0775)"), std::string::npos);
    fs::permissions(directory.path(), fs::perms{0755});
    EXPECT_EQ(refusal(file), taken_as_text);
}

TEST_F(FileTest, DirectoriesAboveMayBeStickyOrOfAGroupButNotOpenToEverybody) {
    fs::create_directory(directory / "in");
    fs::rename(file, directory / "in/p.so");
    const auto with = [&](unsigned mode) {
        fs::permissions(directory.path(), fs::perms{mode});
        return refusal(directory / "in/p.so");
    };
    EXPECT_NE(with(0777).find(directory.path().string() + " may be written by everybody"),
              std::string::npos);
    EXPECT_EQ(with(01777), taken_as_text);
    EXPECT_EQ(with(0775), taken_as_text);
}

TEST_F(FileTest, FileOrDirectoryOfAnotherUserIsRefused) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
    constexpr uid_t other = 12345;
    ASSERT_EQ(::chown(file.c_str(), other, 0), 0);
    EXPECT_EQ(refusal(file), "belongs to user 12345, not to root; run \"chown root " +
                                 file.string() + "\" if you trust it");
    ASSERT_EQ(::chown(file.c_str(), 0, 0), 0);
    ASSERT_EQ(::chown(directory.path().c_str(), other, 0), 0);
    EXPECT_NE(
        refusal(file).find("its directory " + directory.path().string() + " belongs to user 12345"),
        std::string::npos);
}

TEST(FileNameTest, KindsAndNamesMakeTheFileName) {
    EXPECT_EQ(file_name_of(UMBRA_KIND_TUNNEL, "gateway"), "umbra-tunnel-gateway.so");
    EXPECT_EQ(kind_of("storage"), UMBRA_KIND_STORAGE);
    EXPECT_EQ(kind_of("tunnels"), std::nullopt);
    EXPECT_EQ(kind_word(9), "kind 9");
}

}  // namespace
}  // namespace umbra::host::test
