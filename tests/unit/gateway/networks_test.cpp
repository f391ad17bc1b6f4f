#include "networks.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace umbra::gateway {
namespace {

using ::testing::HasSubstr;

boost::asio::ip::address at(const char* text) { return boost::asio::ip::make_address(text); }
bool holds(const char* network, const char* address) {
    const auto parsed = Network::parse(network);
    EXPECT_TRUE(parsed.ok()) << network;
    return parsed.ok() && let_in({*parsed}, at(address));
}

TEST(NetworkTest, HoldsItsFirstAndLastAddressAndNotTheirNeighbours) {
    EXPECT_TRUE(holds("10.0.0.0/8", "10.0.0.0"));
    EXPECT_TRUE(holds("10.0.0.0/8", "10.255.255.255"));
    EXPECT_FALSE(holds("10.0.0.0/8", "9.255.255.255"));
    EXPECT_FALSE(holds("10.0.0.0/8", "11.0.0.0"));
    EXPECT_TRUE(holds("192.168.1.128/25", "192.168.1.128"));
    EXPECT_FALSE(holds("192.168.1.128/25", "192.168.1.127"));
    EXPECT_TRUE(holds("2001:db8::/33", "2001:db8:7fff:ffff:ffff:ffff:ffff:ffff"));
    EXPECT_FALSE(holds("2001:db8::/33", "2001:db8:8000::"));
    EXPECT_TRUE(holds("10.1.2.3", "10.1.2.3")) << "without a slash: one address";
    EXPECT_FALSE(holds("10.1.2.3", "10.1.2.2"));
    EXPECT_TRUE(holds("::1/128", "::1"));
}

TEST(NetworkTest, PrefixZeroHoldsAllOfItsFamily) {
    EXPECT_TRUE(holds("0.0.0.0/0", "255.255.255.255"));
    EXPECT_FALSE(holds("0.0.0.0/0", "2001:db8::1"));
    EXPECT_TRUE(holds("::/0", "2001:db8::1"));
}

TEST(NetworkTest, AnIpv4ClientOfAnIpv6SocketIsTheSameOne) {
    EXPECT_TRUE(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
    EXPECT_FALSE(holds("10.0.0.0/8", "::ffff:11.1.2.3"));
    EXPECT_EQ(source_of(at("::ffff:10.1.2.3")), source_of(at("10.1.2.3")));
}

TEST(NetworkTest, OneSourceIsAnIpv4AddressOrTheSlash64OfAnIpv6One) {
    EXPECT_NE(source_of(at("10.0.0.1")), source_of(at("10.0.0.2")));
    EXPECT_EQ(source_of(at("2001:db8:0:1::1")), source_of(at("2001:db8:0:1:ffff::9")));
    EXPECT_NE(source_of(at("2001:db8:0:1::1")), source_of(at("2001:db8:0:2::1")));
}

TEST(NetworkTest, TextsComeBackAsTheyWere) {
    for (const char* text : {"10.0.0.0/8", "0.0.0.0/0", "1.2.3.4/32", "::/0", "2001:db8::/32"}) {
        const auto parsed = Network::parse(text);
        ASSERT_TRUE(parsed.ok()) << text;
        EXPECT_EQ(parsed->to_text(), text);
    }
    EXPECT_EQ(to_text(Networks{}), "everybody");
}

TEST(NetworkTest, WhatIsNoNetworkIsRefusedWithTheRemedy) {
    for (const char* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x",
                             "10.0.0/8", "host.cloud", "::1/129", "fe80::1%eth0/64", "10.0.0.0/ 8"})
        EXPECT_FALSE(Network::parse(text).ok()) << text;
    EXPECT_THAT(Network::parse("10.1.0.0/8").error().message,
                HasSubstr("did you mean \"10.0.0.0/8\"?"));
}

TEST(NetworkTest, NoListLetsEverybodyIn) {
    EXPECT_TRUE(let_in({}, at("203.0.113.9")));
    const Networks two{*Network::parse("10.0.0.0/8"), *Network::parse("::1")};
    EXPECT_TRUE(let_in(two, at("::1")));
    EXPECT_FALSE(let_in(two, at("203.0.113.9")));
}

}  // namespace
}  // namespace umbra::gateway
