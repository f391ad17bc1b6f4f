// Links through an HTTP proxy: a real one where it is installed, and a played one that misbehaves.

#include "integration/gateway/agent_case.hpp"
#include "integration/gateway/child.hpp"
#include "integration/gateway/reserved_port.hpp"

#include <gmock/gmock.h>

#include <list>

namespace umbra::gateway {
namespace {

using namespace umbra::gateway::testing;
using ::testing::HasSubstr;

class AgentProxyTest : public AgentTest {
protected:
    AgentProxyTest() { options.connect_timeout = 5s; }
    ~AgentProxyTest() override {
        ::unsetenv("https_proxy");
        ::unsetenv("no_proxy");
    }
    /// @return whether the detail of the tunnel comes to hold this.
    bool says(const std::string& text) {
        return until([&] {
            const auto event = last(TunnelEvent::Type::state);
            return event && event->detail.find(text) != std::string::npos;
        });
    }
    [[nodiscard]] std::string detail() const { return last(TunnelEvent::Type::state)->detail; }
};

#ifdef UMBRA_TEST_TINYPROXY
class TinyproxyTest : public AgentProxyTest {
protected:
    void run_proxy(const std::string& more = {}) {
        std::ofstream(dir.path() / "conf")
            << "Port " << port.port() << "\nListen 127.0.0.1\nTimeout 600\nMaxClients 100\n"
            << "LogLevel Connect\n"
            << more;
        proxy = Child({UMBRA_TEST_TINYPROXY, "-d", "-c", (dir.path() / "conf").string()}, log());
        ASSERT_TRUE(until([&] {
            tcp::socket socket(io);
            boost::system::error_code error;
            socket.connect({asio::ip::address_v4::loopback(), port.port()}, error);
            return !error;
        })) << text_of(log());
    }
    void write_password(const std::string& password) {
        std::ofstream(dir.path() / "password") << password << "\n";
        options.proxy_password_file = (dir.path() / "password").string();
    }
    std::filesystem::path log() const { return dir.path() / "log"; }
    bool was_asked() const {
        return text_of(log()).find("CONNECT " + played.address()) != std::string::npos;
    }

    TempDir dir;
    ReservedPort port{io};
    Child proxy;
};

TEST_F(TinyproxyTest, LinksGoThroughIt) {
    run_proxy();
    options.proxy = port.address();
    open_to_active();
    EXPECT_TRUE(echoes(*client(), pattern(3u << 20, 1)));
    EXPECT_TRUE(was_asked());
}

TEST_F(TinyproxyTest, AnEnrolmentGoesThroughIt) {
    run_proxy();
    options.proxy = "http://" + port.address();
    options.pin.reset();
    open();
    Invitation invitation;
    invitation.secret.fill(7);
    invitation.gateway_pin = *parse_pin(played.pin());
    played.invitation_secret = invitation.secret;
    Op<Done> enrolled;
    tunnel->enrol(to_text(invitation), enrolled.reply());
    ASSERT_TRUE(until([&] { return enrolled.done(); }));
    EXPECT_TRUE(enrolled.ok()) << enrolled.message;
    EXPECT_TRUE(was_asked());
}

TEST_F(TinyproxyTest, TheLoginIsReadAnewAtEachDial) {
    run_proxy("BasicAuth joe geheim\n");
    options.proxy = "http://joe@" + port.address();
    write_password("wrong");
    open();
    ASSERT_TRUE(says("does not accept the password of user joe"));
    EXPECT_EQ(detail().find("wrong"), std::string::npos);
    EXPECT_TRUE(played.peers.empty());
    write_password("geheim");
    EXPECT_TRUE(until([&] { return state() == TunnelState::standby && played.up() == 2; }))
        << detail();
}

TEST_F(TinyproxyTest, WithoutALoginItIsToldWhatToSet) {
    run_proxy("BasicAuth joe geheim\n");
    options.proxy = port.address();
    open();
    EXPECT_TRUE(says("wants a user and a password: set proxy_user and proxy_password_file"))
        << detail();
}

TEST_F(TinyproxyTest, WhatItForbidsIsTold) {
    run_proxy("ConnectPort 1\n");
    options.proxy = port.address();
    open();
    EXPECT_TRUE(says("does not connect to " + played.address() + ": 403 ")) << detail();
    EXPECT_THAT(detail(), HasSubstr("; attempt "));
}

TEST_F(TinyproxyTest, TheEnvironmentNamesItAndMakesExceptions) {
    run_proxy();
    ::setenv("https_proxy", ("http://" + port.address()).c_str(), 1);
    open_to_standby();
    EXPECT_TRUE(was_asked());
}

TEST_F(TinyproxyTest, NoProxyAndTheOptionNoneLeadPastIt) {
    run_proxy("BasicAuth nobody knows\n");
    ::setenv("https_proxy", ("http://" + port.address()).c_str(), 1);
    ::setenv("no_proxy", "127.0.0.0/8", 1);
    open_to_standby();
    ::unsetenv("no_proxy");
    Op<Done> stopped;
    tunnel->stop(stopped.reply());
    ASSERT_TRUE(until([&] { return stopped.done(); }));
    tunnel.reset();
    asked.reset();
    events.clear();
    options.proxy = "none";
    open();
    EXPECT_TRUE(until([&] { return state() == TunnelState::standby; }));
    EXPECT_FALSE(was_asked());
}
#endif

/// A proxy that says one thing, and nothing more.
class PlayedProxy {
public:
    PlayedProxy(asio::io_context& io, std::string says) : says_(std::move(says)), acceptor_(io) {
        acceptor_ = tcp::acceptor(io, {asio::ip::address_v4::loopback(), 0});
        accept();
    }
    [[nodiscard]] std::string address() const {
        return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
    }

private:
    void accept() {
        acceptor_.async_accept([this](boost::system::error_code error, tcp::socket socket) {
            if (error) return;
            boost::system::error_code ignored;
            asio::write(sockets_.emplace_back(std::move(socket)), asio::buffer(says_), ignored);
            accept();
        });
    }
    std::string says_;
    tcp::acceptor acceptor_;
    std::list<tcp::socket> sockets_;
};

TEST_F(AgentProxyTest, ASilentProxyCostsTheConnectTimeoutAndIsNamed) {
    PlayedProxy silent(io, "");
    options.proxy = silent.address();
    options.connect_timeout = 200ms;
    open();
    EXPECT_TRUE(says("the proxy " + silent.address() + " did not answer in time; attempt "))
        << detail();
}

TEST_F(AgentProxyTest, WhatIsNoProxyIsToldSo) {
    PlayedProxy ssh(io, "SSH-2.0-OpenSSH_9.2\r\n");
    options.proxy = ssh.address();
    open();
    EXPECT_TRUE(says("the proxy " + ssh.address() + " does not answer like an HTTP proxy"))
        << detail();
}

TEST_F(AgentProxyTest, AProxyThatIsNotThereIsNamed) {
    const ReservedPort nobody(io);
    options.proxy = nobody.address();
    open();
    EXPECT_TRUE(says("the proxy: cannot reach " + nobody.address())) << detail();
}

TEST_F(AgentProxyTest, WrongOptionsAreRefusedAtOnce) {
    options.proxy = "http://joe:geheim@127.0.0.1:1";
    try {
        tunnel = std::make_unique<GatewayTunnel>(host.context(), options);
        FAIL() << "it was taken";
    } catch (const Failure& failure) {
        EXPECT_THAT(failure.what(), HasSubstr("use proxy_password_file"));
    }
}

}  // namespace
}  // namespace umbra::gateway
