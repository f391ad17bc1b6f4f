#include "integration/host/support.hpp"

#include <gmock/gmock.h>

#include <sys/stat.h>

namespace umbra::host::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* rude_file = "umbra-probe-rude.so";
constexpr const char* manners_file = "umbra-probe-manners.so";
constexpr std::size_t manners_options = 4;

/// How one call ends, for every way in which a plugin may end it.
class CallsTest : public PluginTest {
protected:
    void make(const std::string& file, const std::string& mode) {
        values.emplace(mode, file == manners_file ? manners_options : 1);
        auto made = ProbeHandle::make(load("good", file), spec(*values), surroundings());
        ASSERT_TRUE(made.ok()) << made.error().message;
        probe = std::move(*made);
    }
    /// The refusal that a check ends with; the good detail where it ends well.
    std::string checked(const std::string& file, const std::string& mode) {
        make(file, mode);
        if (!probe) return "not made";
        Answer<ProbeResult> answer;
        probe->check(Deadline::after(1s), answer.callback());
        EXPECT_TRUE(loop.run_until([&] { return answer.here(); }));
        loop.run_queued();
        EXPECT_EQ(answer.calls, 1);
        error = answer.error();
        const std::string text = answer.result->ok() ? (*answer.result)->detail : error.message;
        stop();
        return text;
    }
    void stop() {
        Answer<Done> stopped;
        probe->stop(Deadline::after(5s), stopped.callback());
        EXPECT_TRUE(loop.run_until([&] { return stopped.here(); }));
        stats = probe->stats();
        probe.reset();
    }

    std::optional<Values> values;
    std::unique_ptr<ProbeHandle> probe;
    Error error;
    CallStats stats;
};

TEST_F(CallsTest, OtherOptionsCrossTheBorderAndAFailureChangesNothing) {
    make(manners_file, "ok");
    EXPECT_TRUE(probe->changes_options());
    const auto change = [&](const std::string& mode, std::size_t count) {
        const Values other{mode, count};
        Answer<Done> answer;
        probe->change_options(other.raw.data(), other.raw.size(), Deadline::after(1s),
                              answer.callback());
        EXPECT_TRUE(loop.run_until([&] { return answer.here(); }));
        return answer.result->ok() ? std::string{"done"} : answer.error().message;
    };
    const auto detail = [&] {
        Answer<ProbeResult> answer;
        probe->check(Deadline::after(1s), answer.callback());
        EXPECT_TRUE(loop.run_until([&] { return answer.here(); }));
        return (*answer.result)->detail;
    };
    EXPECT_EQ(detail(), "fine");
    EXPECT_EQ(change("who", manners_options), "done");
    EXPECT_NE(detail(), "fine");
    EXPECT_THAT(change("throw", manners_options), HasSubstr("never"));
    EXPECT_THAT(change("ok", manners_options - 1), HasSubstr("has 4 options, was given 3 values"));
    EXPECT_NE(detail(), "fine");
    stop();
}

TEST_F(CallsTest, OptionsOfAPluginThatCannotChangeThemAreRefused) {
    make(rude_file, "ok");
    EXPECT_FALSE(probe->changes_options());
    Answer<Done> answer;
    probe->change_options(values->raw.data(), values->raw.size(), Deadline::after(1s),
                          answer.callback());
    EXPECT_TRUE(loop.run_until([&] { return answer.here(); }));
    EXPECT_EQ(answer.error().code, Errc::unsupported);
    stop();
}

TEST_F(CallsTest, AnswerCrossesTheBorder) {
    make(manners_file, "ok");
    Answer<ProbeResult> answer;
    probe->check(Deadline::after(1s), answer.callback());
    EXPECT_FALSE(answer.here()) << "a callback never runs inside the call";
    loop.run_queued();
    ASSERT_TRUE(answer.here() && answer.result->ok());
    EXPECT_EQ((*answer.result)->health, Health::healthy);
    EXPECT_EQ((*answer.result)->latency, 42us);
    EXPECT_EQ((*answer.result)->detail, "fine");
    EXPECT_EQ(loop.timers(), 0u) << "the deadline of an answered call is taken back";
    stop();
}

TEST_F(CallsTest, AnswerOfAnotherThreadComesOnTheHostsThread) {
    EXPECT_EQ(checked(manners_file, "thread"), "fine");
}

TEST_F(CallsTest, ProbeInPlainCAnswers) {
    const Values none("", 0);
    auto made = ProbeHandle::make(load("good", "umbra-probe-bare.so"), spec(none), surroundings());
    ASSERT_TRUE(made.ok());
    Answer<ProbeResult> answer;
    (*made)->check(Deadline::none(), answer.callback());
    loop.run_queued();
    ASSERT_TRUE(answer.here() && answer.result->ok());
    EXPECT_EQ((*answer.result)->detail, "written in C");
    (*made)->stop(Deadline::after(1s), [](Result<Done>) {});
    loop.run_queued();
}

