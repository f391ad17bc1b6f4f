// Keys that change while the tunnel runs: those of the gateway, and the node's own.

#include "integration/gateway/agent_case.hpp"
#include <umbra/gateway/next_key.hpp>

namespace umbra::gateway {
namespace {

using namespace umbra::gateway::testing;

const std::string some_pin = "sha256:" + std::string(64, 'a');

class AgentKeysTest : public AgentTest {
protected:
    AgentKeysTest() {
        options.pin.reset();
        EXPECT_TRUE(store_pins(state_dir.path(), {played.pin(), ""}).ok());
    }
    [[nodiscard]] KeyPins believed() const { return load_pins(state_dir.path()).value(); }
    [[nodiscard]] std::string own_pin() const {
        return identity_in(state_dir.path(), Side::agent).pin();
    }
    /// Over each link that is up.
    void announce(const KeyPins& pins) {
        for (const auto& peer : played.peers)
            if (peer->link->is_open()) peer->link->send(msg::Keys{pins});
    }
    [[nodiscard]] bool confirmed(const KeyPins& pins) {
        return until([&] {
            const auto all = played.got<msg::KeysStored>();
            return std::ranges::count(all, msg::KeysStored{pins}) > 0;
        });
    }
    /// The node says so: its directory is not read while it writes there.
    [[nodiscard]] bool uses(const std::string& pin) {
        return until([&] {
            const auto all = played.got<msg::Keys>();
            return std::ranges::count(all, msg::Keys{{pin, ""}}) > 0;
        });
    }
    /// Every link is of these two keys.
    [[nodiscard]] bool renewed(const std::string& gateway, const std::string& node) {
        return until([&] {
            std::size_t fresh = 0;
            for (const auto& peer : played.peers)
                if (peer->link->is_open() && peer->link->own_pin() == gateway &&
                    peer->link->peer_pin() == node)
                    ++fresh;
            return fresh == 2 && played.up() == 2 && state() != TunnelState::connecting;
        });
    }
};

TEST_F(AgentKeysTest, TheNextKeyOfTheGatewayIsStoredConfirmedAndBelieved) {
    open_to_active();
    const std::string before = played.pin(), next = make_next_key(played.dir()).value();
    announce({before, next});
    ASSERT_TRUE(confirmed({before, next}));
    EXPECT_EQ(believed(), (KeyPins{before, next}));
    // The gateway begins to use it, and says nothing yet: a new link shows the node.
    ASSERT_TRUE(use_next_key(played.dir()).ok());
    played.read_key();
    played.any()->close("it breaks");
    ASSERT_TRUE(until([&] { return believed() == KeyPins{next, ""}; }));
    EXPECT_TRUE(renewed(next, own_pin()));
}

TEST_F(AgentKeysTest, LinksWithAnOldKeyGiveWayWhenTheirLastStreamHasEnded) {
    open_to_active();
    Client* c = client();
    ASSERT_TRUE(answered(*c) && echoes(*c, "before"));
    std::string pin = played.pin();
    // Twice: before the second change the node has looked at what the first one left.
    for (int change = 0; change < 2; ++change) {
        const std::string next = make_next_key(played.dir()).value();
        announce({pin, next});
        ASSERT_TRUE(confirmed({pin, next}));
        ASSERT_TRUE(use_next_key(played.dir()).ok());
        played.read_key();
        announce({next, ""});
        ASSERT_TRUE(confirmed({next, ""}));
        EXPECT_EQ(believed(), (KeyPins{next, ""}));
        ASSERT_TRUE(until([&] {
            return std::ranges::count_if(played.peers, [&](const auto& peer) {
                       return peer->link->is_open() && peer->link->own_pin() == next;
                   }) == 2;
        }));
        EXPECT_TRUE(echoes(*c, "while its link retires"));
        pin = next;
    }
    EXPECT_FALSE(played.got<msg::Retire>().empty());
    c->user->outer.shutdown(tcp::socket::shutdown_send);
    EXPECT_TRUE(renewed(pin, own_pin()));
    EXPECT_EQ(c->end, StreamEnd::finished);
}

TEST_F(AgentKeysTest, ANextKeyCanBeTakenBack) {
    open_to_standby();
    announce({played.pin(), some_pin});
    ASSERT_TRUE(confirmed({played.pin(), some_pin}));
    announce({played.pin(), ""});
    ASSERT_TRUE(confirmed({played.pin(), ""}));
    EXPECT_EQ(believed(), (KeyPins{played.pin(), ""}));
}

TEST_F(AgentKeysTest, WhatIsNoKeyCostsTheLink) {
    open_to_standby();
    const auto link = played.any();
    link->send(msg::Keys{{played.pin(), "sha256:12"}});
    ASSERT_TRUE(until([&] { return !link->is_open(); }));
    EXPECT_EQ(believed(), (KeyPins{played.pin(), ""}));
    EXPECT_TRUE(played.got<msg::KeysStored>().empty());
}

TEST_F(AgentKeysTest, ALinkWhoseKeyIsNotBelievedAnyMoreAnnouncesNothing) {
    open_to_active();
    const std::string before = played.pin(), next = make_next_key(played.dir()).value();
    Client* c = client();  // Keeps its link.
    ASSERT_TRUE(answered(*c));
    announce({before, next});
    ASSERT_TRUE(confirmed({before, next}));
    ASSERT_TRUE(use_next_key(played.dir()).ok());
    played.read_key();
    announce({next, ""});
    ASSERT_TRUE(confirmed({next, ""}));
    const auto old = played.any();
    ASSERT_EQ(old->own_pin(), before);
    old->send(msg::Keys{{before, some_pin}});
    old->send(msg::Register{{.epoch = 1, .holder = "alpha", .in_sync_seq = 77}});
    ASSERT_TRUE(until([&] {
        const auto reg = last(TunnelEvent::Type::reg);
        return reg && reg->reg.in_sync_seq == 77;
    })) << "what came behind it has arrived";
    EXPECT_EQ(believed(), (KeyPins{next, ""}));
}

TEST_F(AgentKeysTest, AKeyInTheConfigurationIsNotReplaced) {
    options.pin = played.pin();
    open_to_standby();
    announce({played.pin(), ""});
    ASSERT_TRUE(confirmed({played.pin(), ""})) << "it is what the configuration says";
    announce({played.pin(), some_pin});
    const auto link = played.any();
    link->send(msg::Register{{.in_sync_seq = 77}});
    ASSERT_TRUE(until([&] {
        const auto reg = last(TunnelEvent::Type::reg);
        return reg && reg->reg.in_sync_seq == 77;
    }));
    EXPECT_EQ(std::ranges::count(played.got<msg::KeysStored>(),
                                 msg::KeysStored{{played.pin(), some_pin}}),
              0);
}

TEST_F(AgentKeysTest, TheOwnKeyIsUsedOnceTheGatewayHasStoredIt) {
    open_to_active();
    const std::string before = own_pin();
    Op<Done> rotated;
    tunnel->rotate_key(rotated.reply());
    ASSERT_TRUE(until([&] { return !played.got<msg::Keys>().empty(); }));
    const KeyPins told = played.got<msg::Keys>().front().pins;
    EXPECT_EQ(told.present, before);
    EXPECT_EQ(told.next, next_key_pin(state_dir.path()).value());
    // Something else that was stored, for example before a restart, is no answer.
    played.any()->send(msg::KeysStored{{before, some_pin}});
    played.any()->send(msg::KeysStored{told});
    ASSERT_TRUE(until([&] { return rotated.done(); }));
    ASSERT_TRUE(rotated.ok()) << rotated.message;
    EXPECT_EQ(own_pin(), told.next);
    ASSERT_TRUE(until([&] {
        return played.got<msg::Keys>().back().pins == KeyPins{told.next, ""};
    }));
    EXPECT_TRUE(renewed(played.pin(), told.next));
    EXPECT_TRUE(until([&] { return state() == TunnelState::active; }));
}

TEST_F(AgentKeysTest, AGatewayThatDoesNotAnswerLeavesTheOldKeyInUse) {
    open_to_standby();
    const std::string before = own_pin();
    Op<Done> rotated;
    tunnel->rotate_key(rotated.reply());
    ASSERT_TRUE(until([&] { return !played.got<msg::Keys>().empty(); }));
    played.go_away();
    ASSERT_TRUE(until([&] { return rotated.done(); }));
    EXPECT_EQ(rotated.code, UMBRA_UNAVAILABLE);
    EXPECT_NE(rotated.message.find("goes on by itself"), std::string::npos) << rotated.message;
    EXPECT_EQ(own_pin(), before);
    const auto told = played.got<msg::Keys>().size();
    played.come_back();
    ASSERT_TRUE(until([&] { return played.got<msg::Keys>().size() > told; }));
    const KeyPins again = played.got<msg::Keys>().back().pins;
    EXPECT_EQ(again, played.got<msg::Keys>().front().pins);
    played.any()->send(msg::KeysStored{again});
    ASSERT_TRUE(uses(again.next));
    EXPECT_EQ(own_pin(), again.next);
}

TEST_F(AgentKeysTest, AChangeThatAKillInterruptedGoesOnAtTheNextStart) {
    const std::string before = own_pin(), next = make_next_key(state_dir.path()).value();
    open_to_standby();
    ASSERT_TRUE(until([&] { return !played.got<msg::Keys>().empty(); }));
    EXPECT_EQ(played.got<msg::Keys>().front().pins, (KeyPins{before, next}));
    played.any()->send(msg::KeysStored{{before, next}});
    ASSERT_TRUE(uses(next));
    EXPECT_TRUE(renewed(played.pin(), next));
}

TEST_F(AgentKeysTest, WithoutALinkTheOwnKeyStays) {
    played.refusal = msg::Refused{RefusalCode::not_enrolled, "this key is not enrolled"};
    open();
    ASSERT_TRUE(until([&] { return state() == TunnelState::refused; }));
    Op<Done> rotated;
    tunnel->rotate_key(rotated.reply());
    ASSERT_TRUE(until([&] { return rotated.done(); }));
    EXPECT_EQ(rotated.code, UMBRA_UNAVAILABLE);
    EXPECT_EQ(next_key_pin(state_dir.path()).value(), "");
}

}  // namespace
}  // namespace umbra::gateway
