#include "integration/plugin/storage_conformance.hpp"

#include "integration/plugin/storage_driver.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>

namespace umbra::plugin_test {
namespace {

class StorageConformance : public ::testing::Test {
protected:
    static const PluginFile& file() {
        static const PluginFile file{storage_under_test().file, UMBRA_KIND_STORAGE};
        return file;
    }
    /// Ends the storage that is open, if any, and opens another one on the same directory.
    StorageOpened reopen() {
        storage_.reset();
        storage_.emplace(file(), directory_.path(), storage_under_test().options);
        const auto opened = storage_->open().get();
        EXPECT_TRUE(opened.ok()) << opened.error().message;
        return opened.ok() ? opened.value() : StorageOpened{};
    }
    StorageDriver& storage() { return *storage_; }

    void expect_content(const LogEntry& snapshot, const std::vector<LogEntry>& entries) {
        const auto read_snapshot = storage().read_snapshot().get();
        ASSERT_TRUE(read_snapshot.ok()) << read_snapshot.error().message;
        EXPECT_EQ(*read_snapshot, snapshot);
        const auto read = storage().read(1, entries.size() + 10).get();
        ASSERT_TRUE(read.ok()) << read.error().message;
        EXPECT_TRUE(*read == entries) << read->size() << " instead of " << entries.size();
    }
    /// Now, and after a restart.
    void expect_durable_content(const LogEntry& snapshot, const std::vector<LogEntry>& entries) {
        expect_content(snapshot, entries);
        const auto opened = reopen();
        EXPECT_EQ(opened.snapshot, snapshot.position);
        EXPECT_EQ(opened.last, entries.empty() ? snapshot.position : entries.back().position);
        EXPECT_EQ(opened.detail, "");
        expect_content(snapshot, entries);
    }
    static void expect_error(const Result<Done>& answer, Errc code) {
        ASSERT_FALSE(answer.ok());
        EXPECT_EQ(answer.error().code, code) << answer.error().message;
        EXPECT_NE(answer.error().message, "");
    }
    static void expect_ok(const Result<Done>& answer) {
        EXPECT_TRUE(answer.ok()) << answer.error().message;
    }

