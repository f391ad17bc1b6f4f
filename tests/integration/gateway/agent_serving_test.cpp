// What clients get: mappings, the gate, drains.

#include "integration/gateway/agent_case.hpp"

namespace umbra::gateway {
namespace {

using namespace umbra::gateway::testing;

TEST_F(AgentTest, ServesAMappingOnceItIsActive) {
    open_to_active();
    auto c = client();
    EXPECT_TRUE(echoes(*c, pattern(3u << 20, 1)));
    EXPECT_EQ(c->status->code, StatusCode::ok);
    ASSERT_TRUE(until([&] { return last(TunnelEvent::Type::state)->streams == 1; }));
    c->user->outer.shutdown(tcp::socket::shutdown_send);
    ASSERT_TRUE(until([&] { return c->end == StreamEnd::finished; }));
    ASSERT_TRUE(until([&] { return last(TunnelEvent::Type::state)->streams == 0; }));
}

TEST_F(AgentTest, ServesNothingBeforeItIsActiveAndNoOtherEpoch) {
    open_to_standby();
    auto early = client();
    ASSERT_TRUE(answered(*early));
    EXPECT_EQ(early->status->code, StatusCode::stale_epoch);
    Op<Done> activated;
    played.view.epoch = 2;
    tunnel->activate(2, activated.reply());
    ASSERT_TRUE(until([&] { return activated.done(); }));
    for (const std::uint64_t epoch : {1u, 3u}) {
        auto other = client("crm.cloud", 80, epoch);
        ASSERT_TRUE(answered(*other));
        EXPECT_EQ(other->status->code, StatusCode::stale_epoch) << epoch;
    }
    auto right = client("crm.cloud", 80, 2);
    EXPECT_TRUE(echoes(*right, "hello"));
    EXPECT_EQ(backend.accepted, 1u);
}

TEST_F(AgentTest, WhatIsNotListedIsDeniedAndCounted) {
    spec.mappings.push_back(mapping("off", "off.cloud", 80));
    spec.mappings.back().active = false;
    spec.mappings.push_back(mapping("web", "web.cloud", 80));
    spec.mappings.back().protocol = "udp";
    open_to_active();
    for (const auto& [name, port] : std::vector<std::pair<std::string, std::uint16_t>>{
             {"no.cloud", 80}, {"crm.cloud", 81}, {"off.cloud", 80}}) {
        auto c = client(name, port);
        ASSERT_TRUE(answered(*c));
        EXPECT_EQ(c->status->code, StatusCode::denied) << name;
    }
    auto http = client("web.cloud");
    ASSERT_TRUE(answered(*http));
    EXPECT_EQ(http->status->code, StatusCode::refused);
    EXPECT_NE(http->status->text.find("udp"), std::string::npos);
    ASSERT_TRUE(until([&] {
        std::uint64_t count = 0;
        for (const auto& event : events)
            if (event.type == TunnelEvent::Type::denied) count += event.count;
        return count == 3;
    }));
    EXPECT_NE(last(TunnelEvent::Type::denied)->detail.find("203.0.113.9"), std::string::npos);
    EXPECT_EQ(backend.accepted, 0u);
}

TEST_F(AgentTest, ABackendThatRefusesIsTold) {
    spec.mappings[0].internal_port = 1;
    open_to_active();
    auto c = client();
    ASSERT_TRUE(answered(*c));
    EXPECT_EQ(c->status->code, StatusCode::refused);
    EXPECT_NE(c->status->text.find("127.0.0.1:1: Connection refused"), std::string::npos)
        << c->status->text;
}

TEST_F(AgentTest, OtherMappingsApplyWithoutTouchingUnrelatedStreams) {
    spec.mappings.push_back(mapping("erp", "erp.cloud", 80));
    open_to_active();
    auto crm = client("crm.cloud");
    auto erp = client("erp.cloud");
    ASSERT_TRUE(echoes(*crm, "one") && echoes(*erp, "one"));
    spec.mappings[1].active = false;
    spec.mappings.push_back(mapping("new", "new.cloud", 80));
    Op<Done> configured;
    tunnel->configure(spec, configured.reply());
    ASSERT_TRUE(until([&] { return configured.done() && erp->end; }));
    EXPECT_EQ(*erp->end, StreamEnd::reset);
    EXPECT_TRUE(echoes(*crm, "two"));
    auto fresh = client("new.cloud");
    EXPECT_TRUE(echoes(*fresh, "three"));
}

TEST_F(AgentTest, AHigherEpochCutsItsStreamsAndIsReported) {
    open_to_active();
    auto c = client();
    ASSERT_TRUE(echoes(*c, "one"));
    played.view.epoch = 2;
    played.view.holder = "beta";
    played.push(msg::Fenced{played.view, false});
    ASSERT_TRUE(until([&] { return c->end && last(TunnelEvent::Type::fenced); }));
    EXPECT_EQ(*c->end, StreamEnd::reset);
    EXPECT_EQ(last(TunnelEvent::Type::fenced)->reg.epoch, 2u);
    EXPECT_EQ(last(TunnelEvent::Type::fenced)->reg.holder, "beta");
    EXPECT_EQ(last(TunnelEvent::Type::fenced)->state, TunnelState::standby);
    auto late = client();
    ASSERT_TRUE(answered(*late));
    EXPECT_EQ(late->status->code, StatusCode::stale_epoch);
    const auto fences = std::count_if(events.begin(), events.end(), [](const TunnelEvent& e) {
        return e.type == TunnelEvent::Type::fenced;
    });
    EXPECT_EQ(fences, 1) << "told once for each link";
}

TEST_F(AgentTest, FencedAfterAnAgreedHandoverItsStreamsMayEnd) {
    open_to_active();
    auto c = client();
    ASSERT_TRUE(echoes(*c, "one"));
    played.view.epoch = 2;
    played.view.holder = "beta";
    played.push(msg::Fenced{played.view, true});
    ASSERT_TRUE(until([&] { return state() == TunnelState::draining; }));
    EXPECT_TRUE(echoes(*c, "two"));
    c->user->outer.shutdown(tcp::socket::shutdown_send);
    ASSERT_TRUE(until([&] { return state() == TunnelState::standby; }));
}

TEST_F(AgentTest, ADrainTakesNoNewStreamsAndEndsWithTheLastOne) {
    open_to_active();
    auto c = client();
    ASSERT_TRUE(echoes(*c, "one"));
    Op<Done> drained;
    tunnel->drain(30s, drained.reply());
    ASSERT_TRUE(until([&] { return played.got<msg::Drain>().size() == 1; }));
    auto late = client();
    ASSERT_TRUE(answered(*late));
    EXPECT_EQ(late->status->code, StatusCode::draining);
    EXPECT_TRUE(echoes(*c, "two"));
    EXPECT_FALSE(drained.done());
    c->user->outer.shutdown(tcp::socket::shutdown_send);
    ASSERT_TRUE(until([&] { return drained.done() && c->end && state() == TunnelState::standby; }));
    EXPECT_TRUE(drained.ok());
    EXPECT_EQ(*c->end, StreamEnd::finished);
}

TEST_F(AgentTest, TheGraceOfADrainEnds) {
    open_to_active();
    auto c = client();
    ASSERT_TRUE(echoes(*c, "one"));
    Op<Done> drained;
    tunnel->drain(50ms, drained.reply());
    ASSERT_TRUE(until([&] { return drained.done() && c->end; }));
    EXPECT_TRUE(drained.ok());
    EXPECT_EQ(*c->end, StreamEnd::reset);
}

}  // namespace
}  // namespace umbra::gateway
