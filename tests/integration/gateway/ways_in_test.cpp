// How clients come in, seen from their side: who is let in, how many, and what the others are told.

#include "integration/gateway/server_fixture.hpp"

#include <gmock/gmock.h>

#include <sys/resource.h>

namespace umbra::gateway::testing {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string socks_greeting = "\x05\x01\x00"s;
const std::string socks_request = "\x05\x01\x00\x03\x09"s + "crm.cloud" + "\x1f\x90"s;
std::string socks_reply(char code) { return "\x05"s + code + "\x00\x01"s + std::string(6, '\0'); }
const std::string connect_request =
    "CONNECT crm.cloud:8080 HTTP/1.1\r\nHost: crm.cloud:8080\r\n\r\n";

class WaysInTest : public ServerFixture {
protected:
    /// Lines for [gateway.clients] and for [listener.crm].
    void limits(const std::string& clients, const std::string& listener = {}) {
        std::ofstream(config(), std::ios::app) << listener << "\n[gateway.clients]\n" << clients;
    }
    /// Waits for the end of the connection. @return what was said until then
    std::string last_words(User& user) {
        EXPECT_TRUE(until([&] { return user.eof || user.read_error; }));
        EXPECT_TRUE(user.eof) << "it was reset, and a reset can overtake what was said";
        return user.in;
    }
    bool is_reset(User& user) {
        return until([&] { return user.read_error == asio::error::connection_reset; });
    }
    json::object crm() { return status().at("listeners").at(0).at("counters").as_object(); }
};

TEST_F(WaysInTest, WhoIsNotAllowedIsToldSoInHisOwnProtocol) {
    limits("allow = [\"192.0.2.0/24\"]\n");
    pair_runs();
    const auto plain = client(crm_port);
    EXPECT_TRUE(is_reset(*plain));
    const auto socks = client(socks_port);
    asio::write(socks->outer, asio::buffer(socks_greeting));
    ASSERT_TRUE(until([&] { return socks->in.size() >= 2; }));
    asio::write(socks->outer, asio::buffer(socks_request));
    EXPECT_EQ(last_words(*socks), "\x05\x00"s + socks_reply(2));
    const auto http = client(connect_port);
    asio::write(http->outer, asio::buffer(connect_request));
    EXPECT_THAT(last_words(*http), StartsWith("HTTP/1.1 403 "));
    EXPECT_EQ(counter("refused_network"), 3);
    EXPECT_TRUE(alpha.requests.empty());
    EXPECT_THAT(text_of(log()), HasSubstr("of crm.cloud:8080 is turned away: its address is not"));
    EXPECT_EQ(crm().at("refused").at("network").to_number<int>(), 1);
}

TEST_F(WaysInTest, AListenerHasItsOwnListAndAReloadChangesIt) {
    limits("allow = [\"192.0.2.0/24\"]\n", "allow = [\"127.0.0.0/8\"]\n");
    pair_runs();
    const auto user = client(crm_port);
    EXPECT_TRUE(answers(*user, "a", "alpha:a"));
    write_config();
    limits("", "allow = [\"::1\"]\n");
    program.signal(SIGHUP);
    ASSERT_TRUE(until([&] { return text_of(log()).find("crm.allow") != std::string::npos; }));
    const auto other = client(crm_port);
    EXPECT_TRUE(is_reset(*other));
    EXPECT_TRUE(answers(*user, "b", "alpha:b")) << "who is inside stays";
}

TEST_F(WaysInTest, PastTheLimitOfOneSourceOnlyTheNextOneSuffers) {
    limits("per_source = 2\n");
    pair_runs();
    const auto first = client(crm_port);
    const auto second = client(connect_port);
    ASSERT_TRUE(answers(*first, "a", "alpha:a"));
    ASSERT_TRUE(answers(*second, connect_request, "HTTP/1.1 200 Connection established\r\n\r\n"));
    const auto third = client(crm_port);
    EXPECT_TRUE(is_reset(*third));
    const auto http = client(connect_port);
    asio::write(http->outer, asio::buffer(connect_request));
    const auto said = last_words(*http);
    EXPECT_THAT(said, StartsWith("HTTP/1.1 429 "));
    EXPECT_THAT(said, HasSubstr("\r\nRetry-After: "));
    const auto socks = client(socks_port);
    asio::write(socks->outer, asio::buffer(socks_greeting + socks_request));
    EXPECT_EQ(last_words(*socks), "\x05\x00"s + socks_reply(1));
    EXPECT_EQ(counter("refused_per_source"), 3);
    EXPECT_TRUE(answers(*second, "b", "alpha:b"));
    first->outer.close();
    ASSERT_TRUE(until([&] { return status().at("clients_now").to_number<int>() == 1; }));
    const auto fourth = client(crm_port);
    EXPECT_TRUE(answers(*fourth, "c", "alpha:c")) << "who leaves makes room";
}

TEST_F(WaysInTest, AListenerTakesAsManyAsItsLimit) {
    limits("", "clients = 1\n");
    pair_runs();
    const auto first = client(crm_port);
    ASSERT_TRUE(answers(*first, "a", "alpha:a"));
    const auto second = client(crm_port);
    EXPECT_TRUE(is_reset(*second));
    EXPECT_EQ(counter("refused_clients"), 1);
    const auto other = client(connect_port);
    EXPECT_TRUE(answers(*other, connect_request, "HTTP/1.1 200 Connection established\r\n\r\n"))
        << "other ways in have places of their own";
    EXPECT_EQ(crm().at("clients_now").to_number<int>(), 1);
    EXPECT_EQ(crm().at("served").to_number<int>(), 1);
}

TEST_F(WaysInTest, ARangeOfPortsLeadsToTheSameRangeOfTheVirtualHost) {
    // A range needs real ports; those that the kernel gives away now are most likely free.
    std::uint16_t first = 0;
    for (int tries = 0; first == 0 && tries < 100; ++tries) {
        tcp::acceptor low(io, {asio::ip::address_v4::loopback(), 0});
        boost::system::error_code error;
        tcp::acceptor high(io);
        high.open(tcp::v4());
        const auto port = low.local_endpoint().port();
        if (port == 65535) continue;
        high.bind({asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port + 1)}, error);
        if (!error) first = port;
    }
    ASSERT_NE(first, 0);
    std::ofstream(config(), std::ios::app)
        << "[listener.erp]\naddress = \"127.0.0.1:" << first << "-" << first + 1
        << "\"\nvirtual = \"erp.cloud:8000-8001\"\n";
    pair_runs();
    const auto one = client(first);
    EXPECT_TRUE(answers(*one, "a", "alpha:a"));
    EXPECT_EQ(alpha.requests.back().port, 8000);
    const auto two = client(static_cast<std::uint16_t>(first + 1));
    EXPECT_TRUE(answers(*two, "b", "alpha:b"));
    EXPECT_EQ(alpha.requests.back().host, "erp.cloud");
    EXPECT_EQ(alpha.requests.back().port, 8001);
}

