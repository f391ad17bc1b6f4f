// Links that break, processes that freeze, answers of the register, and the end.

#include "integration/gateway/agent_case.hpp"

#include <thread>

namespace umbra::gateway {
namespace {

using namespace umbra::gateway::testing;

TEST_F(AgentTest, RegisterQuestionsAreAnswered) {
    open_to_active();
    Op<Done> first, older, consented;
    tunnel->set_in_sync(1, 5, {{"beta", "i2"}, {"alpha", "i1"}}, first.reply());
    tunnel->set_in_sync(1, 4, {{"alpha", "i1"}}, older.reply());
    tunnel->consent(1, "beta", consented.reply());
    Op<ClaimResult> claimed;
    tunnel->claim(9, umbra::ClaimReason::forced, claimed.reply());
    ASSERT_TRUE(
        until([&] { return first.done() && older.done() && consented.done() && claimed.done(); }));
    EXPECT_TRUE(first.ok());
    EXPECT_EQ(older.code, UMBRA_CONFLICT);
    EXPECT_EQ(older.message, "a newer set is known");
    EXPECT_TRUE(consented.ok());
    ASSERT_TRUE(claimed.ok()) << "a refusal is a result";
    EXPECT_FALSE(claimed.value.granted);
    EXPECT_EQ(claimed.value.detail, "too old");
    EXPECT_EQ(claimed.value.reg.epoch, 1u);
    EXPECT_EQ(played.got<msg::InSync>().at(0).members,
              (std::vector<Member>{{"alpha", "i1"}, {"beta", "i2"}}));
    EXPECT_EQ(played.got<msg::Claim>().at(1).reason, ClaimReason::forced);
}

TEST_F(AgentTest, ALostHolderIsReported) {
    open_to_standby();
    played.view.epoch = 4;
    played.view.holder = "beta";
    played.any()->send(msg::HolderLost{played.view});
    ASSERT_TRUE(until([&] { return last(TunnelEvent::Type::holder_lost).has_value(); }));
    EXPECT_EQ(last(TunnelEvent::Type::holder_lost)->reg.holder, "beta");
}

TEST_F(AgentTest, RedialsAndServesOnWhenNothingWasGrantedMeanwhile) {
    open_to_active();
    played.go_away();
    ASSERT_TRUE(until([&] { return state() == TunnelState::connecting; }));
    Op<ClaimResult> claimed;
    tunnel->claim(2, umbra::ClaimReason::first, claimed.reply());
    ASSERT_TRUE(until([&] { return claimed.done(); }));
    EXPECT_EQ(claimed.code, UMBRA_UNAVAILABLE);
    ASSERT_TRUE(until([&] {
        const std::string detail = last(TunnelEvent::Type::state)->detail;
        return detail.find("Connection refused; attempt") != std::string::npos &&
               detail.find(" ms") != std::string::npos;
    })) << last(TunnelEvent::Type::state)->detail;
    played.peers.clear();
    played.come_back();
    ASSERT_TRUE(until([&] { return state() == TunnelState::active && played.up() == 2; }));
    auto c = client();
    EXPECT_TRUE(echoes(*c, "again"));
}

TEST_F(AgentTest, OneOfTwoLinksIsEnoughToServe) {
    open_to_active();
    played.peers[0]->link->close("cut");
    ASSERT_TRUE(until([&] { return played.peers.size() > 2 && played.up() == 2; }));
    EXPECT_TRUE(std::none_of(events.begin(), events.end(), [](const TunnelEvent& e) {
        return e.type == TunnelEvent::Type::state && e.state == TunnelState::connecting &&
               e.links == 0 && !e.detail.empty() && e.detail.find("closed by") != std::string::npos;
    }));
    auto c = client();
    EXPECT_TRUE(echoes(*c, "still"));
}

TEST_F(AgentTest, EveryLinkThatComesBackIsToldThatItIsActive) {
    // Behind a silent cut the other link looks whole while the gateway it leads to is gone; the one
    // that answers now is another process and routes to nobody before it is told.
    open_to_active();
    played.peers[0]->link->close("cut");
    const auto told = [](const ControlMessage& m) {
        return std::holds_alternative<msg::Activate>(m);
    };
    ASSERT_TRUE(until([&] {
        return played.peers.size() > 2 && std::ranges::any_of(played.peers[2]->control, told);
    }));
    EXPECT_EQ(state(), TunnelState::active);
}

TEST_F(AgentTest, AFrozenNodeServesNothingWhenItWakesAndReportsThatItIsFenced) {
    open_to_active();
    const std::size_t before = backend.accepted;
    host.freeze();
    (void)client("no.cloud");  // Denials are logged: there it stops.
    ASSERT_TRUE(until([&] { return host.is_standing(); }));
    auto late = client();
    late->user->write("order one more");
    const Instant since = boot_now();
    ASSERT_TRUE(until([&] { return boot_now() - since > 400ms; }));  // More than the lease.
    played.view.epoch = 2;
    played.view.holder = "beta";
    played.push(msg::Fenced{played.view, false});
    for (auto& peer : played.peers) peer->link->close("fenced");
    host.thaw();
    ASSERT_TRUE(
        until([&] { return last(TunnelEvent::Type::fenced) && state() == TunnelState::standby; }));
    EXPECT_EQ(last(TunnelEvent::Type::fenced)->reg.epoch, 2u);
    EXPECT_EQ(backend.accepted, before) << "a stream of the time before was served";
}

TEST_F(AgentTest, StopCompletesEverythingAndLeavesNoThread) {
    const auto threads = [] {
        std::size_t count = 0;
        for ([[maybe_unused]] const auto& task :
             std::filesystem::directory_iterator("/proc/self/task"))
            ++count;
        return count;
    };
    // The first thread that a process makes may bring another one of a sanitizer with it.
    std::thread([] {}).join();
    const std::size_t before = threads();
    open_to_active();
    auto c = client();
    ASSERT_TRUE(echoes(*c, "one"));
    Op<Done> drained, stopped;
    tunnel->drain(1h, drained.reply());
    tunnel->stop(stopped.reply());
    ASSERT_TRUE(until([&] { return stopped.done() && c->end; }));
    EXPECT_TRUE(stopped.ok());
    EXPECT_EQ(drained.code, UMBRA_CLOSED);
    EXPECT_EQ(asked->code, UMBRA_CLOSED);
    Op<Done> late;
    tunnel->configure(spec, late.reply());
    EXPECT_EQ(late.code, UMBRA_CLOSED);
    tunnel.reset();
    EXPECT_EQ(threads(), before);
}

}  // namespace
}  // namespace umbra::gateway
