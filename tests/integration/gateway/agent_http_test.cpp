// HTTP mappings: every request is checked, and what is permitted passes as it is.

#include "http_head.hpp"
#include "integration/gateway/agent_case.hpp"
#include "integration/gateway/tls_backend.hpp"

namespace umbra::gateway {
namespace {

using namespace umbra::gateway::testing;

/// An internal system whose answers the test writes by hand.
class PlayedBackend {
public:
    struct Connection {
        explicit Connection(tcp::socket s) : user(std::move(s)) { user.read_on(); }
        [[nodiscard]] bool got(const std::string& text) const {
            return user.in.find(text) != std::string::npos;
        }
        User user;
    };
    explicit PlayedBackend(asio::io_context& io)
        : acceptor_(io, tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {
        accept();
    }
    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    std::vector<std::unique_ptr<Connection>> all;

private:
    void accept() {
        acceptor_.async_accept([this](boost::system::error_code error, tcp::socket socket) {
            if (error) return;
            all.push_back(std::make_unique<Connection>(std::move(socket)));
            accept();
        });
    }
    tcp::acceptor acceptor_;
};

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

std::string get(const std::string& path, const std::string& fields = {}) {
    return "GET " + path + " HTTP/1.1\r\nHost: web.cloud\r\n" + fields + "\r\n";
}

class AgentHttpTest : public AgentTest {
protected:
    AgentHttpTest() {
        options.response_timeout = 10s;
        auto& web = spec.mappings[0];
        web.protocol = "http";
        web.internal_port = web_system.port();
        web.resources = {{"api", "/api", true, {}, false, true},
                         {"live", "/live", false, {"GET"}, true, true}};
    }
    ~AgentHttpTest() override { stop_tunnel(); }

