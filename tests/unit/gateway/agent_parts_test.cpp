#include "backend_order.hpp"
#include "backoff.hpp"
#include "event_queue.hpp"
#include "mapping_table.hpp"
#include <umbra/gateway/dial.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace umbra::gateway {
namespace {

using namespace std::chrono_literals;
using Verdict = MappingTable::Decision::Verdict;

Mapping mapping(std::string name, std::string host, std::uint16_t first, std::uint16_t last) {
    return {.name = std::move(name),
            .virtual_host = std::move(host),
            .virtual_port = first,
            .virtual_port_last = last,
            .internal_host = "10.0.0.1",
            .internal_port = 8000,
            .protocol = "tcp",
            .active = true};
}

/// Where a single client would be led.
Endpoint led_to(const MappingTable& table, std::uint16_t port) {
    const auto decision = table.decide("crm.cloud", port);
    if (decision.verdict != Verdict::allow) return {};
    return BackendOrder().next(*decision.rules, decision.offset, Instant{}).front();
}

TEST(MappingTableTest, NothingIsPermittedByDefault) {
    EXPECT_EQ(MappingTable().decide("crm.cloud", 80).verdict, Verdict::deny);
    const MappingTable table({mapping("crm", "crm.cloud", 80, 80)});
    for (const char* host : {"crm.cloud.", "rm.cloud", "crm.cloudx", "CRM.cloud", ""})
        EXPECT_EQ(table.decide(host, 80).verdict, Verdict::deny) << host;
    EXPECT_EQ(table.decide("crm.cloud", 79).verdict, Verdict::deny);
    EXPECT_EQ(table.decide("crm.cloud", 81).verdict, Verdict::deny);
}

TEST(MappingTableTest, ARangeLeadsToARange) {
    const MappingTable table({mapping("crm", "crm.cloud", 100, 110)});
    EXPECT_EQ(led_to(table, 100), (Endpoint{"10.0.0.1", 8000}));
    EXPECT_EQ(led_to(table, 110), (Endpoint{"10.0.0.1", 8010}));
    EXPECT_EQ(table.decide("crm.cloud", 111).verdict, Verdict::deny);
    EXPECT_EQ(table.decide("crm.cloud", 99).verdict, Verdict::deny);
}

TEST(MappingTableTest, ARangeDoesNotRunOverTheLastPort) {
    auto high = mapping("crm", "crm.cloud", 1, 2);
    high.internal_port = 65535;
    const MappingTable table({high});
    EXPECT_EQ(led_to(table, 1).port, 65535);
    EXPECT_EQ(table.decide("crm.cloud", 2).verdict, Verdict::deny);
}

TEST(MappingTableTest, ASuspendedMappingIsDeniedAndDoesNotHideAnActiveOne) {
    auto off = mapping("off", "crm.cloud", 80, 80);
    off.active = false;
    EXPECT_EQ(MappingTable({off}).decide("crm.cloud", 80).verdict, Verdict::deny);
    const auto on = mapping("on", "crm.cloud", 70, 90);
    EXPECT_EQ(MappingTable({off, on}).decide("crm.cloud", 80).mapping, "on");
    EXPECT_EQ(MappingTable({on, off}).decide("crm.cloud", 80).mapping, "on");
}

TEST(MappingTableTest, OtherProtocolsAreNotServedAsIfTheyWereTcp) {
    for (const char* protocol : {"udp", "tcp+", ""}) {
        auto other = mapping("crm", "crm.cloud", 80, 80);
        other.protocol = protocol;
        EXPECT_EQ(MappingTable({other}).decide("crm.cloud", 80).verdict, Verdict::unsupported);
    }
}

TEST(MappingTableTest, StreamsGoOnOnlyWhileTheirOwnMappingPermitsThem) {
    const auto permits = [](const Mapping& changed) {
        return MappingTable({changed}).still_permits("crm", "crm.cloud", 80, "tcp");
    };
    EXPECT_TRUE(permits(mapping("crm", "crm.cloud", 80, 80)));
    EXPECT_TRUE(permits(mapping("crm", "crm.cloud", 70, 90)));
    EXPECT_FALSE(permits(mapping("other", "crm.cloud", 80, 80)));
    EXPECT_FALSE(permits(mapping("crm", "new.cloud", 80, 80)));
    EXPECT_FALSE(permits(mapping("crm", "crm.cloud", 81, 90)));
    auto off = mapping("crm", "crm.cloud", 80, 80);
    off.active = false;
    EXPECT_FALSE(permits(off));
}

TEST(BackoffTest, FirstRetryIsImmediateThenPausesDoubleUpToTheLimit) {
    Backoff backoff(1s);
    std::vector<Duration> pauses;
    for (int i = 0; i < 40; ++i) pauses.push_back(backoff.next(0));
    EXPECT_EQ(pauses[0], 0s);
    EXPECT_EQ(pauses[1], 100ms);
    EXPECT_EQ(pauses[2], 200ms);
    EXPECT_EQ(pauses[3], 400ms);
    EXPECT_EQ(pauses[4], 800ms);
    for (std::size_t i = 5; i < pauses.size(); ++i) EXPECT_EQ(pauses[i], 1s) << i;
    backoff.reset();
    EXPECT_EQ(backoff.next(0), 0s);
}

TEST(BackoffTest, JitterTakesAtMostHalf) {
    for (const std::uint32_t random : {0u, 1u, 500u, 1023u, 0xffffffffu}) {
        Backoff backoff(1s);
        (void)backoff.next(random);
        const Duration pause = backoff.next(random);
        EXPECT_LE(pause, 100ms);
        EXPECT_GT(pause, 49ms);
    }
}

TEST(EndpointTest, HostAndPortAreSplit) {
    EXPECT_EQ(*parse_endpoint("gw.cloud:7443"), (Endpoint{"gw.cloud", 7443}));
    EXPECT_EQ(*parse_endpoint("[2001:db8::1]:65535"), (Endpoint{"2001:db8::1", 65535}));
    EXPECT_EQ(to_text({"2001:db8::1", 1}), "[2001:db8::1]:1");
    for (const char* bad : {"", "gw", "gw:", ":1", "gw:0", "gw:65536", "gw:1x", "::1:5", "[]:1"})
        EXPECT_FALSE(parse_endpoint(bad).ok()) << bad;
}

/// Collects what one question was answered with.
struct Asked : umbra_op {
    Asked() : umbra_op{sizeof(umbra_op), &on_done, [](const umbra_op*) { return 0; }, 0} {}
    static void on_done(umbra_op* op, const umbra_status* status, const void* result) {
        auto* me = static_cast<Asked*>(op);
        me->code = status->code;
        if (result) me->event = detail::decode(*static_cast<const umbra_tunnel_event*>(result));
    }
    int code = -1;
    TunnelEvent event;
};

TunnelEvent event_of(TunnelEvent::Type type, std::uint64_t count = 0) {
    TunnelEvent event;
    event.type = type;
    event.count = count;
    return event;
}

TEST(EventQueueTest, AWaitingQuestionIsAnsweredAtOnceAndOnce) {
    EventQueue queue;
    Asked asked;
    queue.ask(Reply<TunnelEvent>{&asked});
    EXPECT_EQ(asked.code, -1);
    queue.push(event_of(TunnelEvent::Type::fenced));
    EXPECT_EQ(asked.code, UMBRA_OK);
    EXPECT_EQ(asked.event.type, TunnelEvent::Type::fenced);
    queue.push(event_of(TunnelEvent::Type::state));
    EXPECT_EQ(asked.event.type, TunnelEvent::Type::fenced);
}

TEST(EventQueueTest, NewerEventsReplaceOlderOnesOfTheirTypeAndDenialsAddUp) {
    EventQueue queue;
    for (int i = 0; i < 1000; ++i) {
        queue.push(event_of(TunnelEvent::Type::state, static_cast<std::uint64_t>(i)));
        queue.push(event_of(TunnelEvent::Type::denied, 2));
    }
    Asked first, second, third;
    queue.ask(Reply<TunnelEvent>{&first});
    queue.ask(Reply<TunnelEvent>{&second});
    queue.ask(Reply<TunnelEvent>{&third});
    EXPECT_EQ(first.event.count, 999u);
    EXPECT_EQ(second.event.count, 2000u);
    EXPECT_EQ(third.code, -1) << "there were more than two";
    queue.close();
    EXPECT_EQ(third.code, UMBRA_CLOSED);
}

TEST(EventQueueTest, ASecondQuestionIsRefusedTheFirstOneStays) {
    EventQueue queue;
    Asked first, second;
    queue.ask(Reply<TunnelEvent>{&first});
    queue.ask(Reply<TunnelEvent>{&second});
    EXPECT_EQ(second.code, UMBRA_CONFLICT);
    queue.push(event_of(TunnelEvent::Type::reg));
    EXPECT_EQ(first.code, UMBRA_OK);
    queue.close();
    Asked late;
    queue.ask(Reply<TunnelEvent>{&late});
    EXPECT_EQ(late.code, UMBRA_CLOSED);
}

}  // namespace
}  // namespace umbra::gateway
