// How a node and its gateway come to know each other, and what a node says of itself.

#include "integration/gateway/agent_case.hpp"

#include <fstream>
#include <sys/stat.h>

namespace umbra::gateway {
namespace {

using namespace umbra::gateway::testing;

TEST_F(AgentTest, WithoutAPinItIsRefusedAndSaysWhatToDo) {
    options.pin.reset();
    open();
    ASSERT_TRUE(until([&] { return state() == TunnelState::refused; }));
    EXPECT_EQ(last(TunnelEvent::Type::state)->detail,
              "not enrolled with this gateway; run: umbra-gateway invite alpha there, then: umbra "
              "tunnel enrol main INVITATION here");
    EXPECT_TRUE(played.peers.empty()) << "it dialed a gateway that it could not have recognised";
}

TEST_F(AgentTest, AnInvitationEnrolsConnectsAndIsRemembered) {
    options.pin.reset();
    open();
    Invitation invitation;
    invitation.secret.fill(7);
    invitation.gateway_pin = *parse_pin(played.pin());
    played.invitation_secret = invitation.secret;
    Op<Done> enrolled;
    tunnel->enrol(to_text(invitation), enrolled.reply());
    ASSERT_TRUE(until([&] { return enrolled.done(); }));
    ASSERT_TRUE(enrolled.ok()) << enrolled.message;
    ASSERT_TRUE(until([&] { return state() == TunnelState::standby && played.up() == 2; }));
    EXPECT_EQ(played.got<msg::Enrol>().at(0).node, "alpha");
    for (const char* name : {"tls.key", "gateway.pin"}) {
        struct stat info {};
        ASSERT_EQ(::stat((state_dir.path() / name).c_str(), &info), 0) << name;
        EXPECT_EQ(info.st_mode & 0777, 0600u) << name;
    }
    EXPECT_EQ(*load_pins(state_dir.path()), (KeyPins{played.pin(), ""}));
}

TEST_F(AgentTest, AWrongSecretIsDeniedAndNothingIsRemembered) {
    options.pin.reset();
    open();
    Invitation invitation;
    invitation.gateway_pin = *parse_pin(played.pin());
    played.invitation_secret.emplace().fill(1);
    Op<Done> enrolled;
    tunnel->enrol(to_text(invitation), enrolled.reply());
    ASSERT_TRUE(until([&] { return enrolled.done(); }));
    EXPECT_EQ(enrolled.code, UMBRA_DENIED);
    EXPECT_NE(enrolled.message.find("the proof does not fit"), std::string::npos);
    EXPECT_EQ(*load_pins(state_dir.path()), KeyPins{});
}

TEST_F(AgentTest, AGatewayWithAnotherKeyIsRefused) {
    options.pin = "sha256:" + std::string(64, '0');
    open();
    ASSERT_TRUE(until([&] { return state() == TunnelState::refused; }));
    const std::string detail = last(TunnelEvent::Type::state)->detail;
    EXPECT_NE(detail.find(played.pin()), std::string::npos) << detail;
    EXPECT_NE(detail.find("attempt"), std::string::npos) << detail;
}

TEST_F(AgentTest, ARefusalByTheGatewayIsShown) {
    played.refusal = msg::Refused{RefusalCode::not_enrolled, "this key is not enrolled"};
    open();
    ASSERT_TRUE(until([&] { return state() == TunnelState::refused; }));
    EXPECT_NE(last(TunnelEvent::Type::state)->detail.find("this key is not enrolled"),
              std::string::npos);
}

TEST_F(AgentTest, IntroducesItselfOnEveryLink) {
    spec.epoch = 5;
    open_to_standby();
    ASSERT_TRUE(until([&] { return played.got<msg::Hello>().size() == 2; }));
    const auto hellos = played.got<msg::Hello>();
    for (const auto& hello : hellos) {
        EXPECT_EQ(hello.node, "alpha");
        EXPECT_EQ(hello.incarnation, "i1");
        EXPECT_EQ(hello.epoch_known, 5u);
        EXPECT_EQ(hello.links_total, 2);
        EXPECT_EQ(hello.boot, hellos[0].boot);
    }
    EXPECT_NE(hellos[0].link_index, hellos[1].link_index);
    const auto reg = last(TunnelEvent::Type::reg);
    ASSERT_TRUE(reg);
    EXPECT_TRUE(reg->reg.known);
    EXPECT_EQ(reg->reg.in_sync, (std::vector<umbra::Member>{{"alpha", "i1"}}));
}

TEST_F(AgentTest, ADamagedPinFileIsNamed) {
    std::ofstream(state_dir.path() / "gateway.pin") << "sha256:12\n";
    options.pin.reset();
    open();
    ASSERT_TRUE(until([&] { return state() == TunnelState::refused; }));
    EXPECT_NE(last(TunnelEvent::Type::state)->detail.find("gateway.pin"), std::string::npos);
}

TEST_F(AgentTest, OptionsThatCanNotWorkAreRefusedAtOnce) {
    options.pin = "abc";
    EXPECT_THROW(GatewayTunnel(host.context(), options), Failure);
    options.pin.reset();
    options.address = "nowhere";
    EXPECT_THROW(GatewayTunnel(host.context(), options), Failure);
}

}  // namespace
}  // namespace umbra::gateway
