#include "header.hpp"
#include <umbra/seal/seal.hpp>

#include <gmock/gmock.h>

#include <algorithm>

namespace umbra::seal {
namespace {

using testing::HasSubstr;

/// Enough for what is tested here; what a guess costs is not.
constexpr Cost cheap = cost_min;

Secret passphrase(const std::string& text = "correct horse") { return Secret{text}; }

std::string sealed(const std::string& content) {
    auto made = seal(content, passphrase(), cheap);
    EXPECT_TRUE(made.ok());
    return made.ok() ? std::move(made).value() : std::string{};
}

Error refusal(const std::string& file, const Secret& with = passphrase()) {
    const auto opened = unseal(file, with);
    EXPECT_FALSE(opened.ok()) << "it was opened";
    return opened.ok() ? Error{} : opened.error();
}

TEST(SealTest, WhatWasSealedComesBack) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, chunk_bytes - 1, chunk_bytes,
                                   chunk_bytes + 1, 3 * chunk_bytes}) {
        std::string content(size, 'x');
        for (std::size_t i = 0; i < size; ++i) content[i] = static_cast<char>(i * 7);
        const std::string file = sealed(content);
        EXPECT_EQ(file.size(), sealed_bytes(size));
        const auto opened = unseal(file, passphrase());
        ASSERT_TRUE(opened.ok()) << opened.error().message;
        EXPECT_EQ(opened->view(), content);
    }
}

TEST(SealTest, NothingOfTheContentCanBeSeenAndNoTwoFilesAreAlike) {
    const std::string content = "the private key of alpha";
    const std::string one = sealed(content), other = sealed(content);
    EXPECT_EQ(one.find("private"), std::string::npos);
    EXPECT_NE(one.substr(header_bytes), other.substr(header_bytes));
    EXPECT_NE(decode(one)->salt, decode(other)->salt);
}

TEST(SealTest, AWrongPassphraseIsSaidToBeOne) {
    const std::string file = sealed("content");
    for (const std::string wrong : {"correct hors", "correct horse ", "Correct horse", "x"}) {
        const Error error = refusal(file, passphrase(wrong));
        EXPECT_EQ(error.code, Errc::denied);
        EXPECT_THAT(error.message, HasSubstr("does not open with this passphrase"));
    }
}

TEST(SealTest, EveryFlippedBitIsFoundAndNoneIsTakenForAWrongPassphrase) {
    const std::string file = sealed("a small file");
    for (std::size_t at = 0; at < file.size(); ++at) {
        for (int bit = 0; bit < 8; ++bit) {
            std::string damaged = file;
            damaged[at] = static_cast<char>(damaged[at] ^ (1 << bit));
            const Error error = refusal(damaged);
            const Errc expected = at < 8    ? Errc::invalid
                                  : at < 12 ? Errc::unsupported
                                            : Errc::data_loss;
            EXPECT_EQ(error.code, expected) << "byte " << at << ": " << error.message;
        }
    }
}

TEST(SealTest, EveryEndThatComesTooEarlyIsFound) {
    const std::string file = sealed("a small file");
    for (std::size_t size = 0; size < file.size(); ++size) {
        const Error error = refusal(file.substr(0, size));
        EXPECT_EQ(error.code, size < 8 ? Errc::invalid : Errc::data_loss)
            << size << ": " << error.message;
    }
    EXPECT_EQ(refusal(file + "x").code, Errc::data_loss) << "nor may anything follow";
}

class SealedPartsTest : public testing::Test {
protected:
    static constexpr std::size_t part_bytes = chunk_bytes + chunk_overhead;

    static std::string front(const std::string& file) { return file.substr(0, header_bytes); }
    static std::string part(const std::string& file, std::size_t number) {
        return file.substr(header_bytes + number * part_bytes, part_bytes);
    }
    const std::string file =
        sealed(std::string(2 * chunk_bytes, 'a') + std::string(chunk_bytes, 'b'));
};

TEST_F(SealedPartsTest, PartsInAnotherOrderAreRefused) {
    const std::string swapped = front(file) + part(file, 1) + part(file, 0) + part(file, 2);
    EXPECT_EQ(refusal(swapped).code, Errc::data_loss);
    EXPECT_THAT(refusal(swapped).message, HasSubstr("from byte 112 on"));
}

TEST_F(SealedPartsTest, APartThatIsLeftOutOrComesTwiceIsRefused) {
    EXPECT_EQ(refusal(front(file) + part(file, 0) + part(file, 2)).code, Errc::data_loss);
    EXPECT_EQ(
        refusal(front(file) + part(file, 0) + part(file, 0) + part(file, 1) + part(file, 2)).code,
        Errc::data_loss);
    EXPECT_EQ(refusal(front(file) + part(file, 0) + part(file, 1)).code, Errc::data_loss)
        << "cut exactly between two parts";
    EXPECT_EQ(refusal(file + part(file, 2)).code, Errc::data_loss) << "behind the end";
    EXPECT_EQ(refusal(front(file)).code, Errc::data_loss) << "no part at all";
}

TEST_F(SealedPartsTest, APartOfAnotherFileIsRefused) {
    const std::string other = sealed(std::string(3 * chunk_bytes, 'c'));
    EXPECT_EQ(refusal(front(file) + part(other, 0) + part(file, 1) + part(file, 2)).code,
              Errc::data_loss);
    EXPECT_EQ(refusal(front(other) + file.substr(header_bytes)).code, Errc::data_loss);
}

