#include "core_support.hpp"
#include <umbra/core/wire.hpp>

#include <gmock/gmock.h>

namespace umbra::core::wire {
namespace {

const Hash hash = simulation::quick_hash("h");
const Position at{{3, 41}, hash};

std::vector<Message> one_of_each() {
    return {Pong{"alpha", "i", "1", Role::master, 3, true, at},
            Hello{protocol, "beta", "i", "1", {"p", "q"}, 3, {at, {}}, {1, 2, 3, 4}},
            HelloReply{true, "r", "alpha", "i", "1", {"p"}, 3, 40, true},
            Fetch{41, hash},
            FetchReply{false, false, {"one", "two"}},
            FetchSnapshot{77},
            SnapshotReply{at, 100, "chunk"},
            Report{"beta", "i", 3, at, "ready", true, {1, 2, 3, 4}, 90, true, 612},
            ReportReply{true, true, 3, at, 5},
            TakeOver{3, at},
            TakeOverReply{false, "busy"},
            Update{3, {"one"}},
            Beacon{3, at, hash},
            Offer{"beta",
                  {"1.4-ab",
                   at,
                   true,
                   at,
                   "ann",
                   {{"k", "1", {}}},
                   {{"tunnel.t", true, false}},
                   {{"op", {"k"}}}},
                  true,
                  "bob"},
            OfferReply{"1.4-ab", true, false, "r", {3, 42}, true, {Fate::merged, Fate::kept}}};
}

TEST(WireTest, UpdatesOfOneEpochBecomeOne) {
    std::string message = encode(Update{3, {"one"}});
    ASSERT_TRUE(merge_update(message, encode(Update{3, {"two", ""}})));
    ASSERT_TRUE(merge_update(message, encode(Update{3, {}})));
    EXPECT_EQ(message, encode(Update{3, {"one", "two", ""}}));
    const std::string before = message;
    EXPECT_FALSE(merge_update(message, encode(Update{4, {"three"}}))) << "another epoch";
    EXPECT_FALSE(merge_update(message, encode(Beacon{3, at, hash})));
    std::string beacon = encode(Beacon{3, at, hash});
    EXPECT_FALSE(merge_update(beacon, encode(Beacon{3, at, hash})));
    for (std::size_t size = 0; size < 14; ++size)
        EXPECT_FALSE(merge_update(message, encode(Update{3, {}}).substr(0, size))) << size;
    EXPECT_EQ(message, before);
}

TEST(WireTest, EveryMessageComesBackAsItWasSent) {
    const auto messages = one_of_each();
    ASSERT_EQ(messages.size(), std::variant_size_v<Message>);
    for (const auto& message : messages) {
        const auto bytes = encode(message);
        const auto back = decode(bytes);
        ASSERT_TRUE(back) << message.index();
        EXPECT_EQ(back->index(), message.index());
        EXPECT_EQ(encode(*back), bytes);
    }
}

TEST(WireTest, AFateThatIsNoneIsRefused) {
    for (const auto fate : {Fate{0}, Fate{6}, Fate{255}}) {
        EXPECT_FALSE(decode(encode(OfferReply{"1.4-ab", true, false, "", {}, true, {fate}})));
    }
    EXPECT_TRUE(decode(encode(OfferReply{"1.4-ab", true, false, "", {}, true, {fate_last}})));
}

TEST(WireTest, EveryTruncationIsRefusedAndSoIsATail) {
    for (const auto& message : one_of_each()) {
        const auto bytes = encode(message);
        for (std::size_t size = 0; size < bytes.size(); ++size) {
            EXPECT_FALSE(decode(std::string_view{bytes}.substr(0, size))) << message.index();
        }
        EXPECT_FALSE(decode(bytes + 'x'));
    }
}

TEST(WireTest, WhateverIsAcceptedIsSaidAgainInTheSameBytes) {
    for (const auto& message : one_of_each()) {
        const auto bytes = encode(message);
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            for (const char byte : {'\x00', '\x02', '\x7f', '\xff'}) {
                std::string mutated = bytes;
                mutated[i] = byte;
                const auto back = decode(mutated);
                EXPECT_TRUE(!back || encode(*back) == mutated) << message.index();
            }
        }
    }
}

TEST(WireTest, AHugeCountAllocatesNothing) {
    std::string bytes = encode(Update{3, {}});
    bytes.replace(bytes.size() - 4, 4, "\xff\xff\xff\xff");
    EXPECT_FALSE(decode(bytes));
}

TEST(WireTest, AMessageHasALimitOfBytes) {
    const auto empty = encode(TakeOverReply{true, ""}).size();
    const TakeOverReply largest{true, std::string(message_bytes_max - empty, 'x')};
    EXPECT_TRUE(decode(encode(largest)));
    EXPECT_FALSE(decode(encode(TakeOverReply{true, largest.reason + 'x'})));
}

TEST(WireTest, TheLargestEntryFitsIntoEveryMessageThatCarriesOne) {
    const std::string body(Log::entry_bytes_max, 'x');
    EXPECT_TRUE(decode(encode(Update{3, {body}})));
    EXPECT_TRUE(decode(encode(FetchReply{false, false, {body}})));
}

TEST(WireTest, ARoleThatIsNoneIsRefused) {
    Pong pong{"alpha", "i", "1", Role::master, 3, true, at};
    pong.role = static_cast<Role>(3);
    EXPECT_FALSE(decode(encode(pong)));
}

}  // namespace
}  // namespace umbra::core::wire
