#include <umbra/config/values.hpp>

#include <gtest/gtest.h>

#include <random>

namespace umbra::config {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(DurationTest, UnitsAreRead) {
    EXPECT_EQ(*parse_duration("150ms"), milliseconds{150});
    EXPECT_EQ(*parse_duration("1s"), seconds{1});
    EXPECT_EQ(*parse_duration("2m"), seconds{120});
    EXPECT_EQ(*parse_duration("1h"), hours{1});
    EXPECT_EQ(*parse_duration("1h30m"), seconds{5400});
    EXPECT_EQ(*parse_duration("7d"), hours{168});
    EXPECT_EQ(*parse_duration("3us"), Duration{3000});
    EXPECT_EQ(*parse_duration("0s"), Duration{0});
}

TEST(DurationTest, AnythingElseIsRefused) {
    for (const char* text :
         {"", "5", "s", "5 s", "1.5s", "-1s", "+1s", "5S", "5sec", "1s1s", "30s1m", "5s ", " 5s",
          "1s,", "0x5s", "99999999999999999999s", "5s\n"}) {
        EXPECT_FALSE(parse_duration(text).ok()) << text;
    }
}

TEST(DurationTest, TheLongestIsOneYear) {
    EXPECT_EQ(*parse_duration("365d"), duration_max);
    EXPECT_FALSE(parse_duration("365d1ns").ok());
    EXPECT_FALSE(parse_duration("9223372036854775807h").ok());
}

TEST(DurationTest, WhatIsWrittenReadsBack) {
    EXPECT_EQ(format_duration(milliseconds{1500}), "1500ms");
    EXPECT_EQ(format_duration(seconds{60}), "1m");
    EXPECT_EQ(format_duration(Duration{0}), "0s");
    std::mt19937_64 random(7);
    for (int i = 0; i < 2000; ++i) {
        const Duration value{
            static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(duration_max.count()) /
                                      (1ull << (random() % 50)))};
        EXPECT_EQ(*parse_duration(format_duration(value)), value);
    }
}

TEST(SizeTest, UnitsAreRead) {
    EXPECT_EQ(*parse_size("512"), 512);
    EXPECT_EQ(*parse_size("64KiB"), 65536);
    EXPECT_EQ(*parse_size("1MB"), 1'000'000);
    EXPECT_EQ(*parse_size("2GiB"), std::int64_t{2} << 30);
    EXPECT_EQ(*parse_size("8388607TiB"), std::int64_t{8388607} << 40);
    for (const char* text : {"", "KiB", "64 KiB", "64kib", "-1", "1.5MiB", "8388608TiB", "1K"}) {
        EXPECT_FALSE(parse_size(text).ok()) << text;
    }
    EXPECT_EQ(format_size(65536), "64KiB");
    EXPECT_EQ(format_size(1000), "1000");
    EXPECT_EQ(format_size(0), "0");
}

TEST(EndpointTest, NamesAndAddressesAreRead) {
    EXPECT_EQ(*parse_endpoint("CRM.Cloud:8080"), (Endpoint{"crm.cloud", 8080}));
    EXPECT_EQ(*parse_endpoint("127.0.0.1:1"), (Endpoint{"127.0.0.1", 1}));
    EXPECT_EQ(*parse_endpoint("[::1]:65535"), (Endpoint{"::1", 65535}));
    EXPECT_EQ(*parse_endpoint("[fe80::1%eth0]:80"), (Endpoint{"fe80::1%eth0", 80}));
    EXPECT_EQ(*parse_endpoint("[::ffff:10.0.0.1]:80"), (Endpoint{"::ffff:10.0.0.1", 80}));
    EXPECT_EQ(*parse_endpoint("my_host:80"), (Endpoint{"my_host", 80}));
    EXPECT_EQ(to_string(Endpoint{"::1", 80}), "[::1]:80");
    EXPECT_EQ(to_string(Endpoint{"a", 80}), "a:80");
}

