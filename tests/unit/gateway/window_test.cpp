#include <umbra/gateway/frame.hpp>
#include <umbra/gateway/window.hpp>

#include <gtest/gtest.h>

#include <chrono>

namespace umbra::gateway {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t fifth = window_bytes_initial / 5;

TEST(WindowTest, SenderIsGrantedUpToTheLargestWindowAndNotOneByteMore) {
    SendWindow window;
    EXPECT_EQ(window.credit(), window_bytes_initial);
    window.sent(window_bytes_initial);
    EXPECT_EQ(window.credit(), 0u);
    EXPECT_TRUE(window.granted(window_bytes_max));
    EXPECT_FALSE(window.granted(1));
    EXPECT_EQ(window.credit(), window_bytes_max);
}

TEST(WindowTest, ReceiverTakesAWindowAndNotOneByteMore) {
    ReceiveWindow window;
    EXPECT_TRUE(window.received(window_bytes_initial));
    EXPECT_FALSE(window.received(1));
}

TEST(WindowTest, CreditComesBackForDeliveredBytesAFifthOfTheWindowAtATime) {
    ReceiveWindow window;
    ASSERT_TRUE(window.received(window_bytes_initial));
    EXPECT_EQ(window.delivered(fifth - 1, {}), 0u);
    EXPECT_FALSE(window.received(1)) << "what was not announced may not be used";
    EXPECT_EQ(window.delivered(1, {}), fifth);
    EXPECT_TRUE(window.received(fifth));
    EXPECT_FALSE(window.received(1));
}

TEST(WindowTest, AFullSlabIsWorthCreditThoughItCarriesAHeaderToo) {
    constexpr std::uint32_t payload = (64u << 10) - frame_header_bytes;
    ReceiveWindow window;
    ASSERT_TRUE(window.received(payload));
    EXPECT_EQ(window.delivered(payload, {}), payload);
}

/// A sender that uses all credit at once, over a path of `round_trip` that carries at most
/// `path_bytes` in that time; the receiver delivers what arrives at once.
class Transfer {
public:
    Transfer(Duration round_trip, std::uint32_t path_bytes, bool may_widen = true)
        : path_{Instant{}, round_trip, may_widen}, path_bytes_(path_bytes) {}

    void run(int round_trips) {
        for (int i = 0; i < round_trips; ++i) {
            path_.now += path_.round_trip;
            const std::uint32_t bytes = std::min(sender.credit(), path_bytes_);
            sender.sent(bytes);
            ASSERT_TRUE(receiver.received(bytes));
            ASSERT_TRUE(sender.granted(receiver.delivered(bytes, path_)));
        }
    }

    SendWindow sender;
    ReceiveWindow receiver;

private:
    ReceiveWindow::Path path_;
    std::uint32_t path_bytes_;
};

TEST(WindowTest, ItDoublesEachRoundTripWhileItHoldsTheSenderUp) {
    Transfer transfer(50ms, window_bytes_max);
    transfer.run(1);
    EXPECT_EQ(transfer.receiver.window(), 2 * window_bytes_initial);
    transfer.run(1);
    EXPECT_EQ(transfer.receiver.window(), 4 * window_bytes_initial);
    transfer.run(10);
    EXPECT_EQ(transfer.receiver.window(), window_bytes_max);
    EXPECT_EQ(transfer.sender.credit(), window_bytes_max);
}

TEST(WindowTest, ItStopsAtTwiceWhatThePathHolds) {
    constexpr std::uint32_t path_bytes = 3u << 20;
    Transfer transfer(50ms, path_bytes);
    transfer.run(100);
    EXPECT_EQ(transfer.receiver.window(), 2 * path_bytes);
}

TEST(WindowTest, AShortPathKeepsTheFirstWindow) {
    Transfer transfer(100us, window_bytes_initial / 3);
    transfer.run(100);
    EXPECT_EQ(transfer.receiver.window(), window_bytes_initial);
}

TEST(WindowTest, AmongBulkAloneAStreamGetsMoreAtOnceAndLosesItAtOnce) {
    ReceiveWindow window;
    ASSERT_TRUE(window.received(fifth));
    EXPECT_EQ(window.delivered(fifth, {.only_bulk = true}),
              window_bytes_bulk - window_bytes_initial + fifth);
    // One comes that sends little: what is out is used up first, then it is as before.
    ASSERT_TRUE(window.received(window_bytes_bulk - window_bytes_initial));
    EXPECT_EQ(window.delivered(window_bytes_bulk - window_bytes_initial, {}), 0u);
    ASSERT_TRUE(window.received(fifth));
    EXPECT_EQ(window.delivered(fifth, {}), fifth);
}

TEST(WindowTest, AWideWindowIsForUsersWhoKeepUp) {
    ReceiveWindow window;
    ASSERT_TRUE(window.received(fifth + held_bytes_high + 1));
    EXPECT_EQ(window.delivered(fifth, {.only_bulk = true}), fifth);
    EXPECT_EQ(window.delivered(1, {.only_bulk = true}),
              window_bytes_bulk - window_bytes_initial + 1);
}

TEST(WindowTest, BulkWidensNothingWhereMemoryIsShort) {
    ReceiveWindow window;
    ASSERT_TRUE(window.received(fifth));
    EXPECT_EQ(window.delivered(fifth, {.may_widen = false, .only_bulk = true}), fifth);
}

TEST(WindowTest, WhatItHasAsTheOnlyOneDoesNotStayWhenOthersCome) {
    // At twice what the path holds, 512 KiB, which the window for bulk covers.
    ReceiveWindow window;
    Instant now{};
    for (int i = 0; i < 10; ++i) {
        now += 1ms;
        ASSERT_TRUE(window.received(window_bytes_initial));
        (void)window.delivered(window_bytes_initial, {now, 1ms, true, true});
    }
    EXPECT_EQ(window.window(), window_bytes_initial);
}

TEST(WindowTest, WithoutMemoryOrAKnownRoundTripItStays) {
    Transfer scarce(50ms, window_bytes_max, false);
    scarce.run(20);
    EXPECT_EQ(scarce.receiver.window(), window_bytes_initial);

    ReceiveWindow unknown;
    for (int i = 0; i < 20; ++i) {
        ASSERT_TRUE(unknown.received(window_bytes_initial));
        EXPECT_EQ(unknown.delivered(window_bytes_initial, {Instant{i * 1ms}, 0ms, true}),
                  window_bytes_initial);
    }
    EXPECT_EQ(unknown.window(), window_bytes_initial);
}

TEST(WindowTest, AStreamThatGrowsQuietGivesItsWindowBack) {
    Transfer busy(50ms, window_bytes_max);
    busy.run(20);
    ASSERT_EQ(busy.receiver.window(), window_bytes_max);
    // The same window, with a trickle through it.
    ReceiveWindow window = busy.receiver;
    Instant now{10s};
    std::uint64_t granted = 0;
    for (int i = 0; i < 1000 && window.window() > window_bytes_initial; ++i) {
        now += 1s;
        ASSERT_TRUE(window.received(64u << 10));
        granted += window.delivered(64u << 10, {now, 50ms, true});
    }
    EXPECT_EQ(window.window(), window_bytes_initial);
    EXPECT_EQ(granted, 0u) << "the credit that is out has to be used up first";
}

}  // namespace
}  // namespace umbra::gateway
