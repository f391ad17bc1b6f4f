#include "integration/plugin/sockets.hpp"
#include "integration/plugin/tunnel_driver.hpp"
#include "integration/tunnel_ssh/sshd.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace umbra::plugin_test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

using enum TunnelState;

template <class F>
bool becomes_true(F condition) {
    const auto end = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < end) {
        if (condition()) return true;
        std::this_thread::sleep_for(5ms);
    }
    return false;
}

Mapping mapping(const std::string& name, std::uint16_t port, std::uint16_t internal) {
    return {name, name + ".cloud", port, port, "127.0.0.1", internal, "tcp", true};
}

TunnelSpec spec_of(std::vector<Mapping> mappings, std::vector<Channel> channels = {}) {
    return {"alpha", "1", 0, std::move(mappings), std::move(channels)};
}

class SshTunnelTest : public testing::Test {
protected:
    void SetUp() override {
        if (const auto why = Sshd::missing(); !why.empty()) GTEST_SKIP() << why;
        server_.emplace();
        make(server_->options());
    }
    void make(const OptionValues& options) {
        tunnel_.reset();
        tunnel_.emplace(state_.path(), options);
        ASSERT_NE(tunnel_->instance().self(), nullptr) << tunnel_->instance().why().message;
    }
    /// Opens it with these mappings and activates it.
    void serve(std::vector<Mapping> mappings, std::vector<Channel> channels = {}) {
        ASSERT_TRUE(tunnel_->open(spec_of(std::move(mappings), std::move(channels))).get().ok());
        ASSERT_TRUE(reaches(standby));
        const auto activated = tunnel_->activate(1).get();
        ASSERT_TRUE(activated.ok()) << activated.error().message;
        ASSERT_TRUE(reaches(active));
    }
    testing::AssertionResult reaches(TunnelState state, const std::string& detail = {}) {
        const auto event = tunnel_->wait_for(state, detail);
        if (event.ok()) return testing::AssertionSuccess();
        return testing::AssertionFailure() << event.error().message << "\n" << server_->log();
    }

    const TemporaryDirectory state_;
    const Echo crm_{"crm"}, erp_{"erp"};
    const std::uint16_t port_ = free_port(), other_port_ = free_port();
    std::optional<Sshd> server_;
    std::optional<TunnelUnderTest> tunnel_;
};

TEST_F(SshTunnelTest, StandsByWithoutAPortAndServesWhenActivated) {
    ASSERT_TRUE(tunnel_->open(spec_of({mapping("crm", port_, crm_.port())})).get().ok());
    const auto event = tunnel_->wait_for(standby);
    ASSERT_TRUE(event.ok()) << event.error().message;
    EXPECT_EQ(event->links, 1u);
    EXPECT_EQ(ask_once(port_, "hello"), "");
    EXPECT_TRUE(tunnel_->activate(1).get().ok());
    EXPECT_EQ(ask_once(port_, "hello"), "crm:hello");
    EXPECT_TRUE(reaches(active));
}

TEST_F(SshTunnelTest, KnownHostsMayBeAFileInstead) {
    auto options = server_->options();
    options.erase("host_keys");
    options["known_hosts"] = server_->known_hosts();
    make(options);
    ASSERT_NO_FATAL_FAILURE(serve({mapping("crm", port_, crm_.port())}));
    EXPECT_EQ(ask_once(port_, "hello"), "crm:hello");
}

TEST_F(SshTunnelTest, AnotherHostKeyIsRefusedAndSaysSo) {
    server_->kill();
    const auto before = server_->host_key();
    server_->change_host_key();
    ASSERT_NE(server_->host_key(), before);
    server_->start();
    ASSERT_TRUE(tunnel_->open(spec_of({mapping("crm", port_, crm_.port())})).get().ok());
    EXPECT_TRUE(reaches(refused, "the host key of " + server_->address() + " is not the one in"));
    EXPECT_EQ(tunnel_->activate(1).get().error().code, Errc::unavailable);
    EXPECT_THAT(server_->log(), testing::Not(HasSubstr("Accepted publickey")));
}

TEST_F(SshTunnelTest, AServerThatNobodyKnowsIsRefused) {
    auto options = server_->options();
    options.erase("host_keys");
    const auto file = state_.path() + "/empty";
    std::ofstream{file} << "";
    options["known_hosts"] = file;
    make(options);
    ASSERT_TRUE(tunnel_->open(spec_of({})).get().ok());
    EXPECT_TRUE(reaches(refused, "no host key of " + server_->address() + " is in " + file));
}

