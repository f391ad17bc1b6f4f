// Which internal system a client is led to, and what that one is told: pure parts of the agent.

#include "address_rules.hpp"
#include "backend_order.hpp"
#include "proxy_header.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace umbra::gateway {
namespace {

using namespace std::chrono_literals;
using boost::asio::ip::make_address;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string forbids(const std::string& address, const std::string& host = "crm.internal",
                    const std::vector<std::string>& permitted = {}) {
    return AddressRules::make(permitted)->forbids(make_address(address), host);
}

TEST(AddressRulesTest, ANameMustNotLeadToThisHostOrItsNeighbours) {
    for (const char* address :
         {"127.0.0.1", "127.255.255.255", "0.0.0.0", "0.1.2.3", "169.254.0.1", "169.254.169.254",
          "100.100.100.200", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
          "::", "::1", "fe80::1", "febf::1", "ff02::1", "fd00:ec2::254"})
        EXPECT_THAT(forbids(address), Not(IsEmpty())) << address;
    EXPECT_THAT(forbids("169.254.169.254"), HasSubstr("metadata"));
    EXPECT_THAT(forbids("fd00:ec2::254"), HasSubstr("metadata"));
}

TEST(AddressRulesTest, AnAddressInIpv6ClothesIsKnown) {
    for (const char* address :
         {"::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::169.254.169.254",
          "2002:7f00:1::", "::ffff:169.254.169.254", "fe80::1%1"})
        EXPECT_THAT(forbids(address), Not(IsEmpty())) << address;
    EXPECT_THAT(forbids("::ffff:10.0.0.1"), IsEmpty());
    EXPECT_THAT(forbids("2002:a00:1::"), IsEmpty());
}

TEST(AddressRulesTest, InternalSystemsMayBeAnywhereElse) {
    for (const char* address : {"10.0.0.1", "172.16.0.1", "192.168.0.1", "126.255.255.255",
                                "128.0.0.1", "169.253.255.255", "169.255.0.0", "223.255.255.255",
                                "8.8.8.8", "fd00::1", "fec0::1", "2001:db8::1"})
        EXPECT_THAT(forbids(address), IsEmpty()) << address;
}

TEST(AddressRulesTest, WhatTheMappingNamesLiterallyIsMeant) {
    EXPECT_THAT(forbids("127.0.0.1", "127.0.0.1"), IsEmpty());
    EXPECT_THAT(forbids("169.254.169.254", "169.254.169.254"), IsEmpty());
    EXPECT_THAT(forbids("::1", "localhost"), IsEmpty());
    EXPECT_THAT(forbids("127.0.0.1", "localhost"), IsEmpty());
    EXPECT_THAT(forbids("169.254.169.254", "localhost"), Not(IsEmpty()));
    // What only a resolver takes for an address is a name.
    for (const char* host : {"127.1", "2130706433", "0x7f.1", "localhost.", "localhost.evil"})
        EXPECT_THAT(forbids("127.0.0.1", host), Not(IsEmpty())) << host;
}

TEST(AddressRulesTest, AnOperatorMayPermitNetworks) {
    EXPECT_THAT(forbids("127.0.0.1", "crm", {"127.0.0.0/8"}), IsEmpty());
    EXPECT_THAT(forbids("::ffff:127.0.0.1", "crm", {"127.0.0.0/8"}), IsEmpty());
    EXPECT_THAT(forbids("127.0.0.2", "crm", {"127.0.0.1"}), Not(IsEmpty()));
    EXPECT_THAT(forbids("127.0.0.2", "crm", {"127.0.0.2/31"}), IsEmpty());
    EXPECT_THAT(forbids("127.0.0.4", "crm", {"127.0.0.2/31"}), Not(IsEmpty()));
    EXPECT_THAT(forbids("fe80::1", "crm", {"fe80::/10"}), IsEmpty());
    EXPECT_THAT(forbids("169.254.1.1", "crm", {"0.0.0.0/0"}), IsEmpty());
    for (const char* bad : {"", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/", "10.0.0.0/8x",
                            "crm.internal", "10.0.0.0/-1"})
        EXPECT_FALSE(AddressRules::make({bad}).ok()) << bad;
}

Mapping with_backends(std::vector<Backend> backends) {
    Mapping mapping;
    mapping.name = "crm";
    mapping.internal_host = backends.front().host;
    mapping.internal_port = backends.front().port;
    mapping.backends = std::move(backends);
    return mapping;
}
std::vector<std::string> hosts(const std::vector<Endpoint>& order) {
    std::vector<std::string> list;
    for (const auto& one : order) list.push_back(one.host);
    return list;
}

TEST(BackendOrderTest, BackendsTakeTurns) {
    BackendOrder order;
    const auto mapping = with_backends({{"a", 1}, {"b", 1}, {"c", 1}});
    const auto next = [&] { return hosts(order.next(mapping, 0, Instant{})); };
    EXPECT_THAT(next(), ElementsAre("a", "b", "c"));
    EXPECT_THAT(next(), ElementsAre("b", "c", "a"));
    EXPECT_THAT(next(), ElementsAre("c", "a", "b"));
    EXPECT_THAT(next(), ElementsAre("a", "b", "c"));
}

TEST(BackendOrderTest, OneThatIsDownIsPassedOverButTriedLast) {
    BackendOrder order;
    const auto mapping = with_backends({{"a", 1, true}, {"b", 1}, {"c", 1}});
    EXPECT_THAT(hosts(order.next(mapping, 0, Instant{})), ElementsAre("b", "c", "a"));
    EXPECT_THAT(hosts(order.next(mapping, 0, Instant{})), ElementsAre("c", "b", "a"));
    const auto none = with_backends({{"a", 1, true}, {"b", 1, true}});
    for (int i = 0; i < 2; ++i)
        EXPECT_THAT(hosts(order.next(none, 0, Instant{})), ElementsAre("a", "b"));
}

TEST(BackendOrderTest, OneThatFailedRestsUntilItsPauseIsOver) {
    BackendOrder order;
    const auto mapping = with_backends({{"a", 1}, {"b", 1}});
    const Instant then = Instant{} + 1h;
    order.failed({"a", 1}, then);
    EXPECT_THAT(hosts(order.next(mapping, 0, then)), ElementsAre("b", "a"));
    EXPECT_THAT(hosts(order.next(mapping, 0, then + backend_pause - 1ns)), ElementsAre("b", "a"));
    EXPECT_THAT(hosts(order.next(mapping, 0, then + backend_pause)), ElementsAre("a", "b"));
    order.failed({"a", 1}, then);
    order.answered({"a", 1});
    EXPECT_THAT(hosts(order.next(mapping, 0, then)), ElementsAre("b", "a"));
    EXPECT_THAT(hosts(order.next(mapping, 0, then)), ElementsAre("a", "b"));
}

TEST(BackendOrderTest, AHostThatKnowsOneBackendIsUnderstood) {
    Mapping mapping;
    mapping.internal_host = "a";
    mapping.internal_port = 8000;
    EXPECT_THAT(BackendOrder().next(mapping, 3, Instant{}), ElementsAre(Endpoint{"a", 8003}));
}

std::string bytes(const Bytes& header) { return {header.begin(), header.end()}; }

TEST(ProxyHeaderTest, TheClientsAddressInItsWorkedExample) {
    const boost::asio::ip::tcp::endpoint backend(make_address("10.0.0.1"), 8000);
    const std::string expected(
        "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x18"
        "\xcb\x00\x71\x09\x0a\x00\x00\x01\x9c\x40\x1f\x40"
        "\x02\x00\x09"
        "crm.cloud",
        40);
    EXPECT_EQ(bytes(proxy_header("203.0.113.9:40000", backend, "crm.cloud")), expected);
}

TEST(ProxyHeaderTest, TwoFamiliesBecomeIpv6) {
    const boost::asio::ip::tcp::endpoint v4(make_address("10.0.0.1"), 8000);
    const boost::asio::ip::tcp::endpoint v6(make_address("fd00::1"), 8000);
    for (const auto& header :
         {proxy_header("[2001:db8::1]:40000", v4, ""), proxy_header("[2001:db8::1]:40000", v6, ""),
          proxy_header("203.0.113.9:40000", v6, "")}) {
        ASSERT_EQ(header.size(), 16u + 36u);
        EXPECT_EQ(header[13], 0x21);
        EXPECT_EQ(header[15], 36);
    }
    const auto mapped = proxy_header("203.0.113.9:40000", v6, "");
    EXPECT_EQ(bytes(mapped).substr(26, 6), std::string("\xff\xff\xcb\x00\x71\x09", 6));
}

TEST(ProxyHeaderTest, WhatIsNoAddressIsNotMadeUp) {
    const boost::asio::ip::tcp::endpoint backend(make_address("10.0.0.1"), 8000);
    for (const char* client : {"", "somebody", "somebody:80", "203.0.113.9"}) {
        const auto header = proxy_header(client, backend, "");
        ASSERT_EQ(header.size(), 16u) << client;
        EXPECT_EQ(header[13], 0) << client;
    }
}

TEST(ProxyHeaderTest, TheHostOfAClient) {
    EXPECT_EQ(host_of("203.0.113.9:40000"), "203.0.113.9");
    EXPECT_EQ(host_of("[2001:db8::1]:40000"), "2001:db8::1");
    EXPECT_EQ(host_of("somebody"), "somebody");
}

}  // namespace
}  // namespace umbra::gateway