TEST(EndpointTest, MistakesAreNamed) {
    const auto fault = [](const char* text) {
        const auto result = parse_endpoint(text);
        return result.ok() ? std::string("accepted") : result.error().message;
    };
    EXPECT_EQ(fault("crm.cloud"), "the port is missing");
    EXPECT_EQ(fault("crm.cloud:"), "the port is missing");
    EXPECT_EQ(fault(":80"), "the host is missing");
    EXPECT_EQ(fault("::1:80"), "an IPv6 address must stand in brackets");
    EXPECT_EQ(fault("[::1:80"), "the closing ']' is missing");
    EXPECT_EQ(fault("[::1]"), "the port is missing");
    EXPECT_EQ(fault("[1::2::3]:80"), "what stands in brackets is not an IPv6 address");
    EXPECT_EQ(fault("[1:2:3:4:5:6:7:8:9]:80"), "what stands in brackets is not an IPv6 address");
    EXPECT_EQ(fault("[1:2:3:4:5:6:7]:80"), "what stands in brackets is not an IPv6 address");
    EXPECT_EQ(fault("256.0.0.1:80"), "the host is not a valid IPv4 address");
    EXPECT_EQ(fault("1.2.3:80"), "the host is not a valid IPv4 address");
    EXPECT_EQ(fault("a..b:80"), "the host has an empty part");
    EXPECT_EQ(fault("-a:80"), "the host begins or ends with '-'");
    EXPECT_EQ(fault("a b:80"), "the host may contain letters, digits, '-', '_' and '.' only");
    EXPECT_EQ(fault("a:65536"), "the port must be a number from 1 to 65535");
    EXPECT_EQ(fault("a:80x"), "the port must be a number from 1 to 65535");
    EXPECT_EQ(fault("a:-1"), "the port must be a number from 1 to 65535");
    EXPECT_EQ(fault("a:0"), "port 0 cannot be connected to");
    EXPECT_TRUE(parse_endpoint("a:0", PortZero::allowed).ok());
}

TEST(EndpointTest, LengthOfHostsIsLimited) {
    const std::string label(63, 'a');
    EXPECT_TRUE(parse_endpoint(label + ":1").ok());
    EXPECT_FALSE(parse_endpoint(label + "a:1").ok());
    const std::string host = label + "." + label + "." + label + "." + std::string(61, 'a');
    EXPECT_TRUE(parse_endpoint(host + ":1").ok());
    EXPECT_FALSE(parse_endpoint(host + "a:1").ok());
}

TEST(EndpointRangeTest, BothEndsBelongToIt) {
    EXPECT_EQ(*parse_endpoint_range("a:8000-8010"), (EndpointRange{"a", 8000, 8010}));
    EXPECT_EQ(*parse_endpoint_range("a:80"), (EndpointRange{"a", 80, 80}));
    EXPECT_EQ(*parse_endpoint_range("[::1]:80-81"), (EndpointRange{"::1", 80, 81}));
    EXPECT_FALSE(parse_endpoint_range("a:0").ok());
    EXPECT_EQ(*parse_endpoint_range("a:0", PortZero::allowed), (EndpointRange{"a", 0, 0}));
    EXPECT_FALSE(parse_endpoint_range("a:0-5", PortZero::allowed).ok());
    EXPECT_EQ(to_string(EndpointRange{"::1", 80, 81}), "[::1]:80-81");
    for (const char* text : {"a:80-", "a:-80", "a:81-80", "a:0-5", "a:1-65536", "a:1-2-3"}) {
        EXPECT_FALSE(parse_endpoint_range(text).ok()) << text;
    }
}

TEST(ListenAddressTest, UnixAndHttps) {
    EXPECT_EQ(parse_listen_address("unix:/run/a.sock")->unix_path, "/run/a.sock");
    EXPECT_EQ(parse_listen_address("https://0.0.0.0:7400")->https, (Endpoint{"0.0.0.0", 7400}));
    EXPECT_EQ(to_string(*parse_listen_address("https://[::]:0")), "https://[::]:0");
    for (const char* text :
         {"", "unix:", "unix:a", "unix:/a/", "http://a:80", "https://a", "/run/x"}) {
        EXPECT_FALSE(parse_listen_address(text).ok()) << text;
    }
    const std::string longest = "unix:/" + std::string(unix_path_max - 1, 'a');
    EXPECT_TRUE(parse_listen_address(longest).ok());
    EXPECT_FALSE(parse_listen_address(longest + "a").ok());
}

TEST(UrlTest, SchemeAndHostAreChecked) {
    for (const char* text : {"tcp://127.0.0.1:7401", "tcp://[::1]:0", "ipc:///tmp/x",
                             "http://a/b?c", "https://a:80/x", "http://[::1]/"}) {
        EXPECT_TRUE(parse_url(text).ok()) << text;
    }
    for (const char* text : {"", "a", "://a", "tcp://", "tcp://a", "tcp://a:70000", "http://",
                             "http:///x", "http://a b", "1x://a", "TCP://a:1"}) {
        EXPECT_FALSE(parse_url(text).ok()) << text;
    }
}

TEST(NameTest, RuleAndLimit) {
    for (const char* text : {"a", "alpha", "crm-backend", "1", "a--b"}) EXPECT_TRUE(is_name(text));
    for (const char* text : {"", "-a", "a-", "A", "a.b", "a_b", "a/b", "..", "a b", "\xc3\xa9"}) {
        EXPECT_FALSE(is_name(text)) << text;
    }
    EXPECT_TRUE(is_name(std::string(name_bytes_max, 'a')));
    EXPECT_FALSE(is_name(std::string(name_bytes_max + 1, 'a')));
    EXPECT_EQ(name_fault(std::string(64, 'a')), "a name has at most 63 characters, this one 64");
}

}  // namespace
}  // namespace umbra::config
