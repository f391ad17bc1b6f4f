// What clients say first: SOCKS5, HTTP CONNECT, the PROXY protocol.

#include "http_connect.hpp"
#include "proxy_header.hpp"
#include "socks5.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace umbra::gateway {
namespace {

using namespace std::string_literals;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using State = Preamble::State;

const std::string greeting = "\x05\x01\x00"s;
const std::string chosen = "\x05\x00"s;
std::string reply(char code) { return "\x05"s + code + "\x00\x01"s + std::string(6, '\0'); }
std::string connect_to(const std::string& address, const std::string& port = "\x1f\x90"s) {
    return greeting + "\x05\x01\x00"s + address + port;
}
std::string name(const std::string& text) {
    return "\x03"s + static_cast<char>(text.size()) + text;
}

TEST(Socks5Test, NamesAndAddressesAreTaken) {
    const std::map<std::string, std::string> hosts{
        {name("CRM.cloud"), "crm.cloud"},
        {"\x01\x0a\x00\x00\x01"s, "10.0.0.1"},
        {"\x04\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x01", "2001:db8::1"}};
    for (const auto& [address, host] : hosts) {
        Socks5Preamble socks;
        const auto said = connect_to(address);
        EXPECT_EQ(socks.feed(said + "more"), said.size()) << "and not one byte more";
        ASSERT_EQ(socks.state(), State::done) << host;
        EXPECT_EQ(socks.take_answer(), chosen);
        EXPECT_EQ(socks.host(), host);
        EXPECT_EQ(socks.port(), 8080);
    }
}

std::string socks_refusal(const std::string& said) {
    Socks5Preamble socks;
    EXPECT_EQ(socks.feed(said), said.size());
    EXPECT_EQ(socks.state(), State::bad);
    return socks.take_answer();
}

TEST(Socks5Test, WhatIsNotServedIsAnsweredAsTheRfcSays) {
    EXPECT_EQ(socks_refusal("\x05\x02\x01\x02"s), "\x05\xff"s) << "no method in common";
    EXPECT_EQ(socks_refusal("\x05\x00"s), "\x05\xff"s) << "none at all";
    EXPECT_EQ(socks_refusal(greeting + "\x05\x02\x00"s + name("a") + "\x00\x50"s),
              chosen + reply(7))
        << "BIND";
    EXPECT_EQ(socks_refusal(greeting + "\x05\x03\x00"s + name("a") + "\x00\x50"s),
              chosen + reply(7))
        << "UDP ASSOCIATE";
    EXPECT_EQ(socks_refusal(greeting + "\x05\x01\x00\x05"s), chosen + reply(8));
    EXPECT_EQ(socks_refusal(connect_to(name("a"), "\x00\x00"s)), chosen + reply(1)) << "port 0";
    EXPECT_EQ(socks_refusal(connect_to(name("a b"))), chosen + reply(1));
    EXPECT_EQ(socks_refusal(connect_to(name("a:1"))), chosen + reply(1));
    EXPECT_EQ(socks_refusal(connect_to(name("[::1]"))), chosen + reply(1));
    EXPECT_EQ(socks_refusal(connect_to(name(""))), chosen + reply(1));
    EXPECT_EQ(socks_refusal("\x04\x01"s), "") << "SOCKS4";
    EXPECT_EQ(socks_refusal(greeting + "\x04\x01\x00\x01"s), chosen);
}

TEST(Socks5Test, TheLongestNameFitsAndNamesWithNulDoNot) {
    const std::string label(62, 'a');
    const auto longest = label + "." + label + "." + label + "." + label + ".a";  // 253
    Socks5Preamble socks;
    socks.feed(connect_to(name(longest)));
    ASSERT_EQ(socks.state(), State::done);
    EXPECT_EQ(socks.host(), longest);
    EXPECT_EQ(socks_refusal(connect_to(name(longest + "b"))), chosen + reply(1));
    EXPECT_EQ(socks_refusal(connect_to(name("a\0b"s))), chosen + reply(1));
}

TEST(Socks5Test, EveryRefusalHasAReply) {
    const std::map<Refusal, char> codes{
        {Refusal::network, 2},         {Refusal::per_source, 1}, {Refusal::clients, 1},
        {Refusal::bad_request, 1},     {Refusal::denied, 2},     {Refusal::backend_refused, 5},
        {Refusal::backend_timeout, 4}, {Refusal::streams, 1},    {Refusal::park_full, 1},
        {Refusal::park_timeout, 3},
    };
    ASSERT_EQ(codes.size(), refusals);
    for (const auto& [refusal, code] : codes)
        EXPECT_EQ(socks5_dialect.refused(refusal), reply(code)) << name_of(refusal);
}

const std::string head = "CONNECT crm.cloud:8080 HTTP/1.1\r\nHost: crm.cloud:8080\r\n\r\n";

TEST(HttpConnectTest, TheRequestIsTakenAndNotOneByteMore) {
    HttpConnectPreamble http;
    EXPECT_EQ(http.feed(head + "hi"), head.size());
    ASSERT_EQ(http.state(), State::done);
    EXPECT_EQ(http.take_answer(), "");
    EXPECT_EQ(http.host(), "crm.cloud");
    EXPECT_EQ(http.port(), 8080);
    HttpConnectPreamble v6;
    v6.feed("CONNECT [2001:DB8::1]:1 HTTP/1.1\r\nhost: [2001:db8::1]:1\r\nX: \x80\r\n\r\n");
    ASSERT_EQ(v6.state(), State::done);
    EXPECT_EQ(v6.host(), "2001:db8::1");
    HttpConnectPreamble old;
    old.feed("CONNECT crm.cloud:80 HTTP/1.0\r\n\r\n");
    EXPECT_EQ(old.state(), State::done) << "HTTP/1.0 needs no Host";
}

std::string http_refusal(const std::string& said) {
    HttpConnectPreamble http;
    http.feed(said);
    EXPECT_EQ(http.state(), State::bad) << said;
    return http.take_answer();
}

TEST(HttpConnectTest, OtherRequestsAreRefusedAsTheRfcsSay) {
    const auto get = http_refusal("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_THAT(get, StartsWith("HTTP/1.1 405 "));
    EXPECT_THAT(get, HasSubstr("\r\nAllow: CONNECT\r\n"));
    EXPECT_THAT(http_refusal("connect a:1 HTTP/1.1\r\nHost: a\r\n\r\n"), HasSubstr(" 405 "));
    EXPECT_THAT(http_refusal("PRI * HTTP/2.0\r\n\r\n"), HasSubstr(" 505 "));
    for (const char* target :
         {"a", "a:", "a:0", "a:65536", "http://a:1/", "/", "a:1 b:1", ":1", ""})
        EXPECT_THAT(http_refusal("CONNECT " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n"),
                    HasSubstr(" 400 "))
            << target;
    for (const char* line : {"CONNECT", "CONNECT a:1", "\x16\x03\x01", "CONNECT a:1 FTP/1.1"})
        EXPECT_THAT(http_refusal(std::string(line) + "\r\nHost: a\r\n\r\n"), HasSubstr(" 400 "))
            << line;
}

TEST(HttpConnectTest, HeadsThatCanBeReadInTwoWaysAreRefused) {
    const std::string line = "CONNECT a:1 HTTP/1.1\r\n", host = "Host: a:1\r\n";
    for (const std::string& fields :
         {""s, host + host, host + "X : 1\r\n", host + " folded\r\n", host + "no colon\r\n",
          host + ": 1\r\n", host + "X: a\0b\r\n"s, host + "X: 1\n", host + "X: a\rb\r\n"})
        EXPECT_THAT(http_refusal(line + fields + "\r\n"), HasSubstr(" 400 ")) << fields;
    EXPECT_THAT(http_refusal("CONNECT a:1 HTTP/1.1\n"), HasSubstr(" 400 "))
        << "at once: the head might never end";
}

TEST(HttpConnectTest, TheLongestHeadFitsAndOneByteMoreDoesNot) {
    const std::string lead = "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nX: ";
    const std::string fill(http_head_bytes_max - lead.size() - 4, 'x');
    HttpConnectPreamble longest;
    longest.feed(lead + fill + "\r\n\r\n");
    EXPECT_EQ(longest.state(), State::done);
    EXPECT_THAT(http_refusal(lead + fill + "x\r\n\r\n"), StartsWith("HTTP/1.1 431 "));
}

TEST(HttpConnectTest, EveryRefusalHasAStatusAndThoseThatPassSayWhenToTryAgain) {
    const std::map<Refusal, std::pair<int, bool>> expected{
        {Refusal::network, {403, false}},         {Refusal::per_source, {429, true}},
        {Refusal::clients, {503, true}},          {Refusal::bad_request, {400, false}},
        {Refusal::denied, {403, false}},          {Refusal::backend_refused, {502, false}},
        {Refusal::backend_timeout, {504, false}}, {Refusal::streams, {503, true}},
        {Refusal::park_full, {503, true}},        {Refusal::park_timeout, {503, true}},
    };
    ASSERT_EQ(expected.size(), refusals);
    for (const auto& [refusal, answer] : expected) {
        const auto said = http_connect_dialect.refused(refusal);
        EXPECT_THAT(said, StartsWith("HTTP/1.1 " + std::to_string(answer.first) + " "));
        EXPECT_EQ(said.find("\r\nRetry-After: ") != std::string::npos, answer.second) << said;
        const auto body = said.substr(said.find("\r\n\r\n") + 4);
        EXPECT_THAT(said, HasSubstr("Content-Length: " + std::to_string(body.size()) + "\r\n"));
    }
}

const std::string signature = "\r\n\r\n\0\r\nQUIT\n"s;
std::string proxy_v4(const std::string& tail = "") {
    const auto length = static_cast<char>(12 + tail.size());
    return signature + "\x21\x11\x00"s + length +
           "\xcb\x00\x71\x07\x0a\x00\x00\x01\x30\x39\x01\xbb"s + tail;
}

TEST(ProxyHeaderTest, TheClientOfTheLoadBalancerIsTaken) {
    ProxyPreamble v4;
    const auto said = proxy_v4("\x04\x00\x01\x00"s);
    EXPECT_EQ(v4.feed(said + "GET /"), said.size()) << "what follows belongs to the stream";
    ASSERT_EQ(v4.state(), State::done);
    EXPECT_EQ(v4.client()->address().to_string(), "203.0.113.7");
    EXPECT_EQ(v4.client()->port(), 12345);
    ProxyPreamble v6;
    v6.feed(signature + "\x21\x21\x00\x24"s + "\x20\x01\x0d\xb8"s + std::string(11, '\0') + "\x09" +
            std::string(16, '\0') + "\x00\x07\x00\x50"s);
    ASSERT_EQ(v6.state(), State::done);
    EXPECT_EQ(v6.client()->address().to_string(), "2001:db8::9");
    EXPECT_EQ(v6.client()->port(), 7);
}

TEST(ProxyHeaderTest, AConnectionOfTheLoadBalancerItselfHasNoClient) {
    for (const auto& said : {signature + "\x20\x00\x00\x00"s, signature + "\x21\x00\x00\x02xx"s}) {
        ProxyPreamble local;
        EXPECT_EQ(local.feed(said), said.size());
        ASSERT_EQ(local.state(), State::done);
        EXPECT_FALSE(local.client());
    }
}

TEST(ProxyHeaderTest, AnythingElseIsRefused) {
    for (const auto& said :
         {"GET / HTTP/1.1\r\n\r\n"s, "PROXY TCP4 1.2.3.4 1.2.3.4 1 1\r\n"s,
          signature + "\x11\x11\x00\x0c"s, signature + "\x22\x11\x00\x0c"s,
          signature + "\x21\x12\x00\x0c"s + std::string(12, 'x'), signature + "\x21\x31\x00\x02xx"s,
          signature + "\x21\x11\x00\x0bxxxxxxxxxxx"s, signature + "\x21\x11\x10\x01"s}) {
        ProxyPreamble header;
        header.feed(said);
        EXPECT_EQ(header.state(), State::bad) << said;
        EXPECT_EQ(header.take_answer(), "");
    }
}

TEST(ProxyHeaderTest, TheLongestHeaderFits) {
    ProxyPreamble header;
    header.feed(signature + "\x21\x11\x10\x00"s + std::string(proxy_header_rest_max, 'x'));
    EXPECT_EQ(header.state(), State::done);
}

}  // namespace
}  // namespace umbra::gateway
