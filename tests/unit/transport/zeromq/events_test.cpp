#include "events.hpp"

#include <gtest/gtest.h>

namespace umbra::zeromq {
namespace {

using Type = TransportEvent::Type;

TransportEvent event(Type type, std::string text = "", std::uint64_t number = 0) {
    TransportEvent e;
    e.type = type;
    e.frames = {std::move(text)};
    e.id = e.count = number;
    return e;
}

TEST(EventQueueTest, GivesEventsInTheirOrder) {
    EventQueue queue;
    EXPECT_TRUE(queue.push(event(Type::link_up)));
    EXPECT_TRUE(queue.push(event(Type::update, "1")));
    EXPECT_EQ(queue.pop()->type, Type::link_up);
    EXPECT_EQ(queue.pop()->frames.front(), "1");
    EXPECT_FALSE(queue.pop());
}

TEST(EventQueueTest, OneOverTheLimitDropsTheOldestUpdateAndNothingElse) {
    EventQueue queue;
    queue.push(event(Type::link_up));
    queue.push(event(Type::asked, "question", 7));
    for (std::size_t i = 2; i < events_max; ++i) queue.push(event(Type::update, std::to_string(i)));
    EXPECT_EQ(queue.size(), events_max);
    EXPECT_EQ(queue.dropped(), 0u);
    queue.push(event(Type::link_lost));
    EXPECT_EQ(queue.size(), events_max);
    EXPECT_EQ(queue.dropped(), 1u);
    EXPECT_EQ(queue.pop()->type, Type::link_up);
    EXPECT_EQ(queue.pop()->id, 7u);
    EXPECT_EQ(queue.pop()->frames.front(), "3");
}

TEST(EventQueueTest, WithoutUpdatesTheNewQuestionGivesWayAndNewsOfTheLinkDoNot) {
    EventQueue queue;
    for (std::size_t i = 0; i < events_max; ++i) EXPECT_TRUE(queue.push(event(Type::asked, "", i)));
    EXPECT_FALSE(queue.push(event(Type::asked, "", events_max)));
    EXPECT_EQ(queue.dropped(), 1u);
    EXPECT_TRUE(queue.push(event(Type::link_lost)));
    TransportEvent last;
    while (const auto next = queue.pop()) last = *next;
    EXPECT_EQ(last.type, Type::link_lost);
}

TEST(EventQueueTest, BytesAreBoundedToo) {
    EventQueue queue;
    const std::string megabyte(1 << 20, 'x');
    for (int i = 0; i < 200; ++i) queue.push(event(Type::update, megabyte));
    EXPECT_LE(queue.size(), event_bytes_max >> 20);
    EXPECT_GT(queue.dropped(), 100u);
    std::size_t left = 0;
    while (queue.pop()) ++left;
    EXPECT_GT(left, 32u);
    // Nothing is held against what comes later.
    for (std::size_t i = 0; i < 10; ++i) EXPECT_TRUE(queue.push(event(Type::asked, megabyte, i)));
}

TEST(EventQueueTest, RepeatedNewsAreMergedSoThatASleepingHostCostsNoMemory) {
    EventQueue queue;
    queue.push(event(Type::link_lost));
    for (int i = 0; i < 100; ++i) queue.push(event(Type::refused));
    for (int i = 0; i < 100; ++i) queue.push(event(Type::stranger, "", 2));
    EXPECT_EQ(queue.size(), 3u);
    EXPECT_EQ(queue.pop()->type, Type::link_lost);
    EXPECT_EQ(queue.pop()->type, Type::refused);
    EXPECT_EQ(queue.pop()->count, 200u);
    for (int i = 0; i < 1000; ++i) queue.push(event(i % 2 == 0 ? Type::link_up : Type::link_lost));
    EXPECT_EQ(queue.size(), link_events_max);
    TransportEvent last;
    while (const auto next = queue.pop()) last = *next;
    EXPECT_EQ(last.type, Type::link_lost);
}

}  // namespace
}  // namespace umbra::zeromq
