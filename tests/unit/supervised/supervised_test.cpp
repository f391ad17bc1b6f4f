#include "integration/plugin/driver.hpp"
#include <umbra/supervised/activations.hpp>
#include <umbra/supervised/state_queue.hpp>

#include <gtest/gtest.h>

#include <chrono>

namespace umbra::supervised {
namespace {

using plugin_test::Pending;

Pending<TunnelEvent> question() {
    return Pending<TunnelEvent>{[](const void* result) {
        return detail::decode(*static_cast<const umbra_tunnel_event*>(result));
    }};
}
Pending<Done> activation(std::int64_t deadline_ns = 0) {
    return Pending<Done>{[](const void*) { return Done{}; }, deadline_ns};
}

TEST(StateQueue, WhatIsNewerReplacesWhatNobodyFetched) {
    StateQueue queue;
    queue.report(TunnelState::connecting, 0, "one");
    queue.report(TunnelState::standby, 1, "two");
    const auto asked = question();
    queue.ask(Reply<TunnelEvent>{asked.op()});
    ASSERT_TRUE(asked.ready());
    EXPECT_EQ(asked.get()->state, TunnelState::standby);
    EXPECT_EQ(asked.get()->detail, "two");
}

TEST(StateQueue, TheSameIsReportedOnce) {
    StateQueue queue;
    queue.report(TunnelState::standby, 1, "");
    const auto first = question(), second = question();
    queue.ask(Reply<TunnelEvent>{first.op()});
    queue.ask(Reply<TunnelEvent>{second.op()});
    queue.report(TunnelState::standby, 1, "");
    EXPECT_FALSE(second.ready());
    queue.report(TunnelState::standby, 0, "");
    EXPECT_TRUE(second.ready());
}

TEST(StateQueue, OneQuestionAtATimeAndNoneAfterTheEnd) {
    StateQueue queue;
    const auto first = question(), second = question(), third = question();
    queue.ask(Reply<TunnelEvent>{first.op()});
    queue.ask(Reply<TunnelEvent>{second.op()});
    EXPECT_EQ(second.get().error().code, Errc::conflict);
    queue.close();
    EXPECT_EQ(first.get().error().code, Errc::closed);
    queue.ask(Reply<TunnelEvent>{third.op()});
    EXPECT_EQ(third.get().error().code, Errc::closed);
}

TEST(Activations, AllGetTheSameAnswer) {
    boost::asio::io_context io;
    Activations activations{io, [] { return "late"; }};
    const auto first = activation(), second = activation(), third = activation();
    activations.add(Reply<Done>{first.op()});
    activations.add(Reply<Done>{second.op()});
    activations.ok();
    EXPECT_TRUE(first.get().ok());
    EXPECT_TRUE(second.get().ok());
    activations.add(Reply<Done>{third.op()});
    activations.fail(Errc::conflict, "drained");
    EXPECT_EQ(third.get().error(), (Error{Errc::conflict, "drained"}));
}

TEST(Activations, WhoWaitsTooLongIsToldWhatIsMissing) {
    boost::asio::io_context io;
    Activations activations{io, [] { return "waiting for a line"; }};
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds{200};
    const auto waiting = activation(deadline.time_since_epoch().count());
    activations.add(Reply<Done>{waiting.op()});
    io.run();
    ASSERT_TRUE(waiting.ready());
    EXPECT_EQ(waiting.get().error(), (Error{Errc::unavailable, "waiting for a line"}));
}

}  // namespace
}  // namespace umbra::supervised
