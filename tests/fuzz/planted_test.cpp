// The rounds that find nothing in the real decoders find each of these.

#include "fuzz/memory.hpp"
#include "fuzz/mutator.hpp"

#include <gtest/gtest.h>

namespace umbra::fuzz::planted {
namespace {

/// u8 length | text | u8 checksum: a format that has every kind of bug below it.
Bytes encode(const std::string& text) {
    Bytes bytes{static_cast<std::uint8_t>(text.size())};
    bytes.insert(bytes.end(), text.begin(), text.end());
    std::uint8_t sum = 0;
    for (const auto byte : bytes) sum = static_cast<std::uint8_t>(sum + byte);
    bytes.push_back(sum);
    return bytes;
}

struct Bugs {
    bool ignores_checksum{};
    bool takes_one_too_few{};
    bool forgets_the_cut{};
    bool believes_the_length{};
};

/// Takes bytes as they come.
class Decoder {
public:
    explicit Decoder(Bugs bugs) : bugs_(bugs) {}
    void feed(ByteView bytes) {
        if (bugs_.forgets_the_cut && bytes_.size() == 1) bytes_.clear();
        bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
        if (bugs_.believes_the_length && !bytes_.empty())
            bytes_.reserve(std::size_t{bytes_[0]} << 20);
    }
    /// @return nothing when it is not whole, or wrong.
    [[nodiscard]] std::optional<std::string> text() const {
        if (bytes_.empty()) return std::nullopt;
        std::size_t size = bytes_[0];
        if (bugs_.takes_one_too_few && size > 0 && bytes_.size() == size + 1) --size;
        if (bytes_.size() != size + 2) return std::nullopt;
        std::string text(bytes_.begin() + 1,
                         bytes_.begin() + 1 + static_cast<std::ptrdiff_t>(size));
        if (!bugs_.ignores_checksum && encode(text).back() != bytes_.back()) return std::nullopt;
        return text;
    }

private:
    Bugs bugs_;
    Bytes bytes_;
};

std::optional<std::string> decode(Bugs bugs, const std::vector<ByteView>& pieces) {
    Decoder decoder(bugs);
    for (const auto piece : pieces) decoder.feed(piece);
    return decoder.text();
}

Target target(Bugs bugs) {
    return {"planted",
            {encode("hello"), encode(""), encode("a longer text")},
            [bugs](ByteView bytes) -> std::string {
                const Allocated allocated;
                const auto whole = decode(bugs, {bytes});
                if (allocated.most() > 64 * 1024) return "memory";
                if (whole && !equal(encode(*whole), bytes)) return "does not encode";
                return decode(bugs, cut(bytes)) == whole ? "" : "cut";
            }};
}

std::string found(Bugs bugs) {
    const auto finding = fuzz(target(bugs), 1, 20'000);
    return finding ? finding->property : "nothing";
}

TEST(PlantedBugTest, EachIsFound) {
    EXPECT_EQ(found({.ignores_checksum = true}), "does not encode");
    EXPECT_EQ(found({.takes_one_too_few = true}), "does not encode");
    EXPECT_EQ(found({.forgets_the_cut = true}), "cut");
    EXPECT_EQ(found({.believes_the_length = true}), "memory");
}

TEST(PlantedBugTest, WithoutABugNothingIsFound) { EXPECT_EQ(found({}), "nothing"); }

TEST(MutatorTest, TheSameSeedMakesTheSameInputsAndAnotherMakesOthers) {
    Mutator one(7), same(7), other(8);
    std::size_t differ = 0;
    for (int round = 0; round < 1000; ++round) {
        const auto input = one.make(target({}));
        EXPECT_EQ(input, same.make(target({})));
        if (input != other.make(target({}))) ++differ;
    }
    EXPECT_GT(differ, 900u);
}

}  // namespace
}  // namespace umbra::fuzz::planted