class ProxiedTest : public WaysInTest {
protected:
    void behind(const std::string& more = {}) {
        limits("", "proxy_from = [\"127.0.0.1\"]\n" + more);
        pair_runs();
    }
    static std::string from(const std::string& address) {
        return "\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c"s + address +
               "\x0a\x00\x00\x01\x30\x39\x01\xbb"s;
    }
};

TEST_F(ProxiedTest, TheClientBehindALoadBalancerIsTheOneThatIsNamedAndJudged) {
    behind("allow = [\"203.0.113.0/24\"]\nclients_per_source = 1\n");
    const auto user = client(crm_port);
    ASSERT_TRUE(answers(*user, from("\xcb\x00\x71\x07"s) + "hi", "alpha:hi"));
    EXPECT_EQ(alpha.requests.back().client, "203.0.113.7:12345");
    const auto again = client(crm_port);
    asio::write(again->outer, asio::buffer(from("\xcb\x00\x71\x07"s)));
    EXPECT_TRUE(is_reset(*again)) << "the second of its address";
    const auto stranger = client(crm_port);
    asio::write(stranger->outer, asio::buffer(from("\x01\x02\x03\x04"s)));
    EXPECT_TRUE(is_reset(*stranger));
    EXPECT_EQ(counter("refused_network"), 1);
    EXPECT_EQ(counter("refused_per_source"), 1);
}

TEST_F(ProxiedTest, WithoutAHeaderNobodyIsServed) {
    behind();
    const auto user = client(crm_port);
    asio::write(user->outer, asio::buffer("GET / HTTP/1.1\r\n\r\n"s));
    EXPECT_TRUE(is_reset(*user));
    EXPECT_EQ(counter("bad_requests"), 1);
    EXPECT_TRUE(alpha.requests.empty());
}

// --- when nobody serves -------------------------------------------------------------------------

TEST_F(WaysInTest, WhoWaitsInVainOrFindsNoPlaceIsToldWhenToComeBack) {
    write_config("{ time = \"300ms\", clients = 2 }");
    start();
    const auto http = client(connect_port);
    const auto socks = client(socks_port);
    asio::write(http->outer, asio::buffer(connect_request));
    asio::write(socks->outer, asio::buffer(socks_greeting + socks_request));
    ASSERT_TRUE(until([&] { return pair().at("parked").to_number<int>() == 2; }));
    const auto past = client(connect_port);
    // A client that talks on gets its answer all the same.
    asio::write(past->outer, asio::buffer(connect_request + std::string(3000, 'x')));
    EXPECT_THAT(last_words(*past), StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(past->in, HasSubstr("\r\nRetry-After: "));
    EXPECT_EQ(counter("park_full"), 1);
    EXPECT_THAT(last_words(*http), StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(http->in, HasSubstr("\r\nRetry-After: "));
    EXPECT_EQ(last_words(*socks), "\x05\x00"s + socks_reply(3));
    EXPECT_EQ(counter("park_timeouts"), 2);
}

}  // namespace
}  // namespace umbra::gateway::testing
