#include "integration/gateway/server_fixture.hpp"

#include <gmock/gmock.h>

namespace umbra::gateway::testing {
namespace {

using ::testing::HasSubstr;

class GatewayServerTest : public ServerFixture {};

TEST_F(GatewayServerTest, StopsInOrderOnSigterm) {
    start();
    EXPECT_EQ(program.end(SIGTERM), 0) << text_of(log());
    EXPECT_FALSE(std::filesystem::exists(dir.path() / "admin.sock"));
}

TEST_F(GatewayServerTest, TwoGatewaysOnOneDataDirectoryAreRefused) {
    start();
    Child second({UMBRA_GATEWAY_PROGRAM, "run", config()}, dir.path() / "second");
    EXPECT_EQ(second.end(), 1);
    EXPECT_THAT(text_of(dir.path() / "second"), HasSubstr("umbra-gateway: another umbra-gateway"));
}

TEST_F(GatewayServerTest, AnInvitationEnrolsOneNodeOnce) {
    start();
    const auto invitation = invite("alpha");
    alpha.enrol(agents_port, invitation);
    ASSERT_TRUE(until([&] { return alpha.closed == 1; }));
    EXPECT_EQ(alpha.got<msg::Enrolled>().size(), 1u);
    beta.enrol(agents_port, invitation, "alpha");
    ASSERT_TRUE(until([&] { return beta.closed == 1; }));
    ASSERT_EQ(beta.got<msg::Refused>().size(), 1u);
    EXPECT_EQ(beta.got<msg::Refused>().front().code, RefusalCode::bad_invitation);
    alpha.hello(agents_port);
    EXPECT_TRUE(until([&] { return alpha.got<msg::Welcome>().size() == 1; }));
    EXPECT_EQ(alpha.got<msg::Welcome>().front().gateway, "cloud-1");
    EXPECT_EQ(alpha.got<msg::Welcome>().front().lease_ms, 2000u);
}

TEST_F(GatewayServerTest, FiveWrongProofsUseAnInvitationUpAndFourDoNot) {
    start();
    for (const std::size_t wrong : {4u, 5u}) {
        const auto invitation = invite("beta");
        auto forged = invitation;
        forged.secret[0] ^= 1;
        const auto before = alpha.closed;
        for (std::size_t i = 0; i < wrong; ++i) {
            alpha.enrol(agents_port, forged, "beta");
            ASSERT_TRUE(until([&] { return alpha.closed == before + i + 1; }));
        }
        const auto closed = beta.closed, enrolled = beta.got<msg::Enrolled>().size();
        beta.enrol(agents_port, invitation);
        ASSERT_TRUE(until([&] { return beta.closed == closed + 1; }));
        EXPECT_EQ(beta.got<msg::Enrolled>().size() - enrolled, wrong < 5 ? 1u : 0u) << wrong;
    }
    EXPECT_GE(counter("wrong_proofs"), 4 + 5);
}

TEST_F(GatewayServerTest, AStrangerIsRefusedAndCounted) {
    start();
    alpha.hello(agents_port);
    ASSERT_TRUE(until([&] { return alpha.closed == 1; }));
    ASSERT_EQ(alpha.got<msg::Refused>().size(), 1u);
    EXPECT_EQ(alpha.got<msg::Refused>().front().code, RefusalCode::not_enrolled);
    EXPECT_THAT(alpha.got<msg::Refused>().front().text, HasSubstr("umbra-gateway invite alpha"));
    EXPECT_EQ(counter("strangers"), 1);
}

TEST_F(GatewayServerTest, AKeyThatIsEnrolledForAnotherNameIsRefused) {
    start();
    join(alpha);
    alpha.drop();
    alpha.node = "beta";
    alpha.hello(agents_port);
    ASSERT_TRUE(until([&] { return alpha.got<msg::Refused>().size() == 1; }));
    EXPECT_EQ(alpha.got<msg::Refused>().front().code, RefusalCode::wrong_name);
}

TEST_F(GatewayServerTest, ConnectionsThatSayNothingAreBoundedAndKeepNobodyOut) {
    start();
    std::vector<tcp::socket> silent;
    for (int i = 0; i < 70; ++i) {
        silent.emplace_back(io);
        silent.back().connect({asio::ip::address_v4::loopback(), agents_port});
    }
    ASSERT_TRUE(until([&] { return counter("pending_dropped") == 70 - 64; }));
    EXPECT_EQ(status().at("pending").to_number<int>(), 64);
    join(alpha);
}

TEST_F(GatewayServerTest, ClientsReachTheActiveNode) {
    pair_runs();
    const auto user = client(crm_port);
    EXPECT_TRUE(answers(*user, "hello", "alpha:hello"));
    ASSERT_EQ(alpha.requests.size(), 1u);
    EXPECT_EQ(alpha.requests.front().host, "crm.cloud");
    EXPECT_EQ(alpha.requests.front().port, 8080);
    EXPECT_EQ(alpha.requests.front().epoch, 1u);
    const auto now = pair();
    EXPECT_EQ(now.at("epoch").to_number<int>(), 1);
    EXPECT_EQ(now.at("active").as_string(), "alpha");
    EXPECT_EQ(now.at("streams").to_number<int>(), 1);
    EXPECT_EQ(now.at("in_sync").as_array().size(), 2u);
    user->outer.shutdown(tcp::socket::shutdown_send);
    EXPECT_TRUE(until([&] { return user->eof; })) << "a half-close comes back as one";
}

TEST_F(GatewayServerTest, WhatNoMappingPermitsIsResetAndCounted) {
    pair_runs();
    alpha.refuse_with = StatusCode::denied;
    const auto user = client(crm_port);
    EXPECT_TRUE(until([&] { return user->read_error == asio::error::connection_reset; }));
    EXPECT_EQ(counter("denied"), 1);
}

TEST_F(GatewayServerTest, ClientsWaitForAnActiveNodeUpToTheLimit) {
    start();
    join(alpha);
    ASSERT_TRUE(claim(alpha, 1).granted);
    std::vector<std::unique_ptr<User>> users;
    for (int i = 0; i < 3; ++i) {
        users.push_back(client(crm_port));
        asio::write(users.back()->outer, asio::buffer(std::to_string(i)));
    }
    ASSERT_TRUE(until([&] { return pair().at("parked").to_number<int>() == 3; }));
    const auto past = client(crm_port);
    EXPECT_TRUE(until([&] { return past->read_error == asio::error::connection_reset; }));
    EXPECT_EQ(counter("park_full"), 1);
    activate(alpha, 1);
    for (int i = 0; i < 3; ++i) {
        auto& user = *users[static_cast<std::size_t>(i)];
        EXPECT_TRUE(until([&] { return user.in == "alpha:" + std::to_string(i); })) << user.in;
        EXPECT_EQ(alpha.requests[static_cast<std::size_t>(i)].client,
                  "127.0.0.1:" + std::to_string(user.outer.local_endpoint().port()))
            << "first come, first served";
    }
    EXPECT_EQ(counter("parked"), 3);
    EXPECT_EQ(counter("served"), 3);
}

TEST_F(GatewayServerTest, AClientThatWaitedInVainIsReset) {
    write_config("{ time = \"200ms\", clients = 3 }");
    start();
    const auto user = client(crm_port);
    EXPECT_TRUE(until([&] { return user->read_error == asio::error::connection_reset; }));
    EXPECT_EQ(counter("park_timeouts"), 1);
    EXPECT_EQ(pair().at("parked").to_number<int>(), 0);
}

TEST_F(GatewayServerTest, AClientThatGivesUpFreesItsPlace) {
    start();
    const auto user = client(crm_port);
    ASSERT_TRUE(until([&] { return pair().at("parked").to_number<int>() == 1; }));
    user->outer.set_option(asio::socket_base::linger(true, 0));
    user->outer.close();
    EXPECT_TRUE(until([&] { return counter("park_gave_up") == 1; }));
    EXPECT_EQ(pair().at("parked").to_number<int>(), 0);
}

TEST_F(GatewayServerTest, AStandbyTakesOverFromADeadHolderAtOnce) {
    pair_runs();
    const auto before = client(crm_port);
    ASSERT_TRUE(answers(*before, "a", "alpha:a"));
    const auto began = std::chrono::steady_clock::now();
    alpha.drop();
    ASSERT_TRUE(until([&] { return !beta.got<msg::HolderLost>().empty(); }));
    EXPECT_FALSE(beta.got<msg::HolderLost>().front().view.holder_alive);
    const auto waiting = client(crm_port);
    ASSERT_TRUE(claim(beta, 2, ClaimReason::peer_refused).granted);
    activate(beta, 2);
    EXPECT_TRUE(answers(*waiting, "b", "beta:b")) << "nobody is turned away";
    EXPECT_LT(std::chrono::steady_clock::now() - began, 1500ms) << "well before the lease of 2 s";
    EXPECT_TRUE(until([&] { return before->read_error || before->eof; }));
}

TEST_F(GatewayServerTest, AHolderThatHangsIsGoneAfterTheLeaseAndNotBefore) {
    start();
    asio::io_context other;
    Agent hung(other, "gamma");
    also_run = &other;
    join(hung);
    join(beta);
    ASSERT_TRUE(claim(hung, 1).granted);
    hung.say(msg::InSync{++hung.asks, 1, 1, {{"beta", "beta-disk"}, {"gamma", "gamma-disk"}}});
    ASSERT_TRUE(until([&] { return hung.got<msg::Answer>().size() == 1; }));
    activate(hung, 1);
    also_run = nullptr;
    const auto early = claim(beta, 2, ClaimReason::peer_silent);
    EXPECT_FALSE(early.granted);
    EXPECT_THAT(early.text, HasSubstr("gamma holds epoch 1 and was heard"));
    ASSERT_TRUE(until([&] { return !beta.got<msg::HolderLost>().empty(); }));
    const auto waiting = client(crm_port);
    EXPECT_TRUE(until([&] { return pair().at("parked").to_number<int>() == 1; }))
        << "nobody is sent to a node that is silent";
    ASSERT_TRUE(claim(beta, 2, ClaimReason::peer_silent).granted);
    activate(beta, 2);
    EXPECT_TRUE(answers(*waiting, "x", "beta:x"));
    also_run = &other;
    EXPECT_TRUE(until([&] { return hung.got<msg::Fenced>().size() == 1; })) << "when it wakes up";
}

TEST_F(GatewayServerTest, TimeInWhichTheGatewayItselfStoodStillIsNoSilenceOfTheHolder) {
    pair_runs();
    program.signal(SIGSTOP);
    std::this_thread::sleep_for(2500ms);  // Longer than the lease: that is the point.
    program.signal(SIGCONT);
    EXPECT_FALSE(claim(beta, 2, ClaimReason::peer_silent).granted);
    EXPECT_TRUE(beta.got<msg::HolderLost>().empty());
}

TEST_F(GatewayServerTest, AForcedClaimFencesTheHolderAndCutsItsStreams) {
    pair_runs();
    const auto user = client(crm_port);
    ASSERT_TRUE(answers(*user, "a", "alpha:a"));
    ASSERT_TRUE(claim(beta, 2, ClaimReason::forced).granted);
    ASSERT_TRUE(until([&] { return alpha.got<msg::Fenced>().size() == 1; }));
    EXPECT_FALSE(alpha.got<msg::Fenced>().front().drain);
    EXPECT_TRUE(until([&] { return user->read_error == asio::error::connection_reset; }));
    alpha.say(msg::Activate{++alpha.asks, 1});
    ASSERT_TRUE(until([&] { return alpha.got<msg::RefusedEpoch>().size() == 1; }));
    EXPECT_EQ(alpha.got<msg::RefusedEpoch>().front().view.epoch, 2u);
}

TEST_F(GatewayServerTest, AHandoverDropsNothing) {
    pair_runs();
    const auto old = client(crm_port);
    ASSERT_TRUE(answers(*old, "a", "alpha:a"));
    alpha.say(msg::Consent{++alpha.asks, 1, "beta"});
    ASSERT_TRUE(until([&] { return alpha.got<msg::Answer>().size() == 2; }));
    ASSERT_TRUE(alpha.got<msg::Answer>().back().accepted) << alpha.got<msg::Answer>().back().text;
    ASSERT_TRUE(claim(beta, 2, ClaimReason::handover).granted);
    ASSERT_TRUE(until([&] { return alpha.got<msg::Fenced>().size() == 1; }));
    EXPECT_TRUE(alpha.got<msg::Fenced>().front().drain);
    const auto between = client(crm_port);
    activate(beta, 2);
    EXPECT_TRUE(answers(*between, "b", "beta:b"));
    EXPECT_TRUE(answers(*old, "c", "alpha:c")) << "the old stream lives on where it is";
    EXPECT_EQ(beta.requests.back().epoch, 2u);
}

TEST_F(GatewayServerTest, AClientThatADrainingNodeSendsBackIsServedByTheNext) {
    pair_runs();
    alpha.refuse_with = StatusCode::draining;
    const auto user = client(crm_port);
    ASSERT_TRUE(until([&] { return pair().at("parked").to_number<int>() == 1; }));
    ASSERT_TRUE(claim(beta, 2, ClaimReason::forced).granted);
    activate(beta, 2);
    EXPECT_TRUE(answers(*user, "x", "beta:x"));
}

TEST_F(GatewayServerTest, TheRegisterSurvivesAKill) {
    pair_runs();
    ASSERT_TRUE(claim(beta, 2, ClaimReason::forced).granted);
    EXPECT_EQ(program.end(SIGKILL), -SIGKILL);
    ASSERT_TRUE(until([&] { return alpha.closed == 2 && beta.closed == 2; }));
    start();
    EXPECT_EQ(pair().at("epoch").to_number<int>(), 2);
    EXPECT_EQ(pair().at("holder").as_string(), "beta");
    alpha.hello(agents_port, 1);
    ASSERT_TRUE(until([&] { return alpha.got<msg::Welcome>().size() == 2; }));
    EXPECT_FALSE(claim(alpha, 2).granted);
    EXPECT_TRUE(claim(alpha, 3, ClaimReason::forced).granted);
}

TEST_F(GatewayServerTest, ALostRegisterGrantsNothingUntilAllHaveReported) {
    pair_runs();
    program.end(SIGKILL);
    std::filesystem::remove(dir.path() / "data" / "register" / "default.rec");
    start();
    EXPECT_TRUE(pair().at("rebuilding").as_bool());
    alpha.hello(agents_port, 1);
    ASSERT_TRUE(until([&] { return alpha.got<msg::Welcome>().size() == 2; }));
    const auto refused = claim(alpha, 2);
    EXPECT_FALSE(refused.granted);
    EXPECT_THAT(refused.text, HasSubstr("beta"));
    beta.hello(agents_port, 1);
    ASSERT_TRUE(until([&] { return beta.got<msg::Welcome>().size() == 2; }));
    EXPECT_FALSE(claim(alpha, 1).granted);
    EXPECT_TRUE(claim(alpha, 2).granted);
}

TEST_F(GatewayServerTest, ARemovedNodeIsCutOffAndStaysOut) {
    pair_runs();
    ask("POST", "/v1/remove", "{\"node\":\"alpha\"}");
    ASSERT_TRUE(until([&] { return alpha.closed == 2; }));
    alpha.hello(agents_port, 1);
    ASSERT_TRUE(until([&] { return alpha.got<msg::Refused>().size() == 2; }));
    EXPECT_EQ(alpha.got<msg::Refused>().back().code, RefusalCode::not_enrolled);
    ask("POST", "/v1/remove", "{\"node\":\"alpha\"}", 409);
    ask("POST", "/v1/remove", "{\"node\":\"../etc\"}", 400);
}

TEST_F(GatewayServerTest, SocksClientsAskForANameAndLearnWhyNot) {
    using namespace std::string_literals;
    pair_runs();
    const auto ask_for = "\x05\x01\x00\x03\x09"s + "CRM.cloud" + "\x1f\x90"s;
    const auto user = client(socks_port);
    ASSERT_TRUE(answers(*user, "\x05\x01\x00"s, "\x05\x00"s));
    // The first bytes for the stream come in one packet with the request.
    ASSERT_TRUE(
        answers(*user, ask_for + "hi", "\x05\x00\x00\x01"s + std::string(6, '\0') + "alpha:hi"));
    EXPECT_EQ(alpha.requests.back().host, "crm.cloud");
    EXPECT_EQ(alpha.requests.back().port, 8080);
    alpha.refuse_with = StatusCode::denied;
    const auto denied = client(socks_port);
    ASSERT_TRUE(answers(*denied, "\x05\x01\x00"s, "\x05\x00"s));
    EXPECT_TRUE(answers(*denied, ask_for, "\x05\x02\x00\x01"s + std::string(6, '\0')));
    const auto other = client(socks_port);
    EXPECT_TRUE(answers(*other, "\x05\x01\x02"s, "\x05\xff"s)) << "no method in common";
}

TEST_F(GatewayServerTest, HttpConnectOpensAStreamAndNothingElse) {
    pair_runs();
    const auto user = client(connect_port);
    ASSERT_TRUE(answers(*user, "CONNECT crm.cloud:8080 HTTP/1.1\r\nHost: crm.cloud\r\n\r\nhi",
                        "HTTP/1.1 200 Connection established\r\n\r\nalpha:hi"));
    const auto get = client(connect_port);
    asio::write(get->outer, asio::buffer(std::string("GET / HTTP/1.1\r\n\r\n")));
    ASSERT_TRUE(until([&] { return get->eof || get->read_error; }));
    EXPECT_THAT(get->in, HasSubstr("405 Method Not Allowed"));
    alpha.refuse_with = StatusCode::denied;
    const auto denied = client(connect_port);
    asio::write(denied->outer,
                asio::buffer(std::string("CONNECT x:1 HTTP/1.1\r\nHost: x:1\r\n\r\n")));
    ASSERT_TRUE(until([&] { return denied->eof || denied->read_error; }));
    EXPECT_THAT(denied->in, HasSubstr("403 Forbidden"));
    const auto endless = client(connect_port);
    boost::system::error_code ignored;
    asio::write(endless->outer, asio::buffer(std::string(9 * 1024, 'a')), ignored);
    ASSERT_TRUE(until([&] { return endless->eof || endless->read_error; }));
    EXPECT_GE(counter("bad_requests"), 2);
}

// --- the command line ---------------------------------------------------------------------------

class GatewayCommandTest : public ServerFixture {
protected:
    int command(std::vector<std::string> words) {
        std::filesystem::remove(out());
        words.insert(words.begin(), UMBRA_GATEWAY_PROGRAM);
        return Child(words, out()).end();
    }
    std::filesystem::path out() const { return dir.path() / "out"; }
};

TEST_F(GatewayCommandTest, CheckReportsAllMistakesAtOnceWithTheirPlaces) {
    EXPECT_EQ(command({"check", config()}), 0) << text_of(out());
    const auto bad = dir.path() / "bad.toml";
    std::ofstream(bad) << "[gateway]\nname = \"cloud-1\"\ndata_dir = \"data\"\n"
                          "lisen = \"127.0.0.1:1\"\nlease = \"99ms\"\n"
                          "[listener.crm]\naddress = \"127.0.0.1:9\"\nvirtual = \"crm.cloud\"\n"
                          "[listener.two]\naddress = \"127.0.0.1:9\"\nvirtual = \"a.b:1\"\n";
    EXPECT_EQ(command({"check", bad.string()}), 2);
    const auto said = text_of(out());
    const auto file = bad.string();
    EXPECT_TRUE(said.starts_with("umbra-gateway: " + file + " has 5 mistakes")) << said;
    EXPECT_THAT(said, HasSubstr(file + ":4:1: error: unknown key \"lisen\""));
    EXPECT_THAT(said, HasSubstr("did you mean \"listen\"?"));
    EXPECT_THAT(said, HasSubstr(file + ":5:9: error:"));
    EXPECT_THAT(said, HasSubstr("from \"100ms\" to \"1h\""));
    EXPECT_THAT(said, HasSubstr(file + ":8:11: error:"));
    EXPECT_THAT(said, HasSubstr(file + ":10:11: error: address 127.0.0.1:9 is taken"));
    EXPECT_EQ(command({"run", bad.string()}), 2);
}

TEST_F(GatewayCommandTest, AHostileFileIsRefusedBeforeItIsParsed) {
    const auto bad = dir.path() / "bad.toml";
    std::string key = "a";
    for (int i = 0; i < 70000; ++i) key += ".a";
    std::ofstream(bad) << key << " = 1\n";
    EXPECT_EQ(command({"check", bad.string()}), 2) << "a crash would be a signal";
}

TEST_F(GatewayCommandTest, ExitStatusesAreThoseOfTheContract) {
    EXPECT_EQ(command({"status", "--admin", admin}), 3);
    EXPECT_TRUE(text_of(out()).starts_with("umbra-gateway: "));
    EXPECT_EQ(command({"statsu"}), 2);
    EXPECT_THAT(text_of(out()), HasSubstr("did you mean \"status\"?"));
    EXPECT_EQ(command({"--version"}), 0);
    start();
    EXPECT_EQ(command({"status", "--json", "--admin", admin}), 0);
    EXPECT_EQ(json::parse(text_of(out())).at("name").as_string(), "cloud-1");
    EXPECT_EQ(command({"status", "--admin", admin}), 0);
    EXPECT_EQ(command({"invite", "alpha", "--admin", admin}), 0);
    EXPECT_TRUE(parse_invitation(text_of(out())).ok()) << "one line and nothing else";
    EXPECT_EQ(command({"invite", "No Name", "--admin", admin}), 2);
    EXPECT_EQ(command({"remove", "nobody", "--admin", admin}), 4);
    EXPECT_EQ(command({"admit", "nobody", "--admin", admin}), 4);
}

}  // namespace
}  // namespace umbra::gateway::testing
