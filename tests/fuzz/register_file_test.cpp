// The register on disk, damaged in ways that nobody foresaw: what is read is the newest record, or
// nothing. An older one would let an epoch be granted twice.

#include "register_file.hpp"

#include "fuzz/mutator.hpp"
#include "unit/base/temp_directory.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace umbra::fuzz {
namespace {

using gateway::Record;
using gateway::RegisterFile;

Bytes read_all(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return Bytes(std::istreambuf_iterator<char>(file), {});
}

void write_all(const std::filesystem::path& path, ByteView bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc)
        .write(reinterpret_cast<const char*>(bytes.data()),
               static_cast<std::streamsize>(bytes.size()));
}

/// Damages whole sectors, single bits, and the length of the file.
void damage(Bytes& bytes, Random& random) {
    constexpr std::size_t sector = 512;
    const std::size_t at = random.below(bytes.size());
    const std::size_t begin = random.below(2) == 0 ? at / sector * sector : at % 256;
    const std::size_t end = std::min(bytes.size(), begin + sector * (1 + random.below(300)));
    const auto first = bytes.begin() + static_cast<std::ptrdiff_t>(begin);
    const auto last = bytes.begin() + static_cast<std::ptrdiff_t>(end);
    switch (random.below(5)) {
        case 0:
            bytes[std::min(at % 256 + (random.below(2) == 0 ? 0 : RegisterFile::slot_bytes),
                           bytes.size() - 1)] ^= static_cast<std::uint8_t>(1u << random.below(8));
            break;
        case 1:
            std::fill(first, last, std::uint8_t{0});
            break;
        case 2:
            bytes.resize(at);
            break;
        case 3:
            bytes.resize(random.below(2) == 0 ? 0 : RegisterFile::slot_bytes);
            break;
        default:
            std::generate(first, last, [&] { return static_cast<std::uint8_t>(random.next()); });
    }
}

TEST(FuzzRegisterFileTest, WhatIsReadIsTheNewestRecordOrNothing) {
    const test::TempDirectory directory;
    const auto path = directory.path() / "default.rec";
    Random random(3);
    std::size_t lost = 0, whole = 0;
    for (const std::uint64_t stores : {2u, 3u, 8u}) {
        std::filesystem::remove(path);
        Record newest;
        {
            auto opened = RegisterFile::open(path, false);
            ASSERT_TRUE(opened.ok());
            for (std::uint64_t serial = 1; serial <= stores; ++serial) {
                newest.serial = serial;
                newest.epoch = 10 * serial;
                newest.holder = {serial % 2 == 0 ? "alpha" : "beta", "disk"};
                ASSERT_TRUE(opened->file.store(newest).ok());
            }
        }
        const Bytes sound = read_all(path);
        for (int round = 0; round < 300; ++round) {
            Bytes bytes = sound;
            damage(bytes, random);
            write_all(path, bytes);
            const auto again = RegisterFile::open(path, true);
            ASSERT_TRUE(again.ok());
            again->lost ? ++lost : ++whole;
            ASSERT_TRUE(again->lost || again->record == newest)
                << "after " << stores << " stores epoch " << again->record.epoch
                << " was read, in round " << round;
        }
    }
    EXPECT_GT(lost, 100u);
    EXPECT_GT(whole, 100u) << "damage beside the records does no harm";
}

}  // namespace
}  // namespace umbra::fuzz
