// The real program changes its key, and lets instances change theirs.

#include "integration/gateway/server_fixture.hpp"

namespace umbra::gateway {
namespace {

using namespace umbra::gateway::testing;

const std::string some_pin = "sha256:" + std::string(64, 'a');

class KeysTest : public ServerFixture {
protected:
    json::value key() { return status().at("key"); }
    std::string pin() { return json::value_to<std::string>(key().at("pin")); }
    std::string next() {
        const auto value = key().at("next");
        return value.is_null() ? "" : json::value_to<std::string>(value);
    }
    std::vector<std::string> unconfirmed() {
        std::vector<std::string> names;
        const json::value now = key();
        for (const auto& one : now.at("unconfirmed").as_array())
            names.push_back(json::value_to<std::string>(one.at("node")));
        return names;
    }
    json::value act(const std::string& verb, unsigned expected = 200,
                    const std::string& body = "{}") {
        return ask("POST", "/v1/key/" + verb, body, expected);
    }
    static std::string error_of(const json::value& answer) {
        return json::value_to<std::string>(answer.at("error"));
    }
    bool told(Agent& agent, const KeyPins& pins) {
        return until([&] {
            const auto all = agent.got<msg::Keys>();
            return !all.empty() && all.back().pins == pins;
        });
    }
    void confirm(Agent& agent, const KeyPins& pins) {
        ASSERT_TRUE(told(agent, pins));
        agent.say(msg::KeysStored{pins});
        ASSERT_TRUE(until([&] { return std::ranges::count(unconfirmed(), agent.node) == 0; }));
    }
    /// What the gateway knows of a node.
    json::value node(const std::string& name) {
        const json::value now = pair();
        for (const auto& one : now.at("nodes").as_array())
            if (one.at("node") == json::value(name)) return one;
        return {};
    }
    bool has_pins(const std::string& name, const KeyPins& pins) {
        return until([&] {
            const auto known = node(name);
            return known.at("pin") == json::value(pins.present) &&
                   known.at("next_pin") ==
                       (pins.next.empty() ? json::value(nullptr) : json::value(pins.next));
        });
    }
    std::string pin_on_disk() const {
        return identity_in(dir.path() / "data", Side::gateway).pin();
    }

