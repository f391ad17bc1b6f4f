#include "entries.hpp"
#include <umbra/file_storage/scan.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <optional>
#include <string>
#include <vector>

namespace umbra::file_storage {
namespace {

class Bytes final : public Source {
public:
    explicit Bytes(std::string bytes) : bytes_(std::move(bytes)) {}
    [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
    int read(std::uint64_t offset, char* out, std::size_t count) override {
        if (offset + count > bytes_.size()) return ERANGE;
        std::memcpy(out, bytes_.data() + offset, count);
        return 0;
    }

private:
    std::string bytes_;
};

Result<Scanned> scan_bytes(const std::string& bytes) {
    Bytes source{bytes};
    return scan(source);
}

/// A log as the store writes it: sealed part, then batches.
class Log {
public:
    explicit Log(std::optional<LogEntry> snapshot = {}) {
        header.id = 0xabcdef;
        std::string record;
        if (snapshot) {
            append_record(record, header, file_header_size, RecordKind::snapshot, *snapshot, 0);
            last = snapshot->position.seq;
        }
        header.sealed = file_header_size + record.size();
        bytes = encode_file_header(header) + record;
    }
    Log& batch(const std::vector<std::string>& bodies) {
        const auto synced = bytes.size();
        for (const auto& body : bodies) {
            offsets.push_back(bytes.size());
            std::string record;
            append_record(record, header, bytes.size(), RecordKind::entry, entry_of(++last, body),
                          synced);
            bytes += record;
        }
        return *this;
    }

