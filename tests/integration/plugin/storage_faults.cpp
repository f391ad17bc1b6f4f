#include "integration/plugin/storage_faults.hpp"

#include <cerrno>
#include <dlfcn.h>
#include <fstream>
#include <iterator>

namespace umbra::plugin_test {

std::atomic<int> syncs_left{-1};
std::atomic<int> syncs{0};

namespace {

bool this_sync_fails() {
    ++syncs;
    if (syncs_left < 0) return false;
    if (syncs_left.fetch_sub(1) > 0) return false;
    syncs_left = -1;  // one error, as the kernel reports it: once
    errno = EIO;
    return true;
}

}  // namespace
}  // namespace umbra::plugin_test

// The plugin's calls come here, because the program comes before the C library in the search order.
extern "C" __attribute__((visibility("default"))) int fdatasync(int fd) {
    static const auto real = reinterpret_cast<int (*)(int)>(::dlsym(RTLD_NEXT, "fdatasync"));
    return umbra::plugin_test::this_sync_fails() ? -1 : real(fd);
}
extern "C" __attribute__((visibility("default"))) int fsync(int fd) {
    static const auto real = reinterpret_cast<int (*)(int)>(::dlsym(RTLD_NEXT, "fsync"));
    return umbra::plugin_test::this_sync_fails() ? -1 : real(fd);
}

namespace umbra::plugin_test {

namespace fs = std::filesystem;

void flip(const std::string& path, std::uint64_t offset) {
    std::fstream bytes{path, std::ios::in | std::ios::out | std::ios::binary};
    bytes.seekg(static_cast<std::streamoff>(offset));
    const char was = static_cast<char>(bytes.get());
    bytes.seekp(static_cast<std::streamoff>(offset));
    bytes.put(static_cast<char>(was ^ 4));
}

TEST_F(StorageFaults, FailedSyncIsFinalAndNeverTriedAgain) {
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 2).ok());
    syncs_left = 0;
    const auto failed = append(3, 3);
    ASSERT_FALSE(failed.ok());
    EXPECT_EQ(failed.error().code, Errc::data_loss) << failed.error().message;
    EXPECT_EQ(failed.error().sys_errno, EIO);
    EXPECT_NE(failed.error().message.find(main_file()), std::string::npos)
        << failed.error().message;
    // The next sync would succeed; it must not be asked.
    const int before = syncs;
    EXPECT_EQ(append(3, 3).error().code, Errc::data_loss);
    EXPECT_EQ(append(4, 4).error().code, Errc::data_loss);
    EXPECT_EQ(storage().truncate(1).get().error().code, Errc::data_loss);
    EXPECT_EQ(storage().install(entry_of(9)).get().error().code, Errc::data_loss);
    EXPECT_EQ(storage().compact(entry_of(2)).get().error().code, Errc::data_loss);
    EXPECT_EQ(storage().read(1, 1).get().error().code, Errc::data_loss);
    EXPECT_EQ(storage().open().get().error().code, Errc::data_loss);
    close();
    EXPECT_EQ(syncs, before) << "nor by the end";
    const auto opened = reopen();
    ASSERT_TRUE(opened.ok()) << "by another process: " << opened.error().message;
    EXPECT_GE(opened->last.seq, 2u);
}

TEST_F(StorageFaults, SymbolicLinkInPlaceOfTheLogIsRefused) {
    const auto elsewhere = directory() + "/elsewhere";
    std::ofstream{elsewhere} << "precious";
    fs::create_symlink(elsewhere, main_file());
    const auto opened = reopen();
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code, Errc::denied) << opened.error().message;
    EXPECT_EQ(fs::file_size(elsewhere), 8u);
}

TEST_F(StorageFaults, MissingStateDirectoryIsAnErrorThatNamesIt) {
    storage_.emplace(file(), "/nonexistent/umbra");
    const auto opened = storage().open().get();
    ASSERT_FALSE(opened.ok());
    EXPECT_NE(opened.error().message.find("/nonexistent/umbra"), std::string::npos);
    EXPECT_EQ(opened.error().sys_errno, ENOENT);
}

TEST_F(StorageFaults, FilesAreForTheirOwnerOnly) {
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 1).ok());
    ASSERT_TRUE(fs::exists(main_file()));
    for (const auto& entry : fs::directory_iterator{directory()}) {
        struct stat status {};
        ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777u, 0600u) << entry.path();
    }
}

TEST_F(StorageFaults, NoDescriptorIsLeftBehind) {
    const auto count = [] {
        return std::distance(fs::directory_iterator{"/proc/self/fd"}, fs::directory_iterator{});
    };
    const auto round = [&] {
        ASSERT_TRUE(reopen().ok());
        ASSERT_TRUE(storage().install(entry_of(7)).get().ok());
        ASSERT_TRUE(append(8, 9).ok());
        ASSERT_TRUE(storage().truncate(8).get().ok());
        close();
    };
    round();
    const auto before = count();
    for (int i = 0; i < 10; ++i) round();
    EXPECT_EQ(count(), before);
}

}  // namespace umbra::plugin_test
