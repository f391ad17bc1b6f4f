#include "integration/host/support.hpp"

#include <gmock/gmock.h>

namespace umbra::host::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* rude = "umbra-probe-rude.so";

class StopTest : public PluginTest {
protected:
    std::unique_ptr<ProbeHandle> make(const std::string& mode) {
        values.emplace(mode);
        auto made = ProbeHandle::make(load("good", rude), spec(*values), surroundings());
        if (!made) {
            ADD_FAILURE() << made.error().message;
            std::abort();
        }
        return std::move(*made);
    }
    std::optional<Values> values;
    Answer<Done> stopped, again;
    Answer<ProbeResult> open, late;
};

TEST_F(StopTest, OpenOperationsAreAnsweredBeforeTheStop) {
    auto transport = TransportHandle::make(load("good", "umbra-transport-echo.so"),
                                           spec(Values("", 0)), surroundings());
    ASSERT_TRUE(transport.ok());
    std::vector<std::string> order;
    (*transport)->next_event(Deadline::none(), [&](Result<TransportEvent> event) {
        order.push_back(event ? "event" : event.error().message);
    });
    (*transport)->stop(Deadline::after(1s), [&](Result<Done> done) {
        order.push_back(done ? "stopped" : done.error().message);
    });
    loop.run_queued();
    EXPECT_THAT(order,
                ElementsAre("transport main (echo 1.0.0): next_event failed: stopping", "stopped"));
    EXPECT_THAT(lines.all(), IsEmpty());
}

TEST_F(StopTest, NewCallsAreClosedOnceStopBegan) {
    auto probe = make("ok");
    probe->stop(Deadline::after(1s), stopped.callback());
    probe->check(Deadline::after(1s), late.callback());
    probe->stop(Deadline::after(1s), again.callback());
    loop.run_queued();
    EXPECT_TRUE(stopped.here() && stopped.result->ok());
    EXPECT_EQ(
        late.error(),
        (Error{Errc::closed, "probe main (rude 1.0.0): is stopping, so check was not begun"}));
    EXPECT_EQ(again.error(),
              (Error{Errc::closed, "probe main (rude 1.0.0): is being stopped already"}));
    Answer<ProbeResult> after;
    probe->check(Deadline::after(1s), after.callback());
    loop.run_queued();
    EXPECT_EQ(after.error().code, Errc::closed);
}

TEST_F(StopTest, PluginThatDoesNotStopInTimeIsNamedAndLeftAsItIs) {
    auto probe = make("never");
    probe->check(Deadline::none(), open.callback());
    probe->stop(Deadline::after(10s), stopped.callback());
    loop.advance(9999ms);
    EXPECT_FALSE(stopped.here());
    EXPECT_FALSE(open.here());
    loop.advance(1ms);
    ASSERT_TRUE(stopped.here());
    EXPECT_EQ(stopped.error().code, Errc::timeout);
    EXPECT_EQ(open.error(),
              (Error{Errc::closed, "probe main (rude 1.0.0): stopped before check was answered"}));
    EXPECT_THAT(lines.all(),
                ElementsAre(::testing::AllOf(
                    HasSubstr("error probe/main: probe main (rude 1.0.0): did not stop (probe main "
                              "(rude 1.0.0): stop gave no answer within 10 s), operations open: "
                              "check for "),
                    HasSubstr("; it is left as it is until exit"))));
    probe.reset();
    EXPECT_EQ(loop.timers(), 0u);
}

TEST_F(StopTest, CompletionsAfterTheHandleIsGoneTouchNothing) {
    auto probe = make("late-at-stop");
    probe->check(Deadline::none(), open.callback());
    probe->stop(Deadline::after(1s), stopped.callback());
    loop.advance(1s);  // tells the plugin's thread to answer, some time
    ASSERT_TRUE(stopped.here());
    probe.reset();
    loop.run_queued();
    EXPECT_EQ(stopped.calls, 1);
    EXPECT_EQ(open.calls, 1);
}

TEST_F(StopTest, PluginThatFailsToStopIsLeftAsItIs) {
    auto probe = make("fails-to-stop");
    probe->stop(Deadline::after(1s), stopped.callback());
    loop.run_queued();
    EXPECT_EQ(stopped.error().message, "probe main (rude 1.0.0): stop failed: jammed");
    EXPECT_THAT(lines.all(), ElementsAre(HasSubstr("did not stop (probe main (rude 1.0.0): stop "
                                                   "failed: jammed), no operation open")));
}

TEST_F(StopTest, PluginThatStopsWithOperationsOpenIsNamedAndTheirCallersAreAnswered) {
    auto probe = make("stops-anyway");
    probe->check(Deadline::none(), open.callback());
    probe->stop(Deadline::after(1s), stopped.callback());
    loop.run_queued();
    ASSERT_TRUE(stopped.here() && stopped.result->ok());
    EXPECT_EQ(open.error().code, Errc::closed);
    EXPECT_THAT(lines.all(), ElementsAre(HasSubstr("the plugin said that it stopped, with "
                                                   "operations open: check for ")));
}

TEST_F(StopTest, HandleDroppedWithoutStopIsNamedAndItsCallbacksDoNotRun) {
    auto probe = make("ok");
    probe->check(Deadline::after(1s), open.callback());
    EXPECT_GT(loop.queued(), 0u);
    probe.reset();
    loop.run_queued();
    loop.advance(2s);
    EXPECT_FALSE(open.here());
    EXPECT_THAT(lines.all(),
                ElementsAre("error probe/main: probe main (rude 1.0.0): was dropped without "
                            "stop(); it is left as it is until exit"));
}

TEST_F(StopTest, RefusalThatIsOnItsWayDoesNotRunOnceTheHandleIsGone) {
    auto probe = make("ok");
    probe->stop(Deadline::after(1s), stopped.callback());
    loop.run_queued();
    probe->check(Deadline::after(1s), late.callback());
    EXPECT_GT(loop.queued(), 0u);
    probe.reset();
    loop.run_queued();
    EXPECT_TRUE(stopped.here());
    EXPECT_FALSE(late.here());
}

TEST_F(StopTest, HandleMayBeDestroyedInItsOwnStopCallback) {
    auto probe = make("ok");
    probe->stop(Deadline::after(1s), [&](Result<Done> done) {
        EXPECT_TRUE(done.ok());
        probe.reset();
    });
    loop.run_queued();
    EXPECT_EQ(probe, nullptr);
    EXPECT_THAT(lines.all(), IsEmpty());
}

}  // namespace
}  // namespace umbra::host::test
