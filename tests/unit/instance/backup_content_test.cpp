#include "backup_content.hpp"

#include "unit/base/temp_directory.hpp"
#include "unit/instance/offline_log.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <sys/stat.h>

namespace umbra::instance {
namespace {

using testing::HasSubstr;

BackupContent sample() {
    BackupContent content;
    content.version = "0.1.0";
    content.instance = "alpha";
    content.time_ms = 1'700'000'000'000;
    content.instance_file = "/etc/umbra/umbra.toml";
    content.instance_text = "[instance]\nname = \"alpha\"\n";
    content.log = make_log(5, 2);
    content.files = {{"state.json", "{}"}, {"transport/curve.key", std::string("\0k", 2)}};
    return content;
}

TEST(BackupContentTest, ReadsBackAsItWasWritten) {
    const auto content = sample();
    const auto back = decode_backup(encode(content));
    ASSERT_TRUE(back.ok()) << back.error().message;
    EXPECT_EQ(*back, content);
    BackupContent empty;
    EXPECT_EQ(*decode_backup(encode(empty)), empty);
}

TEST(BackupContentTest, EveryEndThatComesTooEarlyAndEveryAddedByteIsRefused) {
    const std::string bytes = encode(sample());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        ASSERT_FALSE(decode_backup(std::string_view{bytes}.substr(0, size)).ok()) << size;
    }
    EXPECT_FALSE(decode_backup(bytes + "x").ok());
}

TEST(BackupContentTest, AnotherVersionIsNamed) {
    std::string bytes = encode(sample());
    bytes[0] = 2;
    const auto back = decode_backup(bytes);
    ASSERT_FALSE(back.ok());
    EXPECT_EQ(back.error().code, Errc::unsupported);
    EXPECT_THAT(back.error().message, HasSubstr("version 2, this program reads 1"));
}

TEST(BackupContentTest, NoFileLeadsOutOfTheDirectoryOrTakesThePlaceOfWhatIsMadeThere) {
    const std::string longest(backup_path_bytes_max, 'x');
    for (const std::string& path :
         {std::string{"../x"}, std::string{"/etc/passwd"}, std::string{"a/../../x"},
          std::string{"a/./x"}, std::string{}, std::string{"a//"}, std::string("a\0b", 3),
          std::string{"lock"}, std::string{"storage/config.log"}, std::string{"migration.json"},
          longest + "x"}) {
        auto content = sample();
        content.files = {{path, "x"}};
        EXPECT_FALSE(decode_backup(encode(content)).ok()) << path;
    }
    auto content = sample();
    content.files = {{longest, "x"}, {"tunnel/main/lock", "x"}};
    EXPECT_TRUE(decode_backup(encode(content)).ok());
    content.files.push_back(content.files.front());
    EXPECT_FALSE(decode_backup(encode(content)).ok()) << "twice";
}

TEST(BackupContentTest, TheNumberOfFilesIsLimited) {
    auto content = sample();
    content.files.clear();
    for (std::size_t i = 0; i < backup_files_max; ++i)
        content.files.push_back({std::to_string(i), ""});
    EXPECT_TRUE(decode_backup(encode(content)).ok());
    content.files.push_back({"one more", ""});
    EXPECT_FALSE(decode_backup(encode(content)).ok());
}

TEST(BackupContentTest, ALogThatDoesNotFitTogetherIsRefused) {
    auto content = sample();
    content.log.entries[1].body.back() ^= 1;
    EXPECT_FALSE(decode_backup(encode(content)).ok());
    content = sample();
    content.log.entries.erase(content.log.entries.begin() + 1);
    EXPECT_FALSE(decode_backup(encode(content)).ok());
}

class BackupFilesTest : public testing::Test {
protected:
    void write(const std::string& name, const std::string& text) {
        std::filesystem::create_directories((dir / name).parent_path());
        std::ofstream{dir / name} << text;
    }
    test::TempDirectory dir;
};

TEST_F(BackupFilesTest, EverythingIsTakenButWhatIsMadeAnew) {
    for (const char* name : {"lock", "storage/config.log", "migration.json", "state.json.tmp",
                             "state.json", "tunnel/main/key.pem", "divergence/1.2-ab.json"}) {
        write(name, name);
    }
    ASSERT_EQ(::mkfifo((dir / "pipe").c_str(), 0600), 0);
    const auto files = collect_files(dir.path());
    ASSERT_TRUE(files.ok());
    EXPECT_THAT(*files,
                testing::ElementsAre(BackupFile{"divergence/1.2-ab.json", "divergence/1.2-ab.json"},
                                     BackupFile{"state.json", "state.json"},
                                     BackupFile{"tunnel/main/key.pem", "tunnel/main/key.pem"}));

    const test::TempDirectory other;
    ASSERT_TRUE(write_files(other.path(), *files).ok());
    EXPECT_EQ(*collect_files(other.path()), *files);
    struct stat about {};
    ASSERT_EQ(::stat((other / "tunnel/main/key.pem").c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777, 0600u);
    ASSERT_EQ(::stat((other / "tunnel/main").c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777, 0700u);
}

TEST_F(BackupFilesTest, ALinkIsNamed) {
    std::filesystem::create_symlink("/etc", dir / "link");
    const auto files = collect_files(dir.path());
    ASSERT_FALSE(files.ok());
    EXPECT_THAT(files.error().message, HasSubstr("link is a symbolic link"));
}

TEST(StoredLogTest, AChainIsCheckedFromTheSnapshotOn) {
    EXPECT_TRUE(check_chain({}).ok());
    EXPECT_TRUE(check_chain(make_log(5)).ok());
    EXPECT_TRUE(check_chain(make_log(5, 2)).ok());
    EXPECT_TRUE(check_chain(make_log(5, 5)).ok());
    const auto broken = [](auto change) {
        auto log = make_log(5, 2);
        change(log);
        const auto checked = check_chain(log);
        return checked.ok() ? std::string{"nothing"} : checked.error().message;
    };
    EXPECT_THAT(broken([](StoredLog& log) { log.snapshot->position.hash[0] ^= std::byte{1}; }),
                HasSubstr("entry 3"));
    EXPECT_THAT(broken([](StoredLog& log) { log.snapshot.reset(); }), HasSubstr("entry 3"));
    EXPECT_THAT(broken([](StoredLog& log) { log.entries[1].position.epoch += 1; }),
                HasSubstr("entry 4"));
    EXPECT_THAT(broken([](StoredLog& log) { log.entries[2].position.hash[31] ^= std::byte{1}; }),
                HasSubstr("entry 5"));
    EXPECT_THAT(broken([](StoredLog& log) { std::swap(log.entries[0], log.entries[1]); }),
                HasSubstr("entry 4"));
}

}  // namespace
}  // namespace umbra::instance
