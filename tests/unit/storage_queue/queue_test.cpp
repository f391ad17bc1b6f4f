#include <umbra/storage_queue/checks.hpp>
#include <umbra/storage_queue/checksum.hpp>

#include <gtest/gtest.h>

namespace umbra::storage_queue {
namespace {

LogEntry entry(std::uint64_t seq, std::size_t size = 3, std::uint64_t epoch = 1) {
    return {{seq, epoch, {}}, std::string(size, 'x')};
}

TEST(Checksum, IsThatOfTheCatalogueWhereverTheTextIsCut) {
    EXPECT_EQ(crc64("123456789"), 0x995dc9bbdf1939fau);
    EXPECT_EQ(crc64(""), 0u);
    const std::string text = "The checksum does not depend on how the text arrives.";
    for (std::size_t cut = 0; cut <= text.size(); ++cut)
        EXPECT_EQ(crc64(text.substr(cut), crc64(text.substr(0, cut))), crc64(text));
}

TEST(Checksum, EveryBitOfAnEntryCounts) {
    auto changed = entry(5, 20);
    const auto sum = checksum(changed);
    for (int bit = 0; bit < 64; ++bit) {
        changed.position.seq ^= std::uint64_t{1} << bit;
        EXPECT_NE(checksum(changed), sum);
        changed.position.seq ^= std::uint64_t{1} << bit;
        changed.position.epoch ^= std::uint64_t{1} << bit;
        EXPECT_NE(checksum(changed), sum);
        changed.position.epoch ^= std::uint64_t{1} << bit;
    }
    for (auto& byte : changed.position.hash) {
        byte ^= std::byte{1};
        EXPECT_NE(checksum(changed), sum);
        byte ^= std::byte{1};
    }
    for (auto& byte : changed.body) {
        byte = static_cast<char>(byte ^ 64);
        EXPECT_NE(checksum(changed), sum);
        byte = static_cast<char>(byte ^ 64);
    }
    EXPECT_EQ(checksum(changed), sum);
}

TEST(Checks, AppendFollowsWithoutAGapAndWithinTheLimits) {
    const LogPosition last{4, 1, {}};
    EXPECT_TRUE(check_append(last, {}).ok());
    EXPECT_TRUE(check_append(last, {entry(5), entry(6)}).ok());
    EXPECT_EQ(check_append(last, {entry(4)}).error().code, Errc::conflict);
    EXPECT_EQ(check_append(last, {entry(6)}).error().code, Errc::conflict);
    EXPECT_EQ(check_append(last, {entry(5), entry(7)}).error().code, Errc::conflict);
    EXPECT_TRUE(check_append(last, {entry(5, entry_body_max)}).ok());
    EXPECT_EQ(check_append(last, {entry(5, entry_body_max + 1)}).error().code, Errc::invalid);
    EXPECT_TRUE(check_append({seq_max - 1, 1, {}}, {entry(seq_max)}).ok());
    EXPECT_EQ(check_append({seq_max, 1, {}}, {entry(seq_max + 1)}).error().code, Errc::conflict);
}

TEST(Checks, SnapshotHasAPositionAndASize) {
    EXPECT_EQ(check_snapshot(entry(0)).error().code, Errc::invalid);
    EXPECT_TRUE(check_snapshot(entry(seq_max)).ok());
    EXPECT_EQ(check_snapshot(entry(seq_max + 1)).error().code, Errc::invalid);
    EXPECT_TRUE(check_snapshot(entry(1, snapshot_body_max)).ok());
    EXPECT_EQ(check_snapshot(entry(1, snapshot_body_max + 1)).error().code, Errc::invalid);
}

TEST(Checks, TruncateKeepsTheSnapshot) {
    const Extent extent{{3, 1, {}}, {8, 1, {}}};
    EXPECT_FALSE(check_truncate(extent, 8).value());
    EXPECT_FALSE(check_truncate(extent, 9).value());
    EXPECT_TRUE(check_truncate(extent, 7).value());
    EXPECT_TRUE(check_truncate(extent, 3).value());
    EXPECT_EQ(check_truncate(extent, 2).error().code, Errc::conflict);
}

TEST(Checks, CompactOnlyToWhatTheLogHas) {
    const Extent extent{{3, 1, {}}, {8, 1, {}}};
    const auto known = [](std::uint64_t seq, std::uint64_t epoch = 1) {
        return LogPosition{seq, epoch, {}};
    };
    EXPECT_TRUE(check_compact(extent, entry(3), {}).ok());
    EXPECT_TRUE(check_compact(extent, entry(8), known(8)).ok());
    EXPECT_EQ(check_compact(extent, entry(2), {}).error().code, Errc::conflict);
    EXPECT_EQ(check_compact(extent, entry(9), {}).error().code, Errc::conflict);
    EXPECT_EQ(check_compact(extent, entry(5), {}).error().code, Errc::conflict);
    EXPECT_EQ(check_compact(extent, entry(5), known(5, 2)).error().code, Errc::conflict);
    EXPECT_EQ(check_compact(extent, entry(3, 3, 2), {}).error().code, Errc::conflict);
}

}  // namespace
}  // namespace umbra::storage_queue