    TempDir other;
    const TlsIdentity fresh = identity_in(other.path(), Side::agent);
};

TEST_F(KeysTest, TheNextKeyIsUsedWhenEveryInstanceHasStoredIt) {
    pair_runs();
    const std::string before = pin();
    ASSERT_TRUE(told(alpha, {before, ""})) << "said after every welcome";
    const auto made = act("rotate");
    const std::string after = next();
    EXPECT_EQ(json::value_to<std::string>(made.at("next")), after);
    EXPECT_EQ(unconfirmed(), (std::vector<std::string>{"alpha", "beta"}));
    confirm(alpha, {before, after});
    const std::string refused = error_of(act("use", 409));
    EXPECT_NE(refused.find("not confirmed by beta;"), std::string::npos) << refused;
    EXPECT_EQ(pin(), before);
    confirm(beta, {before, after});
    act("use");
    EXPECT_EQ(pin(), after);
    EXPECT_EQ(next(), "");
    ASSERT_TRUE(told(alpha, {after, ""}));
    // The standing link goes on, a new one is of the new key.
    const auto user = client(crm_port);
    EXPECT_TRUE(answers(*user, "still there", "alpha:still there"));
    beta.drop();
    ASSERT_TRUE(until([&] { return beta.closed == 2; }));
    beta.hello(agents_port);
    ASSERT_TRUE(until([&] { return beta.got<msg::Welcome>().size() == 2; }));
    EXPECT_EQ(beta.link.lock()->peer_pin(), after);
}

TEST_F(KeysTest, WhatWasConfirmedSurvivesAKill) {
    pair_runs();
    const std::string before = pin();
    act("rotate");
    const std::string after = next();
    confirm(alpha, {before, after});
    program.end(SIGKILL);
    ASSERT_TRUE(until([&] { return alpha.closed == 2 && beta.closed == 2; }));
    start();
    EXPECT_EQ(pin(), before);
    EXPECT_EQ(next(), after);
    EXPECT_EQ(unconfirmed(), std::vector<std::string>{"beta"});
    act("use", 200, R"({"force": true})");
    program.end(SIGKILL);
    EXPECT_EQ(pin_on_disk(), after);
    start();
    EXPECT_EQ(pin(), after);
    EXPECT_EQ(next(), "");
}

TEST_F(KeysTest, OnlyTheAnswerToWhatWasSaidLastConfirms) {
    pair_runs();
    const std::string before = pin();
    act("rotate");
    const std::string first = next();
    ASSERT_TRUE(told(alpha, {before, first}));
    act("drop");
    ASSERT_TRUE(told(alpha, {before, ""}));
    act("rotate");
    const std::string second = next();
    EXPECT_NE(first, second);
    alpha.say(msg::KeysStored{{before, first}});
    alpha.say(msg::KeysStored{{before, some_pin}});
    alpha.say(msg::Activate{++alpha.asks, 1});
    ASSERT_TRUE(until([&] { return alpha.got<msg::Activated>().size() == 2; }));
    EXPECT_EQ(unconfirmed(), (std::vector<std::string>{"alpha", "beta"}));
    confirm(alpha, {before, second});
}

TEST_F(KeysTest, ANodeThatIsRemovedIsNotWaitedFor) {
    pair_runs();
    act("rotate");
    confirm(alpha, {pin(), next()});
    ask("POST", "/v1/remove", R"({"node": "beta"})");
    act("use");
}

TEST_F(KeysTest, OneChangeAtATime) {
    start();
    EXPECT_NE(error_of(act("use", 409)).find("umbra-gateway key rotate"), std::string::npos);
    act("drop", 409);
    act("rotate");
    const std::string made = next();
    EXPECT_NE(error_of(act("rotate", 409)).find(made), std::string::npos);
    EXPECT_EQ(next(), made);
    act("use", 400, "force");
    act("use", 400, R"({"force": 1})");
    ask("GET", "/v1/key/use", {}, 405);
    act("use");
    EXPECT_EQ(pin(), made) << "nobody is enrolled who could be left behind";
}

TEST_F(KeysTest, AnInstanceTellsItsNextKeyAndThenUsesIt) {
    pair_runs();
    const std::string before = alpha.identity.pin(), after = fresh.pin();
    alpha.say(msg::Keys{{before, after}});
    ASSERT_TRUE(until([&] { return alpha.got<msg::KeysStored>().size() == 1; }));
    EXPECT_EQ(alpha.got<msg::KeysStored>().back().pins, (KeyPins{before, after}));
    EXPECT_TRUE(has_pins("alpha", {before, after}));
    const auto user = client(crm_port);
    EXPECT_TRUE(answers(*user, "hello", "alpha:hello"));
    alpha.say(msg::Keys{{after, ""}});
    ASSERT_TRUE(until([&] { return alpha.got<msg::KeysStored>().size() == 2; }));
    EXPECT_TRUE(answers(*user, "goes on", "alpha:goes on"));
    // The old key lets nobody in any more.
    alpha.hello(agents_port);
    ASSERT_TRUE(until([&] { return !alpha.got<msg::Refused>().empty(); }));
    EXPECT_EQ(alpha.got<msg::Refused>().back().code, RefusalCode::not_enrolled);
    alpha.identity = fresh;
    alpha.hello(agents_port);
    ASSERT_TRUE(until([&] { return alpha.got<msg::Welcome>().size() == 2; }));
}

TEST_F(KeysTest, ItsNameInASharedRegisterStaysThatOfTheFirstKey) {
    start();
    const std::string first = pin();
    for (int change = 0; change < 2; ++change) {
        act("rotate");
        act("use");
    }
    EXPECT_EQ(text_of(dir.path() / "data" / "register.id"), first.substr(7, 32) + "\n");
    program.end(SIGKILL);
    start();
    act("rotate");
    EXPECT_EQ(text_of(dir.path() / "data" / "register.id"), first.substr(7, 32) + "\n");
    program.end(SIGKILL);
    std::ofstream(dir.path() / "data" / "register.id") << "damaged";
    const Child refused({UMBRA_GATEWAY_PROGRAM, "run", config()}, log());
    EXPECT_TRUE(
        until([&] { return text_of(log()).find("register.id is damaged") != std::string::npos; }));
}

/// The instance was killed between its switch and its word.
TEST_F(KeysTest, ANextKeyThatIsUsedIsTheKey) {
    pair_runs();
    const std::string before = alpha.identity.pin(), after = fresh.pin();
    alpha.say(msg::Keys{{before, after}});
    ASSERT_TRUE(until([&] { return alpha.got<msg::KeysStored>().size() == 1; }));
    program.end(SIGKILL);
    ASSERT_TRUE(until([&] { return alpha.closed == 2; }));
    start();
    EXPECT_TRUE(has_pins("alpha", {before, after}));
    alpha.identity = fresh;
    alpha.hello(agents_port);
    ASSERT_TRUE(until([&] { return alpha.got<msg::Welcome>().size() == 2; }));
    EXPECT_TRUE(has_pins("alpha", {after, ""}));
}

TEST_F(KeysTest, AKeyOfAnotherNodeIsRefused) {
    pair_runs();
    const std::string own = alpha.identity.pin();
    alpha.say(msg::Keys{{own, beta.identity.pin()}});
    alpha.say(msg::Activate{++alpha.asks, 1});
    ASSERT_TRUE(until([&] { return alpha.got<msg::Activated>().size() == 2; }));
    alpha.say(msg::Keys{{own, some_pin}});
    ASSERT_TRUE(until([&] { return alpha.got<msg::KeysStored>().size() == 1; }));
    EXPECT_EQ(alpha.got<msg::KeysStored>().back().pins, (KeyPins{own, some_pin}));
    EXPECT_TRUE(has_pins("beta", {beta.identity.pin(), ""}));
}

TEST_F(KeysTest, WhatIsNoKeyCostsTheLink) {
    pair_runs();
    const auto before = counter("protocol_errors");
    alpha.say(msg::Keys{{alpha.identity.pin(), "sha256:12"}});
    ASSERT_TRUE(until([&] { return alpha.closed == 2; }));
    EXPECT_EQ(counter("protocol_errors"), before + 1);
    EXPECT_TRUE(has_pins("alpha", {alpha.identity.pin(), ""}));
}

TEST_F(KeysTest, ALinkThatRetiresGetsNewStreamsOnlyWhenItIsTheLast) {
    pair_runs();
    Agent second{io, "alpha"};
    second.identity = alpha.identity;
    second.hello(agents_port);
    ASSERT_TRUE(until([&] { return second.got<msg::Welcome>().size() == 1; }));
    alpha.say(msg::Retire{});
    alpha.say(msg::Activate{++alpha.asks, 1});
    ASSERT_TRUE(until([&] { return alpha.got<msg::Activated>().size() == 2; }));
    std::vector<std::unique_ptr<User>> users;
    for (int i = 0; i < 8; ++i) {
        users.push_back(client(crm_port));
        ASSERT_TRUE(answers(*users.back(), "x", "alpha:x"));
    }
    EXPECT_EQ(alpha.requests.size(), 0u);
    EXPECT_EQ(second.requests.size(), 8u);
    second.drop();
    ASSERT_TRUE(until([&] { return second.closed == 1; }));
    users.push_back(client(crm_port));
    ASSERT_TRUE(answers(*users.back(), "x", "alpha:x"));
    EXPECT_EQ(alpha.requests.size(), 1u);
}

}  // namespace
}  // namespace umbra::gateway
