// Faults of real files and real calls, seen through the shared object.

#include "integration/plugin/storage_faults.hpp"

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sys/resource.h>

namespace umbra::plugin_test {

std::string storage_main_file() { return "config.db"; }

namespace {

namespace fs = std::filesystem;

class SqliteFaults : public StorageFaults {
protected:
    [[nodiscard]] std::string database() const { return main_file(); }

    /// What a kill -9 at this moment would leave.
    static void crash_image(const std::string& from, const std::string& to) {
        fs::create_directory(to);
        for (const char* name : {"config.db", "config.db-wal", "config.db.mark"})
            fs::copy_file(from + "/" + name, to + "/" + name, fs::copy_options::overwrite_existing);
    }
    /// Flips a bit of `name` in copies of `image`, every `step` bytes: each time the storage
    /// refuses and says where, or it has all that it had. @return How often it refused.
    int expect_no_flip_goes_unseen(const std::string& image, const std::string& name,
                                   std::uint64_t step, const LogEntry& snapshot,
                                   const std::vector<LogEntry>& entries) {
        int refused = 0;
        const auto place = directory() + "/flipped";
        for (std::uint64_t at = 0; at < fs::file_size(image + "/" + name); at += step) {
            SCOPED_TRACE(name + " at " + std::to_string(at));
            fs::remove_all(place);
            crash_image(image, place);
            flip(place + "/" + name, at);
            StorageDriver storage{file(), place};
            const auto opened = storage.open().get();
            if (!opened.ok()) {
                ++refused;
                EXPECT_NE(opened.error().message.find(place + "/config.db"), std::string::npos)
                    << opened.error().message;
                continue;
            }
            EXPECT_EQ(opened->last, entries.back().position);
            EXPECT_EQ(opened->snapshot, snapshot.position);
            EXPECT_TRUE(*storage.read(1, SIZE_MAX).get() == entries);
            EXPECT_EQ(*storage.read_snapshot().get(), snapshot);
        }
        return refused;
    }
};

TEST_F(SqliteFaults, AFlippedBitAnywhereInTheDatabaseIsRefusedOrHarmless) {
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 30).ok());
    const auto snapshot = entry_of(10, "one to ten");
    ASSERT_TRUE(storage().compact(snapshot).get().ok());
    close();
    ASSERT_TRUE(reopen().ok());  // an empty log beside it: everything is in the database
    const auto image = directory() + "/image";
    crash_image(directory(), image);
    const int refused =
        expect_no_flip_goes_unseen(image, "config.db", 97, snapshot, entries_of(11, 30));
    EXPECT_GT(refused, 50);
}

TEST_F(SqliteFaults, AFlippedBitInTheWriteAheadLogIsRefusedOrHarmless) {
    ASSERT_TRUE(reopen().ok());
    for (std::uint64_t seq = 1; seq <= 6; ++seq) ASSERT_TRUE(append(seq, seq).ok());
    const auto snapshot = entry_of(2, "one and two");
    ASSERT_TRUE(storage().compact(snapshot).get().ok());
    const auto image = directory() + "/image";
    crash_image(directory(), image);
    const int refused =
        expect_no_flip_goes_unseen(image, "config.db-wal", 563, snapshot, entries_of(3, 6));
    EXPECT_GT(refused, 100) << "SQLite alone takes a damaged frame for the end of its log";
}

TEST_F(SqliteFaults, DamageIsNamedWithTheEntryAndTheRemedyAndLeftAsItIs) {
    ASSERT_TRUE(reopen().ok());
    const std::string body(300, 'q');
    ASSERT_TRUE(storage().append({entry_of(1), entry_of(2, body), entry_of(3)}).get().ok());
    close();
    std::ifstream in{database(), std::ios::binary};
    std::string bytes{std::istreambuf_iterator<char>{in}, {}};
    in.close();
    flip(database(), bytes.find(body) + 100);
    for (int i = 0; i < 2; ++i) {
        const auto opened = reopen();
        ASSERT_FALSE(opened.ok());
        EXPECT_EQ(opened.error().code, Errc::data_loss);
        EXPECT_EQ(
            opened.error().message,
            database() +
                ": entry 2 does not match its checksum; restore a backup, or move the files of "
                "the storage away so that this instance fetches everything from its peer");
        EXPECT_EQ(append(4, 4).error().code, Errc::conflict) << "it is not open";
    }
    flip(database(), bytes.find(body) + 100);
    EXPECT_TRUE(storage().open().get().ok()) << "after the repair, in the same instance";
    EXPECT_EQ(storage().read(1, 9).get()->size(), 3u);
}

TEST_F(SqliteFaults, AnOlderDatabaseThanWhatWasDurableIsRefused) {
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 2).ok());
    close();
    fs::copy_file(database(), directory() + "/older");
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(3, 3).ok());
    close();
    fs::copy_file(directory() + "/older", database(), fs::copy_options::overwrite_existing);
    const auto opened = reopen();
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code, Errc::data_loss);
    EXPECT_NE(opened.error().message.find("has 1 commits, but 2 were durable"), std::string::npos)
        << opened.error().message;
    fs::remove(database() + ".mark");
    EXPECT_EQ(reopen()->last.seq, 2u) << "the operator may say that this is what is meant";
}

TEST_F(SqliteFaults, ALostDatabaseIsNotTakenForAFreshOne) {
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 2).ok());
    close();
    fs::remove(database());
    const auto opened = reopen();
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code, Errc::data_loss) << opened.error().message;
}

