// Faults of real files and real calls, seen through the shared object.

#include "integration/plugin/storage_faults.hpp"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sys/resource.h>

namespace umbra::plugin_test {

std::string storage_main_file() { return "config.log"; }

namespace {

namespace fs = std::filesystem;

class FileStorageFaults : public StorageFaults {
protected:
    [[nodiscard]] std::string log() const { return main_file(); }
    /// Where the next record goes: without the room behind the last one.
    std::uint64_t end_of_log() {
        close();
        const auto end = fs::file_size(log());
        EXPECT_TRUE(reopen().ok());
        return end;
    }
};

TEST_F(FileStorageFaults, TornTailOfEveryLengthIsDroppedReportedAndWrittenOver) {
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 3).ok());
    const auto before = end_of_log();
    ASSERT_TRUE(storage().append({entry_of(4, "of a modest length")}).get().ok());
    close();
    const auto whole = fs::file_size(log());
    const auto copy = directory() + "/copy";
    fs::copy_file(log(), copy);
    for (auto size = before + 1; size < whole; ++size) {
        fs::copy_file(copy, log(), fs::copy_options::overwrite_existing);
        fs::resize_file(log(), size);
        const auto opened = reopen();
        ASSERT_TRUE(opened.ok()) << size << ": " << opened.error().message;
        EXPECT_EQ(opened->last.seq, 3u);
        EXPECT_EQ(opened->detail, "dropped " + std::to_string(size - before) +
                                      " bytes of an unfinished write at the end of " + log() +
                                      ", after entry 3");
        EXPECT_EQ(fs::file_size(log()), before);
        ASSERT_TRUE(append(4, 5).ok());
        const auto again = reopen();
        ASSERT_TRUE(again.ok());
        EXPECT_EQ(again->last.seq, 5u);
        EXPECT_EQ(again->detail, "");
        EXPECT_EQ(*storage().read(1, 10).get(), entries_of(1, 5));
        close();
    }
}

TEST_F(FileStorageFaults, DamageIsRefusedWithFileOffsetAndRemedyAndNothingIsChanged) {
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 1).ok());
    const auto offset = end_of_log();
    ASSERT_TRUE(append(2, 2).ok());
    ASSERT_TRUE(append(3, 3).ok());
    close();
    const auto size = fs::file_size(log());
    flip(log(), offset + 80);
    const auto opened = reopen();
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code, Errc::data_loss);
    EXPECT_EQ(opened.error().message,
              log() + ": the record at offset " + std::to_string(offset) +
                  ", after entry 1, does not match its checksum; restore a backup, or move the "
                  "file away so that this instance fetches everything from its peer");
    EXPECT_FALSE(append(2, 2).ok());
    EXPECT_EQ(fs::file_size(log()), size);
    flip(log(), offset + 80);
    EXPECT_TRUE(storage().open().get().ok()) << "after the repair, in the same instance";
}

TEST_F(FileStorageFaults, DamageOfTheLastRecordIsRefusedToo) {
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 3).ok());
    close();
    flip(log(), fs::file_size(log()) - 2);
    const auto opened = reopen();
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code, Errc::data_loss);
}

TEST_F(FileStorageFaults, DamageUnderARunningInstanceIsNeverReadAsContent) {
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 3).ok());
    flip(log(), 32 + 76);
    const auto read = storage().read(1, 10).get();
    ASSERT_FALSE(read.ok());
    EXPECT_EQ(read.error().code, Errc::data_loss);
    EXPECT_NE(read.error().message.find("offset 32"), std::string::npos) << read.error().message;
    EXPECT_EQ(append(4, 4).error().code, Errc::data_loss);
}

TEST_F(FileStorageFaults, EveryFailedSyncOfARewriteIsFinalAndLosesNothing) {
    for (int nth = 0; nth < 2; ++nth) {
        SCOPED_TRACE(nth);
        const TemporaryDirectory place;
        StorageDriver storage{file(), place.path()};
        ASSERT_TRUE(storage.open().get().ok());
        ASSERT_TRUE(storage.append(entries_of(1, 4)).get().ok());
        syncs_left = nth;
        const auto failed = storage.compact(entry_of(2)).get();
        ASSERT_FALSE(failed.ok());
        EXPECT_EQ(failed.error().code, Errc::data_loss) << failed.error().message;
        EXPECT_EQ(storage.append(entries_of(5, 5)).get().error().code, Errc::data_loss);
        ASSERT_TRUE(storage.stop().get().ok());
        StorageDriver next{file(), place.path()};
        const auto opened = next.open().get();
        ASSERT_TRUE(opened.ok()) << opened.error().message;
        EXPECT_EQ(opened->last.seq, 4u);
    }
}