TEST_F(CallsTest, PluginIsToldWhoItIsAndHasAPrivateDirectory) {
    EXPECT_EQ(checked(manners_file, "who"), "alpha main " + (directory / "state").string());
    struct stat status {};
    ASSERT_EQ(::stat((directory / "state").c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0700u);
}

TEST_F(CallsTest, ExceptionKeepsItsTextAndGetsTheContextOnce) {
    EXPECT_EQ(checked(manners_file, "throw"),
              "probe main (manners 0.3.0): check failed: parser exploded");
    EXPECT_EQ(error.code, Errc::internal);
}

TEST_F(CallsTest, FailureThatIsThrownKeepsItsCode) {
    EXPECT_EQ(checked(manners_file, "throw-failure"),
              "probe main (manners 0.3.0): check failed: try tomorrow");
    EXPECT_EQ(error.code, Errc::unavailable);
}

TEST_F(CallsTest, SystemErrorKeepsItsNumber) {
    EXPECT_EQ(checked(manners_file, "throw-errno"),
              "probe main (manners 0.3.0): check failed: Connection refused");
    EXPECT_EQ(error.sys_errno, ECONNREFUSED);
}

TEST_F(CallsTest, ExceptionOfUnknownTypeIsAnError) {
    EXPECT_EQ(checked(manners_file, "throw-int"),
              "probe main (manners 0.3.0): check failed: an exception of unknown type");
}

TEST_F(CallsTest, DroppedReplyIsAnErrorOnWhateverThreadItWasDropped) {
    const std::string text =
        "probe main (manners 0.3.0): check failed: the plugin dropped the request without an "
        "answer";
    EXPECT_EQ(checked(manners_file, "drop"), text);
    EXPECT_EQ(checked(manners_file, "drop-in-thread"), text);
}

TEST_F(CallsTest, ExceptionInCreateIsItsRefusal) {
    const Values given("throw-in-create", manners_options);
    const auto made = ProbeHandle::make(load("good", manners_file), spec(given), surroundings());
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().message,
              "probe main (manners 0.3.0): create failed: cannot resolve boom");
}

TEST_F(CallsTest, CreateThatFailsWithoutATextStillNamesItsCode) {
    const Values given("fails-silently");
    const auto made = ProbeHandle::make(load("good", rude_file), spec(given), surroundings());
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error(),
              (Error{Errc::denied, "probe main (rude 1.0.0): create failed: denied"}));
}

TEST_F(CallsTest, CreateThatMakesNothingIsAnError) {
    const Values none("", 0);
    const auto made =
        ProbeHandle::make(load("no_instance", "umbra-probe-bare.so"), spec(none), surroundings());
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().message,
              "probe main (bare 2.1.0): create failed: the plugin made no instance");
}

TEST_F(CallsTest, WrongKindAndWrongNumberOfValuesAreRefusedBeforeCreate) {
    const Values two("ok", 2);
    const auto tunnel = TunnelHandle::make(load("good", rude_file), spec(two), surroundings());
    ASSERT_FALSE(tunnel.ok());
    EXPECT_EQ(tunnel.error().message,
              "probe main (rude 1.0.0): is a probe plugin, a tunnel plugin is needed here");
    const auto probe_made = ProbeHandle::make(load("good", rude_file), spec(two), surroundings());
    ASSERT_FALSE(probe_made.ok());
    EXPECT_EQ(probe_made.error().message,
              "probe main (rude 1.0.0): has 1 options, was given 2 values; give it its own");
}

TEST_F(CallsTest, OperationBeyondThePluginsTableIsUnsupported) {
    const Values none("", 0);
    auto made =
        ProbeHandle::make(load("no_check", "umbra-probe-bare.so"), spec(none), surroundings());
    ASSERT_TRUE(made.ok());
    Answer<ProbeResult> answer;
    (*made)->check(Deadline::after(1s), answer.callback());
    EXPECT_FALSE(answer.here());
    loop.run_queued();
    EXPECT_EQ(answer.error(),
              (Error{Errc::unsupported, "probe main (bare 2.1.0): does not have check"}));
    (*made)->stop(Deadline::after(1s), [](Result<Done>) {});
    loop.run_queued();
}

TEST_F(CallsTest, DeadlineAnswersAtOnceAndTheLateCompletionIsSwallowedAndCounted) {
    make(rude_file, "late");
    Answer<ProbeResult> answer;
    probe->check(Deadline::after(500ms), answer.callback());
    loop.advance(499ms);
    EXPECT_FALSE(answer.here());
    EXPECT_EQ(probe->stats().overdue, 0u);
    loop.advance(1ms);
    ASSERT_TRUE(answer.here());
    EXPECT_EQ(
        answer.error(),
        (Error{Errc::timeout, "probe main (rude 1.0.0): check gave no answer within 500 ms"}));
    EXPECT_TRUE(loop.run_until([&] { return probe->stats().late == 1; }));
    EXPECT_EQ(answer.calls, 1);
    EXPECT_EQ(probe->stats().open, 0u);
    stop();
}

