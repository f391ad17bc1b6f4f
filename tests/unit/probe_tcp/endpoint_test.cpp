#include <umbra/tcp_probe/endpoint.hpp>

#include <gtest/gtest.h>

namespace umbra::tcp_probe {
namespace {

TEST(Endpoint, NamesNumbersAndBracketsAreTakenApart) {
    const auto expect = [](const char* text, const char* host, const char* port) {
        const auto endpoint = parse_endpoint(text);
        ASSERT_TRUE(endpoint.ok()) << text;
        EXPECT_EQ(endpoint->host, host);
        EXPECT_EQ(endpoint->port, port);
    };
    expect("127.0.0.1:8000", "127.0.0.1", "8000");
    expect("crm.internal:1", "crm.internal", "1");
    expect("[::1]:65535", "::1", "65535");
    expect("host:0080", "host", "80");
}

TEST(Endpoint, EverythingElseIsInvalidAndQuoted) {
    for (const auto* text : {"", ":", "host", "host:", ":80", "host:0", "host:65536", "host:-1",
                             "host:80x", "host: 80", "::1:80", "[::1:80", "[]:80", "ho st:80",
                             "host\n:80", "host:99999999999999999999"}) {
        const auto endpoint = parse_endpoint(text);
        ASSERT_FALSE(endpoint.ok()) << text;
        EXPECT_EQ(endpoint.error().code, Errc::invalid);
        EXPECT_NE(endpoint.error().message.find('"' + std::string{text} + '"'), std::string::npos);
    }
}

TEST(Endpoint, NumbersNeedNoResolver) {
    EXPECT_EQ(numeric_addresses({"127.0.0.1", "80"}).at(0).text, "127.0.0.1:80");
    EXPECT_EQ(numeric_addresses({"::1", "80"}).at(0).text, "[::1]:80");
    EXPECT_TRUE(numeric_addresses({"localhost", "80"}).empty());
}

}  // namespace
}  // namespace umbra::tcp_probe