TEST_F(SqliteFaults, EveryFailedSyncOfACheckpointIsFinalAndLosesNothing) {
    // Of a log begun anew, of a commit in it; then, for the checkpoint, of the log, of the
    // database.
    for (int nth = 0; nth < 4; ++nth) {
        SCOPED_TRACE(nth);
        const TemporaryDirectory place;
        StorageDriver storage{file(), place.path(), {{"checkpoint_pages", 1}}};
        ASSERT_TRUE(storage.open().get().ok());
        ASSERT_TRUE(storage.append(entries_of(1, 2)).get().ok());
        syncs_left = nth;
        const auto answer = storage.append(entries_of(3, 3)).get();
        EXPECT_EQ(answer.ok(), nth > 1) << "durable before the checkpoint";
        ASSERT_LT(syncs_left, 0) << "there were fewer syncs";
        EXPECT_EQ(storage.append(entries_of(4, 4)).get().error().code, Errc::data_loss);
        ASSERT_TRUE(storage.stop().get().ok());
        StorageDriver next{file(), place.path()};
        const auto opened = next.open().get();
        ASSERT_TRUE(opened.ok()) << opened.error().message;
        EXPECT_GE(opened->last.seq, answer.ok() ? 3u : 2u);
        EXPECT_EQ(*next.read(1, 2).get(), entries_of(1, 2));
    }
}

TEST_F(SqliteFaults, AppendsInFlightShareASync) {
    ASSERT_TRUE(reopen().ok());
    constexpr std::uint64_t count = 300;
    const int before = syncs;
    std::vector<Pending<Done>> open;
    for (std::uint64_t seq = 1; seq <= count; ++seq)
        open.push_back(storage().append({entry_of(seq, "of little weight")}));
    for (const auto& pending : open) ASSERT_TRUE(pending.get().ok());
    EXPECT_LT(syncs - before, static_cast<int>(count / 2));
    EXPECT_GT(syncs - before, 0);
}

TEST_F(SqliteFaults, FileSizeLimitIsExhaustedWithoutASignalAndUsableAfterwards) {
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 5).ok());
    rlimit was{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &was), 0);
    const rlimit small{fs::file_size(database() + "-wal") + 100, was.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const auto full = append(6, 9);
    const auto compact = storage().compact(entry_of(5, std::string(50'000, 's'))).get();
    const auto install = storage().install(entry_of(5, std::string(50'000, 's'))).get();
    const auto readable = storage().read(1, 10).get();
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &was), 0);

    for (const auto& answer : {full, compact, install}) {
        ASSERT_FALSE(answer.ok());
        EXPECT_EQ(answer.error().code, Errc::exhausted) << answer.error().message;
        EXPECT_EQ(answer.error().sys_errno, EFBIG);
    }
    ASSERT_TRUE(readable.ok()) << readable.error().message;
    EXPECT_EQ(*readable, entries_of(1, 5));
    ASSERT_TRUE(append(6, 7).ok()) << "there is space again";
    ASSERT_TRUE(reopen().ok());
    EXPECT_EQ(*storage().read(1, 10).get(), entries_of(1, 7));
}

class SqliteOnASmallDisk : public StorageOnASmallDisk {
protected:
    void fill_to(std::uint64_t left) {
        const auto free = fs::space(directory()).available;
        std::ofstream{ballast(), std::ios::binary}
            << std::string(free > left ? free - left : 0, 'b');
    }
};

TEST_F(SqliteOnASmallDisk, FullAtEveryPageNothingIsHalfDone) {
    ASSERT_TRUE(reopen().ok());
    std::uint64_t last = 0;
    int refused = 0;
    for (std::uint64_t left = 0; left < 90'000; left += 4096) {
        SCOPED_TRACE(left);
        fill_to(left);
        const auto entry = entry_of(last + 1, std::string(20'000, 'e'));
        const auto answer = storage().append({entry}).get();
        if (answer.ok()) {
            ++last;
        } else {
            ++refused;
            EXPECT_EQ(answer.error().code, Errc::exhausted) << answer.error().message;
            EXPECT_EQ(answer.error().sys_errno, ENOSPC);
        }
        EXPECT_EQ(storage().read(1, 100).get()->size(), last);
        const auto opened = reopen();
        ASSERT_TRUE(opened.ok()) << "a full disk must not keep the log from being opened: "
                                 << opened.error().message;
        EXPECT_EQ(opened->last.seq, last);
        fs::remove(ballast());
    }
    EXPECT_GT(refused, 2);
    EXPECT_GT(last, 2u);
    ASSERT_TRUE(append(last + 1, last + 2).ok());
    EXPECT_EQ(reopen()->last.seq, last + 2);
}

TEST_F(SqliteFaults, ItKeepsADatabaseItsLogAMarkAndALock) {
    ASSERT_TRUE(reopen().ok());
    ASSERT_TRUE(append(1, 1).ok());
    const auto files = std::distance(fs::directory_iterator{directory()}, fs::directory_iterator{});
    EXPECT_EQ(files, 4);
}

TEST_F(SqliteFaults, NameOfTheFileIsAnOptionAndNoPath) {
    ASSERT_TRUE(reopen({{"file", "other.db"}}).ok());
    EXPECT_TRUE(fs::exists(directory() + "/other.db"));
    close();
    for (const char* name : {"", ".", "..", "../x", "/etc/x", "lock", "x?mode=ro"}) {
        const PluginInstance instance{file(), directory(), {{"file", name}}};
        EXPECT_EQ(instance.self(), nullptr) << name;
        EXPECT_EQ(instance.why().code, Errc::invalid) << name;
    }
}

}  // namespace
}  // namespace umbra::plugin_test