TEST_F(CallsTest, OwedCompletionIsCountedAsOverdue) {
    make(rude_file, "never");
    Answer<ProbeResult> answer;
    probe->check(Deadline::after(500ms), answer.callback());
    EXPECT_EQ(probe->stats().open, 1u);
    loop.advance(500ms);
    EXPECT_EQ(probe->stats().open, 1u);
    EXPECT_EQ(probe->stats().overdue, 1u);
    EXPECT_EQ(probe->stats().timeouts, 1u);
    Answer<Done> stopped;
    probe->stop(Deadline::after(1s), stopped.callback());
    loop.advance(1s);
}

TEST_F(CallsTest, CallWithoutTimeLeftIsNotBegun) {
    make(manners_file, "ok");
    Answer<ProbeResult> answer;
    probe->check(Deadline::at(loop.now()), answer.callback());
    loop.run_queued();
    EXPECT_EQ(answer.error(),
              (Error{Errc::timeout,
                     "probe main (manners 0.3.0): had no time left when check was to begin"}));
    EXPECT_EQ(probe->stats().calls, 0u);
    stop();
}

TEST_F(CallsTest, SecondCompletionIsIgnoredCountedAndNamedOnce) {
    make(rude_file, "twice");
    for (int i = 0; i < 3; ++i) {
        Answer<ProbeResult> answer;
        probe->check(Deadline::after(1s), answer.callback());
        loop.run_queued();
        EXPECT_EQ(answer.calls, 1);
        EXPECT_TRUE(answer.result->ok());
    }
    EXPECT_EQ(probe->stats().twice, 3u);
    EXPECT_THAT(lines.all(),
                ElementsAre("error probe/main: probe main (rude 1.0.0): the plugin completed check "
                            "twice; the second answer was ignored"));
    stop();
}

TEST_F(CallsTest, AnswersThatBreakTheRulesAreErrorsOfThePlugin) {
    const std::string failed = "probe main (rude 1.0.0): check failed: ";
    const std::string with = failed + "the plugin answered with ";
    EXPECT_EQ(checked(rude_file, "no-status"), with + "no status");
    EXPECT_EQ(checked(rude_file, "no-result"), with + "success, but without the result");
    EXPECT_EQ(checked(rude_file, "short-result"), with + "a result of 8 bytes instead of 32");
    EXPECT_EQ(checked(rude_file, "bad-health"), with + "an unknown health 9");
    EXPECT_EQ(checked(rude_file, "bad-code"), with + "the unknown code 99: odd");
    EXPECT_EQ(error.code, Errc::internal);
    EXPECT_EQ(checked(rude_file, "no-text"), failed + "exhausted");
    EXPECT_EQ(checked(rude_file, "dirty-text"), failed + "a?b?");
    EXPECT_EQ(error.code, Errc::refused);
}

TEST_F(CallsTest, CallThatBlocksIsCountedAndNamedOnce) {
    make(manners_file, "slow");
    for (int i = 0; i < 2; ++i) {
        Answer<ProbeResult> answer;
        probe->check(Deadline::after(1s), answer.callback());
        loop.run_queued();
        EXPECT_TRUE(answer.here());
    }
    EXPECT_GE(probe->stats().slow, 2u);
    const auto named = [&] {
        std::vector<std::string> checks;
        for (const auto& line : lines.slow())
            if (line.find("check") != std::string::npos) checks.push_back(line);
        return checks;
    }();
    EXPECT_THAT(named, ElementsAre(::testing::MatchesRegex(
                           "warn probe/main: probe main .manners 0.3.0.: check held the thread "
                           "of the host for [0-9]+ ms; a plugin must return within 10 ms")));
    stop();
}

TEST_F(CallsTest, CreateThatBlocksIsNamedToo) {
    make(manners_file, "slow-create");
    EXPECT_THAT(lines.slow(),
                ::testing::Contains(HasSubstr("create held the thread of the host for ")));
    stop();
}

TEST_F(CallsTest, LinesOfThePluginGoToTheSinkWithItsRoomAndOnOneLine) {
    EXPECT_EQ(checked(manners_file, "log"), "fine");
    EXPECT_THAT(lines.all(), ElementsAre("info probe/main: first line?second line"));
}

TEST_F(CallsTest, ManyCallsMayBeOpenAndLeaveNothingBehind) {
    make(manners_file, "ok");
    int answers = 0;
    constexpr int count = 2000;
    for (int i = 0; i < count; ++i)
        probe->check(Deadline::after(1s),
                     [&](Result<ProbeResult> r) { answers += r.ok() ? 1 : 0; });
    EXPECT_EQ(probe->stats().calls, static_cast<std::uint64_t>(count));
    loop.run_queued();
    EXPECT_EQ(answers, count);
    EXPECT_EQ(probe->stats().open, 0u);
    EXPECT_EQ(loop.timers(), 0u);
    EXPECT_THAT(lines.all(), IsEmpty());
    stop();
}

TEST_F(CallsTest, HandleMayBeUsedInsideACallback) {
    make(manners_file, "ok");
    Answer<ProbeResult> second;
    probe->check(Deadline::after(1s), [&](Result<ProbeResult>) {
        probe->check(Deadline::after(1s), second.callback());
    });
    loop.run_queued();
    EXPECT_TRUE(second.here());
    stop();
}

}  // namespace
}  // namespace umbra::host::test