    FileHeader header;
    std::string bytes;
    std::uint64_t last = 0;
    std::vector<std::uint64_t> offsets;
};

Log several_records() {
    return Log{entry_of(40, "the snapshot")}
        .batch({"first"})
        .batch({"second", "third"})
        .batch({std::string(700, 'x')});
}

TEST(Scan, IntactLogIsReadWhole) {
    const auto log = several_records();
    const auto scanned = scan_bytes(log.bytes);
    ASSERT_TRUE(scanned.ok()) << scanned.error().message;
    EXPECT_EQ(scanned->torn, 0u);
    EXPECT_EQ(scanned->index.snapshot, position_of(40));
    EXPECT_EQ(scanned->index.last, position_of(44));
    EXPECT_EQ(scanned->index.offsets, log.offsets);
    EXPECT_EQ(scanned->index.end, log.bytes.size());
}

TEST(Scan, EveryTruncationKeepsTheWholeRecordsOrIsRefused) {
    const auto log = several_records();
    for (std::size_t size = 0; size < log.bytes.size(); ++size) {
        const auto scanned = scan_bytes(log.bytes.substr(0, size));
        if (size < log.header.sealed) {
            ASSERT_FALSE(scanned.ok()) << size;
            EXPECT_EQ(scanned.error().code, Errc::data_loss);
            continue;
        }
        ASSERT_TRUE(scanned.ok()) << size << ": " << scanned.error().message;
        std::size_t whole = 0;
        std::uint64_t end = log.header.sealed;
        while (whole < log.offsets.size()) {
            const auto next =
                whole + 1 < log.offsets.size() ? log.offsets[whole + 1] : log.bytes.size();
            if (next > size) break;
            end = next;
            ++whole;
        }
        EXPECT_EQ(scanned->index.last.seq, 40 + whole) << size;
        EXPECT_EQ(scanned->index.end, end);
        EXPECT_EQ(scanned->torn, size - end);
    }
}

TEST(Scan, EveryFlippedBitIsDamageAndNoRecordIsLostSilently) {
    const auto log = several_records();
    for (std::size_t bit = 0; bit < log.bytes.size() * 8; ++bit) {
        auto flipped = log.bytes;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        for (const std::size_t room : {0u, 3000u}) {
            const auto scanned = scan_bytes(flipped + std::string(room, '\0'));
            ASSERT_FALSE(scanned.ok()) << "bit " << bit % 8 << " of byte " << bit / 8;
            ASSERT_EQ(scanned.error().code, Errc::data_loss) << scanned.error().message;
        }
    }
}

TEST(Scan, DamageIsNamedByOffsetAndLastGoodEntry) {
    auto log = several_records();
    log.bytes[log.offsets[1] + record_header_size] ^= 1;
    const auto scanned = scan_bytes(log.bytes);
    ASSERT_FALSE(scanned.ok());
    EXPECT_EQ(scanned.error().message, "the record at offset " + std::to_string(log.offsets[1]) +
                                           ", after entry 41, does not match its checksum");
}

TEST(Scan, TailOfZerosIsRoom) {
    // Written ahead, or left by a file system that made the length durable before the data.
    const auto log = several_records();
    for (const std::size_t zeros : {1u, 75u, 76u, 77u, 511u, 512u, 4096u, 3'000'000u}) {
        const auto scanned = scan_bytes(log.bytes + std::string(zeros, '\0'));
        ASSERT_TRUE(scanned.ok()) << zeros << ": " << scanned.error().message;
        EXPECT_EQ(scanned->index.last.seq, 44u);
        EXPECT_EQ(scanned->torn, 0u);
        EXPECT_EQ(scanned->room, zeros);
    }
}

TEST(Scan, EveryUnwrittenSectorOfTheLastBatchIsTornAndTheRestStays) {
    Log log;
    log.batch({"before"});
    const auto durable = log.bytes.size();
    log.batch({std::string(300, 'a'), std::string(1500, 'b'), std::string(20, 'c'), "d"});
    for (std::size_t sector = durable / 512 * 512; sector < log.bytes.size(); sector += 512) {
        auto torn = log.bytes;
        const auto from = std::max(sector, durable);
        const auto to = std::min(sector + 512, torn.size());
        torn.replace(from, to - from, to - from, '\0');
        const auto scanned = scan_bytes(torn);
        ASSERT_TRUE(scanned.ok()) << sector << ": " << scanned.error().message;
        EXPECT_GE(scanned->index.last.seq, 1u);
        EXPECT_LT(scanned->index.last.seq, 5u);
        EXPECT_LE(scanned->index.end, from);
        EXPECT_EQ(scanned->index.end + scanned->torn + scanned->room, torn.size());
    }
}

TEST(Scan, WriteThatEndedAnywhereInTheRoomIsTornAndTheRestStays) {
    Log log;
    log.batch({"before"});
    const auto durable = log.bytes.size();
    log.batch({std::string(300, 'a'), std::string(700, 'b'), "c"});
    for (auto end = durable; end < log.bytes.size(); ++end) {
        const auto scanned = scan_bytes(log.bytes.substr(0, end) + std::string(5000, '\0'));
        ASSERT_TRUE(scanned.ok()) << end << ": " << scanned.error().message;
        EXPECT_LE(scanned->index.end, end);
        EXPECT_EQ(scanned->index.end + scanned->torn + scanned->room, end + 5000);
        EXPECT_EQ(scanned->torn == 0, scanned->index.end == end);
    }
}

TEST(Scan, UnwrittenSectorInABatchThatWasDurableIsDamage) {
    Log log;
    log.batch({std::string(2000, 'a')}).batch({"after"});
    for (std::size_t sector = 512; sector < 2048; sector += 512) {
        auto hole = log.bytes;
        hole.replace(sector, 512, 512, '\0');
        const auto scanned = scan_bytes(hole);
        ASSERT_FALSE(scanned.ok()) << sector;
        EXPECT_EQ(scanned.error().code, Errc::data_loss);
    }
}

TEST(Scan, UnwrittenSectorInWhatTheFileBeganWithIsDamage) {
    // Nothing behind it says that it was durable; that the file is in its place does.
    const Log log{entry_of(9, std::string(2000, 's'))};
    for (std::size_t sector = 512; sector < 2048; sector += 512) {
        auto hole = log.bytes;
        hole.replace(sector, 512, 512, '\0');
        const auto scanned = scan_bytes(hole);
        ASSERT_FALSE(scanned.ok()) << sector;
        EXPECT_EQ(scanned.error().code, Errc::data_loss);
    }
}

TEST(Scan, ProofOfDurabilityIsFoundFarBehindTheDamage) {
    Log log;
    log.batch({std::string(2000, 'a')});
    for (int i = 0; i < 3; ++i) log.batch({std::string(entry_body_max - 5, 'z')});
    // The damage hides the length, and the only intact record is megabytes away.
    for (std::size_t i = 0; i < 2; ++i) log.bytes[log.offsets[1 + i]] ^= 1;
    log.bytes.replace(512, 512, 512, '\0');
    const auto scanned = scan_bytes(log.bytes);
    ASSERT_FALSE(scanned.ok());
    EXPECT_EQ(scanned.error().code, Errc::data_loss);
}

TEST(Scan, RecordInTheBodyOfAnotherOneProvesNothing) {
    Log log;
    log.batch({"one"});
    const auto end = log.bytes.size();
    // A body that is itself a log: what it says of durability is about another file.
    const auto inner = several_records().bytes + several_records().bytes;
    log.batch({inner + std::string(2000, 'x')});
    log.bytes.replace(2048, 512, 512, '\0');
    const auto scanned = scan_bytes(log.bytes);
    ASSERT_TRUE(scanned.ok()) << scanned.error().message;
    EXPECT_EQ(scanned->index.end, end);
}

TEST(Scan, RubbishAsLongAsARecordIsDamageAndNeverThrownAway) {
    const auto log = several_records();
    const auto scanned = scan_bytes(log.bytes + std::string(200, '#'));
    ASSERT_FALSE(scanned.ok());
    EXPECT_EQ(scanned.error().code, Errc::data_loss);
}

TEST(Scan, OutOfOrderRecordsAreDamage) {
    Log log;
    log.batch({"one"});
    log.last = 5;
    log.batch({"seven is not two"});
    const auto scanned = scan_bytes(log.bytes);
    ASSERT_FALSE(scanned.ok());
    EXPECT_NE(scanned.error().message.find("out of order"), std::string::npos);
}

}  // namespace
}  // namespace umbra::file_storage
