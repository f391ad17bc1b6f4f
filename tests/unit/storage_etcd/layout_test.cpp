#include <umbra/etcd_storage/layout.hpp>
#include <umbra/storage_queue/checksum.hpp>

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace umbra::etcd_storage {
namespace {

const Keys keys{"/umbra/alpha/"};

LogPosition position(std::uint64_t seq, std::uint64_t epoch = 3) {
    LogPosition p{seq, epoch, {}};
    for (std::size_t i = 0; i < p.hash.size(); ++i) p.hash[i] = static_cast<std::byte>(i);
    return p;
}

Head example() {
    return {"0123456789abcdef0123456789abcdef",
            "fedcba9876543210fedcba9876543210",
            "alpha",
            42,
            position(1),
            {},
            0,
            0,
            0};
}

TEST(Layout, KeysSortAsTheyAreRead) {
    EXPECT_LT(keys.entry(9), keys.entry(9, 1));
    EXPECT_LT(keys.entry(9, 9), keys.entry(9, 10));
    EXPECT_LT(keys.entry(9, 9999), keys.entry(10));
    EXPECT_LT(keys.entry(UINT64_MAX, 9999), keys.end_of_entries());
    EXPECT_LT(keys.snapshot(9, 127), keys.snapshots(10));
    EXPECT_LT(keys.snapshot(UINT64_MAX, 0), keys.end_of_snapshots());
    EXPECT_LE(keys.snapshots(9), keys.snapshot(9, 0));
}

TEST(Layout, HeadComesBack) {
    auto head = example();
    EXPECT_EQ(*decode_head(encode_head(head)), head);
    head.snapshot = position(UINT64_MAX, UINT64_MAX);
    head.snapshot_id = head.snapshot_size = head.snapshot_sum = UINT64_MAX;
    EXPECT_EQ(*decode_head(encode_head(head)), head);
}

TEST(Layout, EveryFlippedBitAndEveryCutOfAHeadIsNoticed) {
    const auto whole = encode_head(example());
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        auto flipped = whole;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        EXPECT_FALSE(decode_head(flipped).ok()) << bit;
    }
    for (std::size_t size = 0; size < whole.size(); ++size)
        EXPECT_EQ(decode_head(whole.substr(0, size)).error().code, Errc::data_loss) << size;
    EXPECT_FALSE(decode_head(whole + "x").ok());
    EXPECT_EQ(decode_head("umbra 2\n").error().code, Errc::unsupported);
}

TEST(Layout, EntriesOfEverySizeComeBackFromTheirParts) {
    std::uint64_t seq = 1;
    Assembly assembly{keys, seq};
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, part_max - 1, part_max,
                                   part_max + 1, 2 * part_max, std::size_t{4} << 20}) {
        const LogEntry entry{position(seq), std::string(size, static_cast<char>('a' + seq))};
        const auto parts = parts_of(size);
        EXPECT_EQ(parts, std::max<std::size_t>(1, (size + part_max - 1) / part_max));
        for (std::size_t part = 0; part < parts; ++part) {
            EXPECT_TRUE(part == 0 || !assembly.complete());
            auto taken = assembly.take(keys.entry(seq, part), encode_entry(entry, part));
            ASSERT_TRUE(taken.ok()) << taken.error().message;
            EXPECT_EQ(taken.value().has_value(), part + 1 == parts);
            EXPECT_TRUE(!taken.value() || **taken == entry);
        }
        EXPECT_TRUE(assembly.complete());
        EXPECT_EQ(assembly.next(), ++seq);
    }
}

TEST(Layout, ADamagedMissingOrForeignPartIsNamed) {
    const LogEntry entry{position(5), std::string(part_max + 100, 'x')};
    const auto expect_refused = [&](const std::string& key, const std::string& value) {
        Assembly assembly{keys, 5};
        auto taken = assembly.take(keys.entry(5), encode_entry(entry, 0));
        if (key.empty()) {
            taken = Assembly{keys, 5}.take(keys.entry(5), value);
        } else if (taken.ok()) {
            taken = assembly.take(key, value);
        }
        ASSERT_FALSE(taken.ok());
        EXPECT_EQ(taken.error().code, Errc::data_loss);
        EXPECT_NE(taken.error().message.find(key.empty() ? keys.entry(5) : key), std::string::npos);
    };
    const auto second = encode_entry(entry, 1);
    expect_refused(keys.entry(6), second);
    expect_refused(keys.entry(5, 2), second);
    expect_refused(keys.entry(5, 1), second.substr(1));
    expect_refused(keys.entry(5, 1), second + "x");
    expect_refused(keys.entry(5, 1), "y" + second.substr(1));
    for (const char* value : {"", "entry", "entry 1 2 3 4\n", "enter 3 00 0 0\n"})
        expect_refused("", value);
    const LogEntry small{position(5), "hello"};
    const auto whole = encode_entry(small, 0);
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
        auto flipped = whole;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
        const auto taken = Assembly{keys, 5}.take(keys.entry(5), flipped);
        // A letter of a number in hexadecimal may be large; the value is what counts.
        EXPECT_TRUE(!taken.ok() || !taken.value() || *taken.value() == small) << bit;
    }
}

TEST(Layout, IsTheOneOfTheReadme) {
    std::ifstream in{UMBRA_STORAGE_ETCD_README};
    const std::string readme{std::istreambuf_iterator<char>{in}, {}};
    for (const auto& text : {keys.head() + "\n" + encode_head(example()),
                             keys.entry(1) + "\n" + encode_entry({position(1), "hello"}, 0) + "\n"})
        EXPECT_NE(readme.find(text), std::string::npos) << text;
}

}  // namespace
}  // namespace umbra::etcd_storage
