// Which internal system a stream is led to, and what that one is told.

#include "integration/gateway/agent_case.hpp"

namespace umbra::gateway {
namespace {

using namespace umbra::gateway::testing;

class AgentBackendsTest : public AgentTest {
protected:
    ~AgentBackendsTest() override { stop_tunnel(); }

    /// A port on which nobody listens.
    std::uint16_t closed_port() {
        tcp::acceptor gone(io, {asio::ip::address_v4::loopback(), 0});
        return gone.local_endpoint().port();
    }
    void configure() {
        Op<Done> configured;
        tunnel->configure(spec, configured.reply());
        ASSERT_TRUE(until([&] { return configured.done(); }));
        ASSERT_TRUE(configured.ok()) << configured.message;
    }
    EchoBackend second{io};
};

TEST_F(AgentBackendsTest, BackendsTakeTurnsAndOneThatIsDownIsPassedOver) {
    spec.mappings[0].backends = {{"127.0.0.1", backend.port()}, {"127.0.0.1", second.port()}};
    open_to_active();
    auto a = client();
    auto b = client();
    ASSERT_TRUE(echoes(*a, "one") && echoes(*b, "one"));
    EXPECT_EQ(backend.accepted, 1u);
    EXPECT_EQ(second.accepted, 1u);
    spec.mappings[0].backends[0].down = true;
    configure();
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(echoes(*client(), "two"));
    EXPECT_EQ(backend.accepted, 1u);
    EXPECT_EQ(second.accepted, 4u);
    EXPECT_TRUE(echoes(*a, "three")) << "its stream is not touched";
    spec.mappings[0].backends[1].down = true;
    configure();
    EXPECT_TRUE(echoes(*client(), "four")) << "when all are down they are tried in order";
    EXPECT_EQ(backend.accepted, 2u);
}

TEST_F(AgentBackendsTest, ABackendThatRefusesIsFollowedByTheNextAndRests) {
    spec.mappings[0].backends = {{"127.0.0.1", closed_port()}, {"127.0.0.1", backend.port()}};
    open_to_active();
    for (int i = 0; i < 4; ++i) {
        auto c = client();
        ASSERT_TRUE(echoes(*c, "hello"));
        EXPECT_EQ(c->status->code, StatusCode::ok);
    }
    EXPECT_EQ(backend.accepted, 4u);
}

TEST_F(AgentBackendsTest, WhenNoneAnswersTheClientIsToldAboutTheLast) {
    spec.mappings[0].backends = {{"127.0.0.1", closed_port()}, {"127.0.0.1", closed_port()}};
    open_to_active();
    auto c = client();
    ASSERT_TRUE(answered(*c));
    EXPECT_EQ(c->status->code, StatusCode::refused);
    EXPECT_NE(c->status->text.find("Connection refused (the last of 2 backends)"),
              std::string::npos)
        << c->status->text;
}

TEST_F(AgentBackendsTest, ANameThatLeadsToThisHostIsDeniedUnlessItIsPermitted) {
    // To a resolver this is a name of 127.0.0.1; the mapping does not name that address.
    spec.mappings[0].internal_host = "127.1";
    open_to_active();
    auto c = client();
    ASSERT_TRUE(answered(*c));
    EXPECT_EQ(c->status->code, StatusCode::denied);
    EXPECT_NE(c->status->text.find("127.0.0.1, a loopback address"), std::string::npos)
        << c->status->text;
    ASSERT_TRUE(until([&] { return last(TunnelEvent::Type::denied).has_value(); }));
    EXPECT_NE(last(TunnelEvent::Type::denied)->detail.find("203.0.113.9"), std::string::npos);
    EXPECT_EQ(backend.accepted, 0u);
    spec.mappings[0].internal_host = "localhost";
    configure();
    EXPECT_TRUE(echoes(*client(), "hello")) << "localhost is meant";
}

TEST_F(AgentBackendsTest, AnOperatorMayPermitWhereANameLeads) {
    options.permit_networks = {"127.0.0.0/8"};
    spec.mappings[0].internal_host = "127.1";
    open_to_active();
    EXPECT_TRUE(echoes(*client(), "hello"));
}

TEST_F(AgentBackendsTest, NetworksThatAreNoneAreRefusedBeforeItRuns) {
    options.permit_networks = {"10.0.0.0/40"};
    EXPECT_THROW(GatewayTunnel(host.context(), options), Failure);
}

TEST_F(AgentBackendsTest, TheBackendIsToldTheClientsAddress) {
    spec.mappings[0].proxy_v2 = true;
    open_to_active();
    auto c = client();
    c->user->write("hello");
    // 16 bytes, two addresses with ports, the virtual host as authority.
    const std::size_t size = 16 + 12 + 3 + 9 + 5;
    ASSERT_TRUE(until([&] { return c->user->in.size() >= size; }));
    EXPECT_EQ(c->user->in.substr(0, 13), std::string("\r\n\r\n\0\r\nQUIT\n\x21", 13));
    EXPECT_EQ(c->user->in.substr(16, 4), std::string("\xcb\x00\x71\x09", 4));
    EXPECT_EQ(c->user->in.substr(size - 14), "crm.cloudhello");
}

}  // namespace
}  // namespace umbra::gateway