TEST_F(FileStorageFaults, FileSizeLimitIsExhaustedWithoutASignalAndUsableAfterwards) {
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 5).ok());
    const auto size = end_of_log();
    rlimit was{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &was), 0);
    const rlimit small{size + 100, was.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const auto full = append(6, 9);
    const auto full_again = storage().compact(entry_of(5, std::string(5000, 's'))).get();
    const auto length = fs::file_size(log());
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &was), 0);

    ASSERT_FALSE(full.ok());
    EXPECT_EQ(full.error().code, Errc::exhausted) << full.error().message;
    EXPECT_EQ(full.error().sys_errno, EFBIG);
    EXPECT_EQ(length, size) << "cut back to the last record";
    ASSERT_FALSE(full_again.ok());
    EXPECT_EQ(full_again.error().code, Errc::exhausted);
    EXPECT_FALSE(fs::exists(directory() + "/config.log.new"));

    EXPECT_EQ(*storage().read(1, 10).get(), entries_of(1, 5));
    ASSERT_TRUE(append(6, 7).ok()) << "there is space again";
    ASSERT_TRUE(reopen().ok());
    EXPECT_EQ(*storage().read(1, 10).get(), entries_of(1, 7));
}

TEST_F(StorageOnASmallDisk, FullDiskRefusesAppendsKeepsTheLogAndRecovers) {
    ASSERT_TRUE(reopen().ok());
    std::ofstream{ballast(), std::ios::binary} << std::string(500'000, 'b');
    std::uint64_t last = 0;
    for (;;) {
        const auto answer = storage().append({entry_of(last + 1, std::string(60'000, 'e'))}).get();
        if (!answer.ok()) {
            EXPECT_EQ(answer.error().code, Errc::exhausted) << answer.error().message;
            EXPECT_EQ(answer.error().sys_errno, ENOSPC);
            break;
        }
        ASSERT_LT(++last, 100u);
    }
    ASSERT_GT(last, 3u);
    for (int i = 0; i < 10; ++i)
        EXPECT_EQ(
            storage().append({entry_of(last + 1, std::string(60'000, 'e'))}).get().error().code,
            Errc::exhausted);
    EXPECT_EQ(storage().read(1, 100).get()->size(), last);
    const auto opened = reopen();
    ASSERT_TRUE(opened.ok()) << "a full disk must not keep the log from being opened: "
                             << opened.error().message;
    EXPECT_EQ(opened->last.seq, last);
    fs::remove(ballast());
    ASSERT_TRUE(storage().append({entry_of(last + 1, std::string(60'000, 'e'))}).get().ok());
    ASSERT_TRUE(reopen().ok());
    EXPECT_EQ(storage().read(1, 100).get()->size(), last + 1);
}

TEST_F(FileStorageFaults, LogOfALaterVersionIsNamedAndLeftAlone) {
    std::string header{"UMBRALOG\2\0\0\0\0\0\0\0\0\0\0\0\x20\0\0\0\0\0\0\0", 28};
    header += std::string{"\x2b\xa9\x09\x2a", 4};
    std::ofstream{log(), std::ios::binary} << header;
    const auto opened = reopen();
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code, Errc::unsupported) << opened.error().message;
    EXPECT_EQ(fs::file_size(log()), 32u);
}

TEST_F(FileStorageFaults, UnfinishedRewriteIsRemovedAtTheStart) {
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 3).ok());
    close();
    std::ofstream{directory() + "/config.log.new"} << "half of a snapsho";
    ASSERT_TRUE(reopen().ok());
    EXPECT_FALSE(fs::exists(directory() + "/config.log.new"));
    EXPECT_EQ(*storage().read(1, 10).get(), entries_of(1, 3));
}

}  // namespace
}  // namespace umbra::plugin_test
