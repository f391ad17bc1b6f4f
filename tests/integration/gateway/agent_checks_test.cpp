// What a tunnel leads to, tried from the instance.

#include "integration/gateway/agent_case.hpp"
#include "integration/gateway/reserved_port.hpp"

#include <gmock/gmock.h>

namespace umbra::gateway {
namespace {

using namespace umbra::gateway::testing;
using ::testing::HasSubstr;
using Outcome = TunnelCheck::Outcome;

class AgentChecksTest : public AgentTest {
protected:
    std::vector<TunnelCheck> check() {
        Op<std::vector<TunnelCheck>> checked;
        tunnel->check(checked.reply());
        EXPECT_TRUE(until([&] { return checked.done(); }));
        EXPECT_TRUE(checked.ok()) << checked.message;
        return checked.value;
    }
    /// The gateway's answer to the next stream that the agent opens.
    void answer(const std::function<void(Stream&)>& act) {
        const auto before = played.offered.size();
        asio::post(io, [this, act, before] { answer_once(act, before); });
    }

    ReservedPort dead{io};

private:
    void answer_once(const std::function<void(Stream&)>& act, std::size_t before) {
        if (played.offered.size() > before) return act(*played.offered.back());
        if (!tunnel) return;
        asio::post(io, [this, act, before] { answer_once(act, before); });
    }
};

TEST_F(AgentChecksTest, EveryBackendOfEveryMappingIsTriedAlsoOnAShadow) {
    spec.mappings[0].backends = {{"127.0.0.1", backend.port()}, {"127.0.0.1", dead.port(), true}};
    spec.mappings.push_back(mapping("off", "off.cloud", 80));
    spec.mappings.back().active = false;
    spec.mappings.push_back(mapping("range", "range.cloud", 80));
    spec.mappings.back().virtual_port_last = 89;
    spec.channels = {{"db", "127.0.0.1:1", "db.cloud:5432"}};
    open_to_standby();
    const auto checks = check();
    ASSERT_EQ(checks.size(), 5u);
    EXPECT_EQ(checks[0].outcome, Outcome::ok) << checks[0].detail;
    EXPECT_EQ(checks[0].name, "crm");
    EXPECT_EQ(checks[0].target, "127.0.0.1:" + std::to_string(backend.port()));
    EXPECT_GT(checks[0].latency, Duration::zero());
    EXPECT_EQ(checks[1].outcome, Outcome::failed);
    EXPECT_THAT(checks[1].detail,
                HasSubstr("cannot reach " + dead.address() + ": Connection refused"));
    EXPECT_EQ(checks[2].outcome, Outcome::skipped);
    EXPECT_EQ(checks[2].detail, "suspended");
    EXPECT_EQ(checks[3].outcome, Outcome::ok);
    EXPECT_EQ(checks[3].detail, "the first of 10 ports");
    EXPECT_EQ(checks[4].kind, TunnelCheck::Kind::channel);
    EXPECT_EQ(checks[4].outcome, Outcome::skipped);
    EXPECT_TRUE(played.offered.empty()) << "a shadow cannot call out";
}

TEST_F(AgentChecksTest, TlsIsTriedToo) {
    spec.mappings[0].protocol = "tcp+tls";
    options.connect_timeout = 500ms;
    open_to_standby();
    const auto checks = check();
    ASSERT_EQ(checks.size(), 1u);
    EXPECT_EQ(checks[0].outcome, Outcome::failed) << "an echo speaks no TLS";
    EXPECT_THAT(checks[0].detail, HasSubstr("TLS to 127.0.0.1"));
}

TEST_F(AgentChecksTest, ATriedChannelIsOpenedAtTheGatewayAndGivenUp) {
    const ReservedPort port(io);
    spec.channels = {{"db", port.address(), "db.cloud:5432"}};
    open_to_active();
    std::optional<StreamEnd> end;
    answer([&](Stream& stream) {
        EXPECT_EQ(stream.request().host, "db.cloud");
        stream.listen({.on_status = {}, .on_closed = [&](StreamEnd e, auto&) { end = e; }});
        auto [inner, outer] = connected_pair(io, io);
        stream.attach(std::move(inner));
        users.push_back(std::make_unique<User>(std::move(outer)));
        users.back()->read_on();
    });
    auto checks = check();
    ASSERT_EQ(checks.size(), 2u);
    EXPECT_EQ(checks[1].outcome, Outcome::ok) << checks[1].detail;
    EXPECT_TRUE(until([&] { return end == StreamEnd::reset; }));
    EXPECT_TRUE(users.back()->in.empty()) << "not one byte was sent";

    answer([](Stream& stream) { stream.refuse(StatusCode::denied, "no channel permits it"); });
    checks = check();
    EXPECT_EQ(checks[1].outcome, Outcome::failed);
    EXPECT_EQ(checks[1].detail, "denied, no channel permits it");
}

TEST_F(AgentChecksTest, MoreThanAreTriedAtOnceAreAllTried) {
    spec.mappings[0].backends.assign(checks_at_once + 1, {"127.0.0.1", dead.port()});
    open_to_standby();
    const auto checks = check();
    ASSERT_EQ(checks.size(), checks_at_once + 1);
    for (const auto& one : checks) EXPECT_EQ(one.outcome, Outcome::failed);
}

TEST_F(AgentChecksTest, AStopAnswersWhoWaitsForACheck) {
    const ReservedPort port(io);
    spec.channels = {{"db", port.address(), "db.cloud:5432"}};
    open_to_active();
    Op<std::vector<TunnelCheck>> first, second;
    tunnel->check(first.reply());
    tunnel->check(second.reply());
    ASSERT_TRUE(until([&] { return played.offered.size() == 1; })) << "one check for both";
    Op<Done> stopped;
    tunnel->stop(stopped.reply());
    ASSERT_TRUE(until([&] { return stopped.done() && first.done() && second.done(); }));
    EXPECT_EQ(first.code, UMBRA_CLOSED);
    EXPECT_EQ(second.code, UMBRA_CLOSED);
    tunnel.reset();
}

}  // namespace
}  // namespace umbra::gateway
