#include "entries.hpp"
#include "memory_disk.hpp"
#include <umbra/file_storage/log_store.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace umbra::file_storage {
namespace {

/// What a log holds.
struct Content {
    LogEntry snapshot;
    std::vector<LogEntry> entries;

    bool operator==(const Content&) const = default;
};

Content content_of(LogStore& store) {
    auto snapshot = store.read_snapshot();
    auto entries = store.read(0, SIZE_MAX);
    EXPECT_TRUE(snapshot.ok() && entries.ok());
    if (!snapshot.ok() || !entries.ok()) return {};
    return {*snapshot, *entries};
}

/// One step of a run: what it does, and what a log holds that has taken it.
struct Step {
    std::function<Result<Done>(LogStore&)> act;
    std::function<void(Content&)> apply;
    bool is_append = false;
};

std::vector<LogEntry> batch(std::uint64_t first, std::uint64_t last, std::size_t size) {
    std::vector<LogEntry> entries;
    for (auto seq = first; seq <= last; ++seq)
        entries.push_back(
            entry_of(seq, std::string(size + seq, static_cast<char>('a' + seq % 26))));
    return entries;
}

Step append(const std::vector<LogEntry>& entries) {
    return {[entries](LogStore& store) {
                // As the worker does: several calls, one write.
                for (const auto& entry : entries)
                    if (auto staged = store.stage({entry}); !staged.ok()) return staged;
                return store.commit();
            },
            [entries](Content& content) {
                content.entries.insert(content.entries.end(), entries.begin(), entries.end());
            },
            true};
}
Step truncate(std::uint64_t seq) {
    return {[seq](LogStore& store) { return store.truncate(seq); },
            [seq](Content& content) {
                std::erase_if(content.entries,
                              [seq](const LogEntry& entry) { return entry.position.seq > seq; });
            }};
}
Step compact(const LogEntry& snapshot) {
    return {[snapshot](LogStore& store) { return store.compact(snapshot); },
            [snapshot](Content& content) {
                content.snapshot = snapshot;
                std::erase_if(content.entries, [&](const LogEntry& entry) {
                    return entry.position.seq <= snapshot.position.seq;
                });
            }};
}
Step install(const LogEntry& snapshot) {
    return {[snapshot](LogStore& store) { return store.install(snapshot); },
            [snapshot](Content& content) {
                content = {snapshot, {}};
            }};
}

const std::vector<Step>& steps() {
    static const std::vector<Step> all{
        append(batch(1, 1, 20)),
        append(batch(2, 4, 300)),
        append(batch(5, 5, 2000)),
        truncate(4),
        append(batch(5, 8, 150)),
        compact(entry_of(6, "to six")),
        append(batch(9, 9, 10)),
        append(batch(10, 20, 90)),
        truncate(8),
        append(batch(9, 9, 5000)),
        install(entry_of(30)),
        append(batch(31, 33, 700)),
        compact(entry_of(33, "all")),
        append(batch(34, 34, 1)),
    };
    return all;
}

/// True when `now` is `before`, or that and a first part of what `step` adds, or all of `step`.
bool is_possible(const Content& now, const Content& before, const Step* step) {
    if (now == before) return true;
    if (step == nullptr) return false;
    auto after = before;
    step->apply(after);
    if (!step->is_append) return now == after;
    if (now.entries.size() < before.entries.size()) return false;
    after.entries.resize(std::min(after.entries.size(), now.entries.size()));
    return now == after;
}

/// Runs until a step fails. @return That step; null when all succeeded.
const Step* run(LogStore& store, Content& acknowledged, Error* error = nullptr) {
    for (const auto& step : steps()) {
        const auto done = step.act(store);
        if (!done.ok()) {
            if (error != nullptr) *error = done.error();
            return &step;
        }
        step.apply(acknowledged);
    }
    return nullptr;
}

int calls_of_a_whole_run() {
    MemoryDisk disk;
    LogStore store{disk};
    Content content;
    EXPECT_TRUE(store.open().ok());
    EXPECT_EQ(run(store, content), nullptr);
    EXPECT_EQ(content_of(store), content);
    return disk.calls();
}

TEST(LogStore, PowerLossAtEveryCallKeepsWhatWasAcknowledged) {
    const int calls = calls_of_a_whole_run();
    ASSERT_GT(calls, 40);
    int torn = 0;
    for (int at = 0; at <= calls; ++at) {
        for (unsigned seed = 0; seed < 60; ++seed) {
            SCOPED_TRACE("power lost at call " + std::to_string(at) + ", seed " +
                         std::to_string(seed));
            MemoryDisk disk;
            // From that call on nothing reaches the disk any more.
            disk.fault = [at](int call) { return call >= at ? EIO : 0; };
            Content acknowledged;
            const Step* interrupted = nullptr;
            {
                LogStore store{disk};
                if (store.open().ok()) interrupted = run(store, acknowledged);
            }
            std::mt19937 random{seed};
            disk.lose_power(random);

            LogStore store{disk};
            const auto opened = store.open();
            ASSERT_TRUE(opened.ok()) << opened.error().message;
            if (!opened->detail.empty()) ++torn;
            const auto now = content_of(store);
            ASSERT_TRUE(is_possible(now, acknowledged, interrupted))
                << now.entries.size() << " entries, acknowledged " << acknowledged.entries.size();
            // And it goes on from there.
            const auto next = opened->last.seq + 1;
            ASSERT_TRUE(store.stage({entry_of(next)}).ok());
            ASSERT_TRUE(store.commit().ok());
            (void)store.close();
            disk.lose_power(random);
            const auto again = store.open();
            ASSERT_TRUE(again.ok()) << again.error().message;
            ASSERT_EQ(again->last.seq, next);
        }
    }
    EXPECT_GT(torn, 100) << "the test met too few torn tails to mean something";
}

TEST(LogStore, FullDiskAtEveryCallIsRefusedCleanlyOrIsDataLoss) {
    const int calls = calls_of_a_whole_run();
    int refused = 0;
    constexpr int seeds = 16;
    for (int i = 0; i < 2 * seeds * calls; ++i) {
        const int at = i / 2 / seeds;
        SCOPED_TRACE("full at call " + std::to_string(at));
        MemoryDisk disk;
        disk.writes_back_at_once = i % 2 == 1;
        disk.fault = [at](int call) { return call == at ? ENOSPC : 0; };
        Content acknowledged;
        Error error;
        LogStore store{disk};
        const auto opened = store.open();
        if (!opened.ok()) {
            // A full disk at the first start; later there is space.
            if (opened.error().code == Errc::data_loss) continue;
            EXPECT_TRUE(store.open().ok());
            continue;
        }
        const auto* failed = run(store, acknowledged, &error);
        if (failed == nullptr) continue;
        std::mt19937 random{static_cast<unsigned>(i)};
        if (error.code == Errc::data_loss) {
            EXPECT_EQ(store.commit().error().code, Errc::data_loss);
            disk.lose_power(random);
            LogStore next{disk};
            ASSERT_TRUE(next.open().ok());
            EXPECT_TRUE(is_possible(content_of(next), acknowledged, failed));
            continue;
        }
        ++refused;
        EXPECT_EQ(error.code, Errc::exhausted) << error.message;
        EXPECT_EQ(content_of(store), acknowledged) << "a refused step changes nothing";
        (void)store.close();
        disk.lose_power(random);
        ASSERT_TRUE(store.open().ok());
        EXPECT_EQ(content_of(store), acknowledged) << "what was refused does not come back";
        ASSERT_TRUE(failed->act(store).ok()) << "the same step, when there is space";
    }
    EXPECT_GT(refused, 20 * seeds);
}

std::uint64_t size_of_log(MemoryDisk& disk) {
    const int fd = disk.open(log_name, Disk::Open::existing);
    const auto size = disk.size(fd);
    disk.close(fd);
    return static_cast<std::uint64_t>(size);
}

TEST(LogStore, RoomIsWrittenAheadOnceUsedUpAndCutOffAtTheClose) {
    MemoryDisk disk;
    LogStore store{disk};
    ASSERT_TRUE(store.open().ok());
    const auto add = [&](std::uint64_t seq, std::size_t body) {
        ASSERT_TRUE(store.stage({entry_of(seq, std::string(body, 'b'))}).ok());
        ASSERT_TRUE(store.commit().ok());
    };
    constexpr auto around = record_header_size + record_trailer_size;
    add(1, 100);
    auto end = file_header_size + around + 100;
    const auto room_end = end + room_size;
    EXPECT_EQ(size_of_log(disk), room_end);
    add(2, room_size - around - 1);
    end += room_size - 1;
    EXPECT_EQ(size_of_log(disk), room_end) << "one byte of the room is left";
    add(3, 10);
    end += around + 10;
    EXPECT_EQ(size_of_log(disk), end + room_size);
    add(4, room_size - around);
    end += room_size;
    EXPECT_EQ(size_of_log(disk), end + room_size) << "the last room was filled to its end";
    (void)store.close();
    EXPECT_EQ(size_of_log(disk), end);
    ASSERT_TRUE(store.open().ok());
    EXPECT_EQ(store.read(0, 10)->size(), 4u);
}

TEST(LogStore, NoSpaceForRoomIsNoErrorAndKeepsNoneFromOthers) {
    MemoryDisk disk;
    LogStore store{disk};
    ASSERT_TRUE(store.open().ok());
    const int writes_of_records = disk.calls();
    disk.fault = [&](int call) { return call == writes_of_records + 1 ? ENOSPC : 0; };
    ASSERT_TRUE(store.stage({entry_of(1, "body")}).ok());
    ASSERT_TRUE(store.commit().ok());
    const auto record = record_header_size + 4 + record_trailer_size;
    EXPECT_EQ(size_of_log(disk), file_header_size + record);
    ASSERT_TRUE(store.stage({entry_of(2, "body")}).ok());
    ASSERT_TRUE(store.commit().ok());
    EXPECT_EQ(size_of_log(disk), file_header_size + 2 * record) << "nor tried with every append";
    ASSERT_TRUE(store.compact(entry_of(1, "all")).ok());
    ASSERT_TRUE(store.stage({entry_of(3, "body")}).ok());
    ASSERT_TRUE(store.commit().ok());
    EXPECT_GT(size_of_log(disk), room_size) << "tried again with a new file";
}

TEST(LogStore, StagedEntriesAreAllOrNothing) {
    MemoryDisk disk;
    LogStore store{disk};
    ASSERT_TRUE(store.open().ok());
    ASSERT_TRUE(store.stage({entry_of(1), entry_of(2)}).ok());
    EXPECT_EQ(store.stage({entry_of(3), entry_of(5)}).error().code, Errc::conflict);
    ASSERT_TRUE(store.stage({entry_of(3)}).ok());
    EXPECT_TRUE(store.read(0, 10)->empty()) << "nothing before the commit";
    ASSERT_TRUE(store.commit().ok());
    EXPECT_EQ(store.read(0, 10)->size(), 3u);
    ASSERT_TRUE(store.stage({entry_of(4)}).ok());
    store.drop_stage();
    ASSERT_TRUE(store.commit().ok());
    EXPECT_EQ(store.read(0, 10)->size(), 3u);
}

TEST(LogStore, SnapshotBodyLimitHolds) {
    MemoryDisk disk;
    LogStore store{disk};
    ASSERT_TRUE(store.open().ok());
    EXPECT_EQ(store.install(entry_of(1, std::string(snapshot_body_max + 1, 's'))).error().code,
              Errc::invalid);
    const auto largest = entry_of(1, std::string(snapshot_body_max, 's'));
    ASSERT_TRUE(store.install(largest).ok());
    (void)store.close();
    ASSERT_TRUE(store.open().ok());
    EXPECT_TRUE(*store.read_snapshot() == largest);
}

TEST(LogStore, CompactWithAnotherEntryOfThatNumberIsAConflict) {
    MemoryDisk disk;
    LogStore store{disk};
    ASSERT_TRUE(store.open().ok());
    ASSERT_TRUE(store.stage(batch(1, 5, 10)).ok());
    ASSERT_TRUE(store.commit().ok());
    EXPECT_EQ(store.compact(entry_of(3, "of a fork", 9)).error().code, Errc::conflict);
    EXPECT_TRUE(store.compact(entry_of(3, "ours")).ok());
}

}  // namespace
}  // namespace umbra::file_storage