TEST_F(SshTunnelTest, AKeyThatTheServerDoesNotAcceptIsRefused) {
    auto options = server_->options();
    options["identity_file"] = server_->stranger();
    make(options);
    ASSERT_TRUE(tunnel_->open(spec_of({})).get().ok());
    EXPECT_TRUE(reaches(refused, "Permission denied (publickey"));
}

TEST_F(SshTunnelTest, AServerThatWasKilledIsReachedAgainAndServed) {
    ASSERT_NO_FATAL_FAILURE(serve({mapping("crm", port_, crm_.port())}));
    server_->kill();
    ASSERT_TRUE(reaches(connecting, "Connection refused; next attempt in "));
    EXPECT_EQ(tunnel_->activate(1).get().error().code, Errc::unavailable);
    server_->start();
    ASSERT_TRUE(reaches(standby));
    // The host does that: it knows whether it still may.
    EXPECT_TRUE(tunnel_->activate(1).get().ok());
    EXPECT_EQ(ask_once(port_, "again"), "crm:again");
}

TEST_F(SshTunnelTest, APortThatIsTakenIsToldAndServedOnceItIsFree) {
    std::optional<Listener> holder{port_};
    ASSERT_TRUE(holder->usable());
    ASSERT_TRUE(tunnel_->open(spec_of({mapping("crm", port_, crm_.port())})).get().ok());
    ASSERT_TRUE(reaches(standby));
    for (int i = 0; i < 3; ++i) {
        const auto activated = tunnel_->activate(1).get();
        ASSERT_FALSE(activated.ok());
        EXPECT_EQ(activated.error().code, Errc::unavailable);
        EXPECT_THAT(activated.error().message,
                    HasSubstr("mapping crm: the server does not listen on 127.0.0.1:" +
                              std::to_string(port_)));
    }
    EXPECT_TRUE(reaches(standby, "next attempt in "));
    holder.reset();
    const auto activated = tunnel_->activate(1).get();
    EXPECT_TRUE(activated.ok()) << activated.error().message;
    EXPECT_EQ(ask_once(port_, "hello"), "crm:hello");
}

TEST_F(SshTunnelTest, OneOfTwoThatIsTakenHoldsBackNobodyElse) {
    std::optional<Listener> holder{port_};
    ASSERT_NO_FATAL_FAILURE(
        serve({mapping("crm", port_, crm_.port()), mapping("erp", other_port_, erp_.port())}));
    EXPECT_TRUE(reaches(active, "mapping crm: the server does not listen on"));
    EXPECT_EQ(ask_once(other_port_, "hello"), "erp:hello");
    holder.reset();
    EXPECT_TRUE(tunnel_->wait_for([](const auto& event) { return event.detail.empty(); }).ok());
    EXPECT_EQ(ask_once(port_, "hello"), "crm:hello");
}

TEST_F(SshTunnelTest, OtherMappingsTouchNoStreamOfThoseThatStay) {
    ASSERT_NO_FATAL_FAILURE(serve({mapping("crm", port_, crm_.port())}));
    Client stream{port_};
    EXPECT_EQ(stream.ask("one"), "crm:one");
    ASSERT_TRUE(tunnel_
                    ->configure(spec_of({mapping("crm", port_, crm_.port()),
                                         mapping("erp", other_port_, erp_.port())}))
                    .get()
                    .ok());
    EXPECT_TRUE(becomes_true([&] { return ask_once(other_port_, "hello") == "erp:hello"; }));
    EXPECT_EQ(stream.ask("two"), "two");
    // Suspended: its port closes, and the stream of the other one goes on.
    auto suspended = mapping("erp", other_port_, erp_.port());
    suspended.active = false;
    ASSERT_TRUE(
        tunnel_->configure(spec_of({mapping("crm", port_, crm_.port()), suspended})).get().ok());
    EXPECT_TRUE(becomes_true([&] { return !Client{other_port_}.connected(); }));
    EXPECT_EQ(stream.ask("three"), "three");
}

TEST_F(SshTunnelTest, ADrainLetsStreamsEndAndIsAnsweredThen) {
    ASSERT_NO_FATAL_FAILURE(serve({mapping("crm", port_, crm_.port())}));
    std::optional<Client> stream{port_};
    EXPECT_EQ(stream->ask("one"), "crm:one");
    const auto drained = tunnel_->drain(1h);
    EXPECT_TRUE(becomes_true([&] { return !Client{port_}.connected(); }));
    EXPECT_EQ(stream->ask("two"), "two") << "after the port was closed";
    EXPECT_TRUE(reaches(standby, "1 earlier session(s) live on")) << "the next session stands by";
    EXPECT_FALSE(drained.ready());
    stream.reset();
    EXPECT_TRUE(drained.get().ok());
    EXPECT_TRUE(
        tunnel_->wait_for([](const auto& e) { return e.state == standby && e.detail.empty(); })
            .ok());
}