    PlayedBackend::Connection& system(std::size_t number = 0) {
        EXPECT_TRUE(until([&] { return web_system.all.size() > number; }));
        return *web_system.all.at(number);
    }
    bool gets(Client& c, const std::string& text) {
        return until([&] { return c.user->in.find(text) != std::string::npos; });
    }
    bool system_gets(const std::string& text, std::size_t number = 0) {
        auto& connection = system(number);
        return until([&] { return connection.got(text); });
    }
    std::uint64_t denied() {
        std::uint64_t count = 0;
        for (const auto& event : events)
            if (event.type == TunnelEvent::Type::denied) count += event.count;
        return count;
    }
    void configure() {
        Op<Done> configured;
        tunnel->configure(spec, configured.reply());
        ASSERT_TRUE(until([&] { return configured.done(); }));
    }
    PlayedBackend web_system{io};
};

TEST_F(AgentHttpTest, APermittedRequestPassesWithTheClientsAddressAndTheConnectionStays) {
    open_to_active();
    auto c = client();
    ASSERT_TRUE(answered(*c));
    EXPECT_EQ(c->status->code, StatusCode::ok);
    for (const char* path : {"/api/1", "/api/2"}) {
        c->user->in.clear();
        c->user->write(get(path, "X-A: b\r\n"));
        ASSERT_TRUE(system_gets(std::string("GET ") + path));
        ASSERT_TRUE(system_gets("X-Forwarded-For: 203.0.113.9\r\n"));
        EXPECT_TRUE(system().got("Host: web.cloud\r\nX-A: b\r\n"));
        EXPECT_TRUE(system().got("X-Forwarded-Host: web.cloud\r\n"));
        system().user.in.clear();
        system().user.write(ok);
        ASSERT_TRUE(gets(*c, "\r\n\r\nok"));
        EXPECT_EQ(c->user->in, ok) << "as it is";
    }
    EXPECT_EQ(web_system.all.size(), 1u);
    c->user->outer.shutdown(tcp::socket::shutdown_send);
    ASSERT_TRUE(until([&] { return c->end == StreamEnd::finished; }));
    ASSERT_TRUE(until([&] { return last(TunnelEvent::Type::state)->streams == 0; }));
}

TEST_F(AgentHttpTest, EveryPipelinedRequestIsCheckedAndAnsweredInOrder) {
    open_to_active();
    auto c = client();
    c->user->write(get("/api/1") + get("/admin") + get("/apis") + get("/api/2"));
    ASSERT_TRUE(system_gets("GET /api/1"));
    system().user.write(ok);
    ASSERT_TRUE(system_gets("GET /api/2"));
    EXPECT_FALSE(system().got("/admin") || system().got("/apis"));
    system().user.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlast");
    ASSERT_TRUE(gets(*c, "last"));
    EXPECT_EQ(c->user->in.find(ok + "HTTP/1.1 403 Forbidden\r\n"), 0u);
    EXPECT_NE(c->user->in.find("403", c->user->in.find("403") + 3), std::string::npos);
    ASSERT_TRUE(until([&] { return denied() == 2; }));
    EXPECT_EQ(last(TunnelEvent::Type::denied)->detail,
              "203.0.113.9:40000: GET /apis is not permitted");
}

TEST_F(AgentHttpTest, WhatIsMalformedIsRefusedAndReachesNobody) {
    open_to_active();
    std::size_t refused = 0;
    for (const auto& [request, status] : std::vector<std::pair<std::string, std::string>>{
             {get("/api/../admin"), "400"},
             {get("/api/%2e%2e/admin"), "400"},
             {get("http://web.cloud/api"), "400"},
             {get("/api", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), "400"},
             {"GET /api HTTP/1.1\nHost: web.cloud\n\n", "400"},
             {get("/api", "X: " + std::string(request_head_bytes_max, 'a') + "\r\n"), "431"},
             {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
             {"CONNECT db:5432 HTTP/1.1\r\nHost: db\r\n\r\n", "405"}}) {
        auto c = client();
        c->user->write(request + get("/api"));
        ASSERT_TRUE(until([&] { return c->user->eof; })) << request;
        EXPECT_EQ(c->user->in.substr(0, 12), "HTTP/1.1 " + status) << request;
        EXPECT_NE(c->user->in.find("Connection: close\r\n"), std::string::npos);
        ++refused;
    }
    EXPECT_TRUE(web_system.all.empty());
    EXPECT_TRUE(until([&] { return denied() == refused; }));
}

TEST_F(AgentHttpTest, BodiesPassAsTheyAreBothWays) {
    open_to_active();
    auto c = client();
    const std::string chunks = "5;x=y\r\nhello\r\n0\r\nX-Sum: 7\r\n\r\n";
    c->user->write("POST /api HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks);
    ASSERT_TRUE(system_gets(chunks));
    const std::string answer =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n";
    system().user.write(answer);
    ASSERT_TRUE(gets(*c, "X-T: 1\r\n\r\n"));
    EXPECT_EQ(c->user->in, answer);
    const std::string large = pattern(3u << 20, 3);
    c->user->write("PUT /api HTTP/1.1\r\nHost: a\r\nContent-Length: " +
                   std::to_string(large.size()) + "\r\n\r\n" + large);
    ASSERT_TRUE(until([&] { return system().user.in.size() > large.size(); }));
    ASSERT_TRUE(until([&] { return system().user.in.ends_with(large.substr(large.size() - 99)); }));
    c->user->in.clear();
    system().user.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(large.size()) +
                        "\r\n\r\n" + large);
    ASSERT_TRUE(until([&] { return c->user->in.ends_with(large); }));
    EXPECT_EQ(web_system.all.size(), 1u);
}

TEST_F(AgentHttpTest, AnswersWithoutABodyAndInterimOnes) {
    open_to_active();
    auto c = client();
    c->user->write(
        "POST /api HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    ASSERT_TRUE(system_gets("Expect: 100-continue"));
    system().user.write("HTTP/1.1 100 Continue\r\n\r\n");
    ASSERT_TRUE(gets(*c, "100 Continue\r\n\r\n"));
    c->user->write("hi");
    ASSERT_TRUE(system_gets("\r\n\r\nhi"));
    system().user.write("HTTP/1.1 204 No Content\r\n\r\n");
    ASSERT_TRUE(gets(*c, "204 No Content\r\n\r\n"));
    c->user->write("HEAD /api HTTP/1.1\r\nHost: a\r\n\r\n");
    ASSERT_TRUE(system_gets("HEAD /api"));
    system().user.write("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n");
    ASSERT_TRUE(gets(*c, "Content-Length: 99\r\n\r\n"));
    c->user->write(get("/api/next"));
    ASSERT_TRUE(system_gets("GET /api/next"));
    EXPECT_EQ(web_system.all.size(), 1u);
}

TEST_F(AgentHttpTest, AnUpgradePassesOnlyWhereItIsPermitted) {
    open_to_active();
    const std::string fields = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    auto refused = client();
    refused->user->write(get("/api", fields));
    ASSERT_TRUE(gets(*refused, "HTTP/1.1 403"));
    auto c = client();
    c->user->write(get("/live", fields) + "early");
    ASSERT_TRUE(system_gets("Upgrade: websocket"));
    EXPECT_FALSE(system().got("early"));
    system().user.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nraw");
    ASSERT_TRUE(gets(*c, "\r\n\r\nraw"));
    ASSERT_TRUE(system_gets("early"));
    c->user->write(std::string("GET /admin \0\n", 13));
    ASSERT_TRUE(system_gets(std::string("GET /admin \0\n", 13))) << "no more requests: bytes";
    c->user->outer.shutdown(tcp::socket::shutdown_send);
    ASSERT_TRUE(until([&] { return system().user.eof; }));
    system().user.write("half-closed");
    ASSERT_TRUE(gets(*c, "half-closed"));
    EXPECT_FALSE(c->end);
    spec.mappings[0].resources[1].active = false;
    configure();
    ASSERT_TRUE(until([&] { return c->end.has_value(); }));
    EXPECT_EQ(*c->end, StreamEnd::reset) << "its resource is suspended";
}

TEST_F(AgentHttpTest, OtherRulesHoldForTheNextRequestOfAConnection) {
    open_to_active();
    auto c = client();
    c->user->write(get("/api/1"));
    ASSERT_TRUE(system_gets("GET /api/1"));
    system().user.write(ok);
    ASSERT_TRUE(gets(*c, "ok"));
    spec.mappings[0].resources[0].path = "/other";
    configure();
    EXPECT_FALSE(c->end);
    c->user->write(get("/api/2"));
    ASSERT_TRUE(gets(*c, "HTTP/1.1 403"));
    EXPECT_FALSE(system().got("/api/2"));
}

TEST_F(AgentHttpTest, ABackendThatFailsIsABadGateway) {
    spec.mappings[0].backends = {{"127.0.0.1", 1}};
    options.response_timeout = 100ms;
    open_to_active();
    auto c = client();
    c->user->write(get("/api"));
    ASSERT_TRUE(gets(*c, "HTTP/1.1 502 Bad Gateway\r\n"));
    spec.mappings[0].backends.clear();
    configure();
    c->user->write(get("/api"));
    ASSERT_TRUE(system_gets("GET /api"));
    ASSERT_TRUE(gets(*c, "HTTP/1.1 504 Gateway Timeout\r\n")) << "it does not answer";
    auto gone = client();
    gone->user->write(get("/api"));
    ASSERT_TRUE(system_gets("GET /api", 1));
    system(1).user.outer.close();
    ASSERT_TRUE(gets(*gone, "HTTP/1.1 502 Bad Gateway\r\n"));
    auto wrong = client();
    wrong->user->write(get("/api"));
    ASSERT_TRUE(system_gets("GET /api", 2));
    system(2).user.write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12");
    ASSERT_TRUE(gets(*wrong, "HTTP/1.1 502 Bad Gateway\r\n"));
}

TEST_F(AgentHttpTest, AnAnswerThatIsBrokenOffIsNotTakenForAWholeOne) {
    open_to_active();
    auto c = client();
    c->user->write(get("/api"));
    ASSERT_TRUE(system_gets("GET /api"));
    system().user.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    ASSERT_TRUE(gets(*c, "half"));
    system().user.outer.close();
    ASSERT_TRUE(until([&] { return c->end.has_value(); }));
    EXPECT_EQ(*c->end, StreamEnd::reset);
    ASSERT_TRUE(until([&] { return c->user->eof || c->user->read_error; }));
    EXPECT_FALSE(c->user->eof);
}

TEST_F(AgentHttpTest, AKeptConnectionThatTheBackendEndedIsReplacedWithoutTheClientNoticing) {
    open_to_active();
    auto c = client();
    c->user->write(get("/api/1"));
    ASSERT_TRUE(system_gets("GET /api/1"));
    system().user.write(ok);
    ASSERT_TRUE(gets(*c, "ok"));
    system().user.outer.close();
    c->user->write(get("/api/2"));
    ASSERT_TRUE(system_gets("GET /api/2", 1));
    c->user->in.clear();
    system(1).user.write(ok);
    ASSERT_TRUE(gets(*c, "ok"));
}

TEST_F(AgentHttpTest, AnAnswerBeforeTheEndOfTheRequestEndsTheConnectionInOrder) {
    open_to_active();
    auto c = client();
    c->user->write("POST /api HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nsome");
    ASSERT_TRUE(system_gets("\r\n\r\nsome"));
    system().user.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno");
    ASSERT_TRUE(until([&] { return c->user->eof; }));
    EXPECT_TRUE(c->user->in.ends_with("\r\n\r\nno")) << c->user->in;
}

TEST_F(AgentHttpTest, AMalformedBodyReachesTheBackendOnlyAsABrokenOne) {
    open_to_active();
    auto c = client();
    c->user->write(
        "POST /api HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n");
    ASSERT_TRUE(system_gets("ab\r\n"));
    c->user->write("0x5\r\n");
    ASSERT_TRUE(gets(*c, "HTTP/1.1 400 Bad Request\r\n"));
    ASSERT_TRUE(until([&] { return system().user.read_error || system().user.eof; }));
    EXPECT_FALSE(system().user.eof) << "it must not take half a request for a whole one";
}

TEST_F(AgentHttpTest, AClientThatIsGoneLetsGoOfTheBackend) {
    open_to_active();
    auto c = client();
    c->user->write(get("/api"));
    ASSERT_TRUE(system_gets("GET /api"));
    c->user->outer.set_option(asio::socket_base::linger(true, 0));
    c->user->outer.close();
    ASSERT_TRUE(until([&] { return system().user.eof || system().user.read_error; }));
    ASSERT_TRUE(until([&] { return last(TunnelEvent::Type::state)->streams == 0; }));
}

TEST_F(AgentHttpTest, AClientThatSaysNoMoreStillGetsItsAnswer) {
    open_to_active();
    auto c = client();
    c->user->write(get("/api"));
    c->user->outer.shutdown(tcp::socket::shutdown_send);
    ASSERT_TRUE(system_gets("GET /api"));
    system().user.write("HTTP/1.0 200 OK\r\n\r\nuntil the end");
    ASSERT_TRUE(gets(*c, "until the end"));
    system().user.outer.close();
    ASSERT_TRUE(until([&] { return c->user->eof && c->end == StreamEnd::finished; }));
}

TEST_F(AgentHttpTest, OverTlsToABackendThatIsVerified) {
    const TempDir dir;
    const TestCa ca(dir.path());
    TlsBackend secure(ca.issue("web", "IP:127.0.0.1"));
    auto& web = spec.mappings[0];
    web.protocol = "http+tls";
    web.internal_port = secure.port();
    web.tls.ca_file = ca.file();
    open_to_active();
    auto c = client();
    // This backend sends everything back, which is no answer: what matters is who may see it.
    c->user->write(get("/api"));
    ASSERT_TRUE(gets(*c, "HTTP/1.1 502 Bad Gateway\r\n"));
    EXPECT_EQ(secure.handshakes, 1);
    spec.mappings[0].tls.server_name = "other";
    configure();
    auto refused = client();
    refused->user->write(get("/api"));
    ASSERT_TRUE(gets(*refused, "HTTP/1.1 502 Bad Gateway\r\n"));
    EXPECT_EQ(secure.handshakes, 1);
}

}  // namespace
}  // namespace umbra::gateway
