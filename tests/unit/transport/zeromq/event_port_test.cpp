#include "event_port.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace umbra::zeromq {
namespace {

/// A host's wait for one event. Must outlive the port.
struct Wait : umbra_op {
    Wait() : umbra_op{sizeof(umbra_op), &Wait::note, &Wait::asks, 0} {}
    static void note(umbra_op* op, const umbra_status* status, const void* result) {
        auto& self = *static_cast<Wait*>(op);
        ++self.answers;
        self.code = static_cast<Errc>(status->code);
        if (result != nullptr) self.id = static_cast<const umbra_transport_event*>(result)->id;
    }
    static int asks(const umbra_op* op) { return static_cast<const Wait*>(op)->canceled_ ? 1 : 0; }
    Reply<TransportEvent> reply() { return Reply<TransportEvent>{this}; }

    bool canceled_ = false;
    int answers = 0;
    Errc code{};
    std::uint64_t id = 0;
};

TransportEvent question(std::uint64_t id) {
    TransportEvent event;
    event.type = TransportEvent::Type::asked;
    event.id = id;
    event.frames = {"what?"};
    return event;
}

TEST(EventPortTest, AWaitIsAnsweredByTheNextEventAndTheOthersStayInOrder) {
    std::vector<Wait> waits(4);
    EventPort port;
    port.take(waits[0].reply());
    EXPECT_EQ(waits[0].answers, 0);
    for (const std::uint64_t id : {1u, 2u, 3u}) EXPECT_TRUE(port.push(question(id)));
    for (std::size_t i = 1; i < waits.size(); ++i) port.take(waits[i].reply());
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(waits[i].answers, 1);
        EXPECT_EQ(waits[i].id, i + 1);
    }
    EXPECT_EQ(waits[3].answers, 0);
    port.close({Errc::closed, "over"});
    EXPECT_EQ(waits[3].code, Errc::closed);
}

TEST(EventPortTest, ASecondWaitIsRefusedUntilTheFirstIsCancelled) {
    Wait first, second, third, fourth;
    EventPort port;
    port.take(first.reply());
    port.take(second.reply());
    EXPECT_EQ(second.code, Errc::conflict);
    first.canceled_ = true;
    port.take(third.reply());
    EXPECT_EQ(first.code, Errc::canceled);
    EXPECT_EQ(third.answers, 0);
    port.drop_canceled();
    EXPECT_EQ(third.answers, 0) << "it was not cancelled";
    third.canceled_ = true;
    port.drop_canceled();
    EXPECT_EQ(third.code, Errc::canceled);
    port.take(fourth.reply());
    port.push(question(7));
    EXPECT_EQ(fourth.id, 7u);
    EXPECT_EQ(first.answers + second.answers + third.answers + fourth.answers, 4);
}

TEST(EventPortTest, WhatWaitedComesAfterTheCloseAndNothingAfterTheEnd) {
    Wait one, two;
    EventPort port;
    port.push(question(1));
    port.push(question(2));
    port.close({Errc::internal, "broken"});
    port.take(one.reply());
    EXPECT_EQ(one.id, 1u);
    port.end({Errc::closed, "stopping"});
    port.take(two.reply());
    EXPECT_EQ(two.code, Errc::closed);
}

}  // namespace
}  // namespace umbra::zeromq