TEST_F(SshTunnelTest, ADrainCutsWhatIsLeftAfterTheGracePeriod) {
    ASSERT_NO_FATAL_FAILURE(serve({mapping("crm", port_, crm_.port())}));
    Client stream{port_};
    EXPECT_EQ(stream.ask("one"), "crm:one");
    const auto drained = tunnel_->drain(200ms);
    EXPECT_TRUE(stream.wait_for_end());
    EXPECT_TRUE(drained.get().ok());
    EXPECT_TRUE(reaches(standby));
    EXPECT_TRUE(tunnel_->activate(2).get().ok()) << "and serves again";
    EXPECT_EQ(ask_once(port_, "hello"), "crm:hello");
}

TEST_F(SshTunnelTest, TheOtherInstanceTakesThePortOnceItIsGivenUp) {
    ASSERT_NO_FATAL_FAILURE(serve({mapping("crm", port_, crm_.port())}));
    const TemporaryDirectory state;
    TunnelUnderTest beta{state.path(), server_->options()};
    ASSERT_TRUE(beta.open(spec_of({mapping("crm", port_, erp_.port())})).get().ok());
    ASSERT_TRUE(beta.wait_for(standby).ok());
    EXPECT_FALSE(beta.activate(2).get().ok()) << "alpha has it";
    EXPECT_TRUE(tunnel_->drain(0ms).get().ok());
    EXPECT_TRUE(becomes_true([&] { return beta.activate(2).get().ok(); }));
    EXPECT_EQ(ask_once(port_, "hello"), "erp:hello");
}

TEST_F(SshTunnelTest, RangesAndChannels) {
    auto range = mapping("crm", port_, crm_.port());
    const auto local = free_port();
    const std::string target = "127.0.0.1:" + std::to_string(erp_.port());
    ASSERT_NO_FATAL_FAILURE(serve({range}, {{"db", "127.0.0.1:" + std::to_string(local), target}}));
    EXPECT_EQ(ask_once(local, "hello"), "erp:hello");
    EXPECT_TRUE(tunnel_->drain(0ms).get().ok());
    EXPECT_FALSE(Client{local}.connected()) << "a channel is open while the tunnel is active only";
}

TEST_F(SshTunnelTest, WhatSshDoesNotCarryIsToldAndTheRestIsServed) {
    auto web = mapping("web", other_port_, erp_.port());
    web.protocol = "http";
    ASSERT_NO_FATAL_FAILURE(serve({web, mapping("crm", port_, crm_.port())}));
    EXPECT_TRUE(reaches(active, "mapping web is not served: ssh carries tcp, not http"));
    EXPECT_EQ(ask_once(port_, "hello"), "crm:hello");
    EXPECT_FALSE(Client{other_port_}.connected());
}

TEST_F(SshTunnelTest, StopEndsTheClientAndAnswersEverything) {
    ASSERT_NO_FATAL_FAILURE(serve({mapping("crm", port_, crm_.port())}));
    EXPECT_TRUE(tunnel_->stop().get().ok());
    EXPECT_TRUE(becomes_true([&] { return !Client{port_}.connected(); }));
    EXPECT_EQ(tunnel_->activate(2).get().error().code, Errc::closed);
    for (const auto& entry : std::filesystem::directory_iterator{state_.path()})
        EXPECT_FALSE(entry.path().filename().string().starts_with("control-")) << entry.path();
}

TEST_F(SshTunnelTest, ASocketThatAKilledInstanceLeftIsNoObstacle) {
    std::ofstream{state_.path() + "/control-1"} << "left";
    make(server_->options());
    ASSERT_NO_FATAL_FAILURE(serve({mapping("crm", port_, crm_.port())}));
}

TEST_F(SshTunnelTest, CannotArbitrateAndSaysSo) {
    EXPECT_EQ(tunnel_->claim(1).error().code, Errc::unsupported);
    EXPECT_EQ(TunnelUnderTest::file().plugin().capabilities, nullptr);
    EXPECT_EQ(tunnel_->activate(1).get().error().code, Errc::unavailable) << "before open()";
}

TEST_F(SshTunnelTest, AProgramThatIsMissingIsToldByName) {
    auto options = server_->options();
    options["program"] = "/nonexistent/ssh";
    make(options);
    ASSERT_TRUE(tunnel_->open(spec_of({})).get().ok());
    EXPECT_TRUE(reaches(refused, "cannot execute /nonexistent/ssh: No such file or directory"));
}

}  // namespace
}  // namespace umbra::plugin_test
