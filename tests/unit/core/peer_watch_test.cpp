#include "core_support.hpp"
#include <umbra/core/peer_watch.hpp>

#include <gmock/gmock.h>

namespace umbra::core {
namespace {

class PeerWatchTest : public testing::Test {
protected:
    PeerWatch watch{100ms};
    Instant now{1h};
};

TEST_F(PeerWatchTest, OnePingIsOutAtATimeAndNotBeforeTheInterval) {
    EXPECT_TRUE(watch.due(now));
    watch.sent(now, 1);
    EXPECT_FALSE(watch.due(now + 1s)) << "the first is not answered";
    EXPECT_TRUE(watch.answered(now + 10ms, 1, 10ms));
    EXPECT_FALSE(watch.due(now + 99ms));
    EXPECT_TRUE(watch.due(now + 100ms));
}

TEST_F(PeerWatchTest, SilenceCountsFromTheFirstFailureOfARow) {
    EXPECT_FALSE(watch.silent_for(now));
    watch.sent(now, 1);
    watch.failed(now + 500ms, 1);
    watch.sent(now + 500ms, 2);
    watch.failed(now + 1s, 2);
    EXPECT_EQ(watch.silent_for(now + 1500ms), 1s);
    watch.sent(now + 1500ms, 3);
    watch.answered(now + 1600ms, 3, 1ms);
    EXPECT_FALSE(watch.silent_for(now + 2s));
    EXPECT_EQ(watch.cleared(), 1u);
}

TEST_F(PeerWatchTest, AnAnswerToAnOlderQuestionIsNone) {
    watch.sent(now, 7);
    EXPECT_FALSE(watch.answered(now, 6, 1ms));
    EXPECT_FALSE(watch.failed(now, 6));
    EXPECT_FALSE(watch.suspected());
}

TEST_F(PeerWatchTest, ARefusalIsBelievedForAWhileOnly) {
    watch.refused(now);
    EXPECT_TRUE(watch.suspected());
    EXPECT_TRUE(watch.is_refused(now + PeerWatch::refusal_counts - 1ns));
    EXPECT_FALSE(watch.is_refused(now + PeerWatch::refusal_counts));
}

TEST_F(PeerWatchTest, WhoSpeaksDoesNotRefuse) {
    watch.refused(now);
    watch.spoke();
    EXPECT_FALSE(watch.is_refused(now));
}

TEST_F(PeerWatchTest, WhatTheWatcherMissedIsNotThePeersFault) {
    watch.sent(now, 1);
    watch.failed(now, 1);
    watch.was_late(now + 5s, 4s);
    EXPECT_EQ(watch.silent_for(now + 5s), 1s);
    watch.was_late(now + 5s, 1h);
    EXPECT_EQ(watch.silent_for(now + 5s), 0s) << "never in the future";
}

}  // namespace
}  // namespace umbra::core