TEST(SealHeaderTest, WhatAFileMayAskForIsLimited) {
    const auto with = [](Cost cost) { return decode(encode(Header{.cost = cost})); };
    EXPECT_EQ(with(cost_max)->cost, cost_max);
    EXPECT_EQ(with(cost_min)->cost, cost_min);
    EXPECT_EQ(with(cost_usual)->cost, cost_usual);
    const Cost beyond[] = {{cost_max.passes + 1, cost_max.memory_kib},
                           {cost_max.passes, cost_max.memory_kib + 1},
                           {cost_min.passes - 1, cost_min.memory_kib},
                           {cost_min.passes, cost_min.memory_kib - 1},
                           {UINT32_MAX, UINT32_MAX}};
    for (const Cost cost : beyond) {
        const auto decoded = with(cost);
        ASSERT_FALSE(decoded.ok());
        EXPECT_EQ(decoded.error().code, Errc::invalid);
        EXPECT_THAT(decoded.error().message, HasSubstr("not allowed"));
        EXPECT_EQ(refusal(encode(Header{.cost = cost}) + std::string(17, 'x')).code, Errc::invalid)
            << "nothing is derived";
        EXPECT_EQ(seal("x", passphrase(), cost).error().code, Errc::invalid);
    }
}

TEST(SealHeaderTest, AnotherVersionAndAnotherFileAreNamed) {
    std::string later = sealed("x");
    later[8] = 2;
    EXPECT_EQ(refusal(later).code, Errc::unsupported);
    EXPECT_THAT(refusal(later).message, HasSubstr("format 2, this program reads 1"));
    EXPECT_THAT(check_header("[instance]\nname = \"alpha\"\n").error().message,
                HasSubstr("is not a file that \"umbra backup\" wrote"));
    EXPECT_EQ(check_header(sealed("x")).ok(), true);
}

TEST(SealHeaderTest, ReadsBackAsItWasWritten) {
    Header header{.cost = {3, 70000}};
    header.salt.fill(1);
    header.nonce.fill(2);
    header.check.fill(3);
    const std::string bytes = encode(header);
    ASSERT_EQ(bytes.size(), header_bytes);
    EXPECT_EQ(*decode(bytes), header);
}

std::string from_hex(std::string_view hex) {
    std::string bytes;
    for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
        bytes += static_cast<char>(std::stoi(std::string{hex.substr(i, 2)}, nullptr, 16));
    }
    return bytes;
}

/// Written by the first version; every later one opens it.
TEST(SealFormatTest, AFileOfTheFirstVersionOpens) {
    const std::string file = from_hex(
        "554d42524142414b010000000200000001000000080000003476a74a895b0475a6969e0254e4"
        "a5c14ee73a5bab12091a65343f19e4ed2f78953b385a1e07e36e8d36ef7258989aa004e89132"
        "194084547654eb0a70a7ae8d63851a2edf8eddb68e3ae9b77378090ac84b36aff43577119ebd"
        "08e3a42bcb61e11ec71fd859a534ee553b23ed65");
    ASSERT_EQ(file.size(), 134u);
    EXPECT_EQ(file.substr(0, 12), std::string_view("UMBRABAK\1\0\0\0", 12));
    EXPECT_EQ(file.substr(12, 12), std::string_view("\2\0\0\0\1\0\0\0\x08\0\0\0", 12));
    EXPECT_EQ(decode(file)->cost, cost_min);
    const auto opened = unseal(file, passphrase());
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    EXPECT_EQ(opened->view(), "hello");
}

TEST(SealLimitsTest, OfThePassphrase) {
    const std::string longest(passphrase_bytes_max, 'p');
    const auto made = seal("x", passphrase(longest), cheap);
    ASSERT_TRUE(made.ok());
    EXPECT_EQ(unseal(*made, passphrase(longest))->view(), "x");
    EXPECT_EQ(seal("x", passphrase(longest + "p"), cheap).error().code, Errc::invalid);
    EXPECT_EQ(seal("x", passphrase(""), cheap).error().code, Errc::invalid);
    EXPECT_EQ(refusal(*made, passphrase(longest + "p")).code, Errc::invalid);
    EXPECT_EQ(refusal(*made, passphrase("")).code, Errc::invalid);
}

TEST(SealLimitsTest, OfTheContent) {
    // The views are longer than what is behind them: the length alone has to be enough to refuse.
    const std::string small = "x";
    const auto much = seal({small.data(), content_bytes_max + 1}, passphrase(), cheap);
    ASSERT_FALSE(much.ok());
    EXPECT_EQ(much.error().code, Errc::exhausted);
    const std::string file = sealed("x");
    const auto large = unseal({file.data(), sealed_bytes(content_bytes_max) + 1}, passphrase());
    ASSERT_FALSE(large.ok());
    EXPECT_EQ(large.error().code, Errc::exhausted);
}

TEST(SecretTest, AMovedOneIsEmptyAndAWipedTextToo) {
    Secret from{"words"};
    const Secret to{std::move(from)};
    EXPECT_EQ(to.view(), "words");
    EXPECT_TRUE(from.empty());  // NOLINT: what is left is promised
    std::string text(100, 'x');
    const char* const bytes = text.data();
    const std::size_t room = text.capacity();
    wipe(text);
    EXPECT_TRUE(text.empty());
    ASSERT_EQ(text.data(), bytes) << "the same memory";
    EXPECT_TRUE(std::all_of(bytes, bytes + room, [](char c) { return c == '\0'; }));
}

}  // namespace
}  // namespace umbra::seal
