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

TEST_F(PeerWatchTest, SilenceCountsFromTheQuestionThatStayedWithoutAnAnswer) {
    EXPECT_FALSE(watch.silent_for(now));
    watch.sent(now, 1);
    watch.failed(1);
    EXPECT_EQ(watch.silent_for(now + 500ms), 500ms);
    watch.sent(now + 500ms, 2);
    watch.failed(2);
    EXPECT_EQ(watch.silent_for(now + 1500ms), 1500ms);
    watch.sent(now + 1500ms, 3);
    watch.answered(now + 1600ms, 3, 1ms);
    EXPECT_FALSE(watch.silent_for(now + 2s));
    EXPECT_EQ(watch.cleared(), 1u);
}

TEST_F(PeerWatchTest, ASignOfLifeAfterTheQuestionStartsTheCountAnew) {
    watch.sent(now, 1);
    watch.lived(now + 200ms);
    EXPECT_FALSE(watch.suspected());
    watch.failed(1);
    EXPECT_EQ(watch.silent_for(now + 500ms), 300ms);
    watch.lived(now + 600ms);
    EXPECT_TRUE(watch.suspected()) << "the question is still without an answer";
    EXPECT_EQ(watch.silent_for(now + 700ms), 100ms);
}

TEST_F(PeerWatchTest, ASlowAnswerIsRememberedAndFades) {
    watch.sent(now, 1);
    watch.answered(now, 1, 320ms);
    EXPECT_EQ(watch.slowest(), 320ms);
    watch.sent(now, 2);
    watch.answered(now, 2, 1ms);
    EXPECT_EQ(watch.slowest(), 310ms);
    for (AskId ask = 3; ask < 300; ++ask) {
        watch.sent(now, ask);
        watch.answered(now, ask, 1ms);
    }
    EXPECT_LT(watch.slowest(), 2ms);
}

TEST_F(PeerWatchTest, AnAnswerToAnOlderQuestionIsNone) {
    watch.sent(now, 7);
    EXPECT_FALSE(watch.answered(now, 6, 1ms));
    EXPECT_FALSE(watch.failed(6));
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
    watch.failed(1);
    watch.was_late(now + 5s, 4s);
    EXPECT_EQ(watch.silent_for(now + 5s), 1s);
    watch.was_late(now + 5s, 1h);
    EXPECT_EQ(watch.silent_for(now + 5s), 0s) << "never in the future";
}

TEST_F(PeerWatchTest, AQuestionThatWasOutWhileTheWatcherSleptCountsFromItsWakeUp) {
    watch.sent(now, 1);
    watch.was_late(now + 5s, 5s);
    watch.failed(1);
    EXPECT_EQ(watch.silent_for(now + 5s), 0s);
}

}  // namespace
}  // namespace umbra::core