    TemporaryDirectory directory_;
    std::optional<StorageDriver> storage_;
};

TEST_F(StorageConformance, FreshStorageIsEmpty) {
    const auto opened = reopen();
    EXPECT_EQ(opened.last, LogPosition{});
    EXPECT_EQ(opened.snapshot, LogPosition{});
    expect_durable_content({}, {});
}

TEST_F(StorageConformance, NothingWorksBeforeOpen) {
    storage_.emplace(file(), directory_.path(), storage_under_test().options);
    expect_error(storage().append(entries_of(1, 1)).get(), Errc::conflict);
    expect_error(storage().truncate(0).get(), Errc::conflict);
    expect_error(storage().install(entry_of(1)).get(), Errc::conflict);
    expect_error(storage().compact(entry_of(1)).get(), Errc::conflict);
    EXPECT_FALSE(storage().read(1, 1).get().ok());
    EXPECT_FALSE(storage().read_snapshot().get().ok());
    EXPECT_TRUE(storage().open().get().ok());
    EXPECT_FALSE(storage().open().get().ok()) << "a second time";
    expect_ok(storage().append(entries_of(1, 1)).get());
}

TEST_F(StorageConformance, AppendedEntriesAreThereAfterARestart) {
    reopen();
    expect_ok(storage().append({entry_of(1)}).get());
    expect_ok(storage().append(entries_of(2, 5)).get());
    expect_ok(storage().append({}).get());
    expect_durable_content({}, entries_of(1, 5));
    expect_ok(storage().append(entries_of(6, 7)).get());
    expect_durable_content({}, entries_of(1, 7));
}

TEST_F(StorageConformance, BodiesOfAllKindsComeBack) {
    reopen();
    std::string every_byte;
    for (int i = 0; i < 256; ++i) every_byte.push_back(static_cast<char>(i));
    const std::vector<LogEntry> entries{entry_of(1, ""), entry_of(2, every_byte),
                                        entry_of(3, std::string(10'000, '\0')),
                                        entry_of(4, std::string(1'000'000, 'm'))};
    expect_ok(storage().append(entries).get());
    expect_durable_content({}, entries);
}

TEST_F(StorageConformance, AppendWithAGapIsAConflictAndChangesNothing) {
    reopen();
    expect_error(storage().append({entry_of(2)}).get(), Errc::conflict);
    expect_error(storage().append({entry_of(0)}).get(), Errc::conflict);
    expect_ok(storage().append(entries_of(1, 3)).get());
    expect_error(storage().append({entry_of(3)}).get(), Errc::conflict);
    expect_error(storage().append({entry_of(5)}).get(), Errc::conflict);
    expect_error(storage().append({entry_of(4), entry_of(6)}).get(), Errc::conflict);
    expect_error(storage().append({entry_of(4), entry_of(4)}).get(), Errc::conflict);
    expect_durable_content({}, entries_of(1, 3));
    expect_ok(storage().append({entry_of(4)}).get());
    expect_durable_content({}, entries_of(1, 4));
}

TEST_F(StorageConformance, EntryBodyOfFourMebibytesIsStoredAndOneByteMoreIsRefused) {
    constexpr std::size_t body_max = std::size_t{4} << 20;
    reopen();
    expect_error(storage().append({entry_of(1, std::string(body_max + 1, 'x'))}).get(),
                 Errc::invalid);
    const auto largest = entry_of(1, std::string(body_max, 'x'));
    expect_ok(storage().append({largest}).get());
    expect_durable_content({}, {largest});
}

TEST_F(StorageConformance, AppendsInFlightCompleteInOrderAndAConflictStopsNoOther) {
    reopen();
    constexpr std::uint64_t count = 500;
    std::atomic<std::uint64_t> answered{0};
    std::atomic<bool> in_order{true};
    std::vector<Pending<Done>> open;
    for (std::uint64_t i = 1; i <= count; ++i) {
        open.push_back(storage().append({entry_of(i)}, [&, i](const Result<Done>&) {
            if (answered.exchange(i) != i - 1) in_order = false;
        }));
        if (i % 50 == 0) open.push_back(storage().append({entry_of(i)}));
    }
    std::size_t conflicts = 0;
    for (const auto& pending : open) {
        const auto answer = pending.get();
        if (answer.ok()) continue;
        EXPECT_EQ(answer.error().code, Errc::conflict);
        ++conflicts;
    }
    EXPECT_EQ(conflicts, count / 50);
    EXPECT_TRUE(in_order);
    expect_durable_content({}, entries_of(1, count));
}

TEST_F(StorageConformance, ReadGivesTheAskedRange) {
    reopen();
    expect_ok(storage().append(entries_of(1, 20)).get());
    const auto expect_read = [&](std::uint64_t from, std::size_t max, std::uint64_t first,
                                 std::uint64_t last) {
        const auto read = storage().read(from, max).get();
        ASSERT_TRUE(read.ok()) << read.error().message;
        EXPECT_EQ(*read, entries_of(first, last)) << from << " " << max;
    };
    expect_read(1, 20, 1, 20);
    expect_read(0, 5, 1, 5);
    expect_read(7, 3, 7, 9);
    expect_read(20, 100, 20, 20);
    expect_read(21, 5, 1, 0);
    expect_read(UINT64_MAX, SIZE_MAX, 1, 0);
    expect_read(5, 0, 1, 0);
}

TEST_F(StorageConformance, TruncateCutsWhatIsBehindAndAppendGoesOnFromThere) {
    reopen();
    expect_ok(storage().append(entries_of(1, 9)).get());
    expect_ok(storage().truncate(9).get());
    expect_ok(storage().truncate(12).get());
    expect_durable_content({}, entries_of(1, 9));
    expect_ok(storage().truncate(6).get());
    expect_durable_content({}, entries_of(1, 6));
    expect_error(storage().append({entry_of(10)}).get(), Errc::conflict);
    const auto other = entry_of(7, "of another epoch", 2);
    expect_ok(storage().append({other}).get());
    auto entries = entries_of(1, 6);
    entries.push_back(other);
    expect_durable_content({}, entries);
    expect_ok(storage().truncate(0).get());
    expect_durable_content({}, {});
    expect_ok(storage().append({entry_of(1)}).get());
    expect_durable_content({}, entries_of(1, 1));
}

TEST_F(StorageConformance, InstallReplacesEverything) {
    reopen();
    const auto snapshot = entry_of(100, "everything up to a hundred");
    expect_ok(storage().append(entries_of(1, 5)).get());
    expect_ok(storage().install(snapshot).get());
    expect_durable_content(snapshot, {});
    expect_error(storage().append({entry_of(6)}).get(), Errc::conflict);
    expect_ok(storage().append(entries_of(101, 103)).get());
    expect_durable_content(snapshot, entries_of(101, 103));
    const auto older = entry_of(50, "of a higher epoch", 2);
    expect_ok(storage().install(older).get());
    expect_durable_content(older, {});
}

TEST_F(StorageConformance, CompactKeepsWhatIsBehindTheSnapshot) {
    reopen();
    expect_ok(storage().append(entries_of(1, 10)).get());
    const auto snapshot = entry_of(6, "one to six");
    expect_ok(storage().compact(snapshot).get());
    expect_durable_content(snapshot, entries_of(7, 10));
    expect_ok(storage().append({entry_of(11)}).get());
    const auto all = entry_of(11, "one to eleven");
    expect_ok(storage().compact(all).get());
    expect_durable_content(all, {});
    expect_ok(storage().append({entry_of(12)}).get());
    expect_durable_content(all, entries_of(12, 12));
}

TEST_F(StorageConformance, CompactToWhatIsNotThereIsAConflict) {
    reopen();
    expect_error(storage().compact(entry_of(1)).get(), Errc::conflict);
    expect_ok(storage().append(entries_of(1, 10)).get());
    expect_error(storage().compact(entry_of(11)).get(), Errc::conflict);
    const auto snapshot = entry_of(6, "one to six");
    expect_ok(storage().compact(snapshot).get());
    expect_error(storage().compact(entry_of(5)).get(), Errc::conflict);
    expect_durable_content(snapshot, entries_of(7, 10));
}

TEST_F(StorageConformance, TruncateIntoTheSnapshotIsAConflict) {
    reopen();
    expect_ok(storage().append(entries_of(1, 10)).get());
    const auto snapshot = entry_of(6, "one to six");
    expect_ok(storage().compact(snapshot).get());
    expect_error(storage().truncate(5).get(), Errc::conflict);
    expect_durable_content(snapshot, entries_of(7, 10));
    expect_ok(storage().truncate(6).get());
    expect_durable_content(snapshot, {});
}

TEST_F(StorageConformance, SnapshotWithoutAPositionIsInvalid) {
    reopen();
    expect_error(storage().install({{}, "of nothing"}).get(), Errc::invalid);
    expect_error(storage().compact({{}, "of nothing"}).get(), Errc::invalid);
    expect_durable_content({}, {});
}

TEST_F(StorageConformance, TenThousandEntriesComeBack) {
    reopen();
    constexpr std::uint64_t count = 10'000;
    std::vector<Pending<Done>> open;
    for (std::uint64_t seq = 1; seq <= count; seq += 10)
        open.push_back(storage().append(entries_of(seq, seq + 9)));
    for (const auto& pending : open) ASSERT_TRUE(pending.get().ok());
    expect_durable_content({}, entries_of(1, count));
    const auto snapshot = entry_of(count - 10, "nearly everything");
    expect_ok(storage().compact(snapshot).get());
    expect_durable_content(snapshot, entries_of(count - 9, count));
}

TEST_F(StorageConformance, SecondOpenerIsRefusedAndTheFirstGoesOn) {
    if (!storage_under_test().locks_directory) GTEST_SKIP() << "this storage can be shared";
    reopen();
    expect_ok(storage().append({entry_of(1)}).get());
    StorageDriver second{file(), directory_.path(), storage_under_test().options};
    const auto refused = second.open().get();
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.error().message.find(directory_.path()), std::string::npos);
    EXPECT_NE(refused.error().message.find("process " + std::to_string(::getpid())),
              std::string::npos)
        << refused.error().message;
    expect_ok(storage().append({entry_of(2)}).get());
    storage_.reset();
    EXPECT_TRUE(second.open().get().ok()) << "when the first is gone";
}

TEST_F(StorageConformance, StopAnswersEveryOpenOperation) {
    for (int round = 0; round < 20; ++round) {
        reopen();
        const auto last = storage().read(1, SIZE_MAX).get()->size();
        std::vector<Pending<Done>> open;
        for (std::uint64_t i = 1; i <= 100; ++i)
            open.push_back(storage().append({entry_of(last + i)}));
        const auto stopped = storage().stop();
        EXPECT_TRUE(stopped.get().ok());
        std::size_t stored = 0;
        for (const auto& pending : open) {
            ASSERT_TRUE(pending.ready()) << "answered after stop() was";
            const auto answer = pending.get();
            if (answer.ok()) {
                ++stored;
            } else {
                EXPECT_EQ(answer.error().code, Errc::closed) << answer.error().message;
            }
        }
        EXPECT_EQ(reopen().last.seq, last + stored);
    }
}

}  // namespace
}  // namespace umbra::plugin_test
