#include "url.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace umbra::http_probe {
namespace {

using testing::HasSubstr;

std::string taken_apart(const std::string& text) {
    const auto url = parse_url(text);
    if (!url.ok()) return url.error().message;
    return std::string{url->tls ? "tls " : ""} + url->host + " " + url->port + " " + url->target +
           " " + url->authority();
}

TEST(ProbeUrl, IsTakenApart) {
    EXPECT_EQ(taken_apart("http://crm.internal"), "crm.internal 80 / crm.internal");
    EXPECT_EQ(taken_apart("http://127.0.0.1:8000/health?deep=1"),
              "127.0.0.1 8000 /health?deep=1 127.0.0.1:8000");
    EXPECT_EQ(taken_apart("https://crm.internal/"), "tls crm.internal 443 / crm.internal");
    EXPECT_EQ(taken_apart("https://crm:80"), "tls crm 80 / crm:80");
    EXPECT_EQ(taken_apart("http://[::1]:81/x"), "::1 81 /x [::1]:81");
    EXPECT_EQ(taken_apart("http://[2001:db8::1]"), "2001:db8::1 80 / [2001:db8::1]");
    EXPECT_EQ(taken_apart("http://crm?a=b"), "crm 80 /?a=b crm");
}

TEST(ProbeUrl, WhatIsNoneIsSaid) {
    for (const char* text :
         {"", "crm", "ftp://crm/", "http://", "http:///x", "http://crm:0/", "http://crm:65536/",
          "http://crm:a/", "http://user:pw@crm/", "http://crm/#top", "http://crm/a b",
          "http://crm/\r\nX: y", "http://[::1/", "http://[]/"})
        EXPECT_THAT(taken_apart(text), HasSubstr("is no URL to probe")) << text;
}

TEST(ProbeExpect, CodesAndRanges) {
    const auto expected = ExpectedStatus::parse("200-299, 404,401");
    ASSERT_TRUE(expected.ok());
    for (const unsigned status : {200u, 250u, 299u, 401u, 404u})
        EXPECT_TRUE(expected->contains(status)) << status;
    for (const unsigned status : {199u, 300u, 402u}) EXPECT_FALSE(expected->contains(status));
}

TEST(ProbeExpect, WhatIsNoListIsSaid) {
    for (const char* text : {"", "ok", "200-", "-200", "299-200", "99", "600", "200,,201", "200,"})
        EXPECT_FALSE(ExpectedStatus::parse(text).ok()) << text;
    EXPECT_TRUE(ExpectedStatus::parse("100-599").ok());
}

TEST(ProbeHeader, NameAndValue) {
    const auto header = parse_header("Authorization:  Bearer a:b ");
    ASSERT_TRUE(header.ok());
    EXPECT_EQ(header->name, "Authorization");
    EXPECT_EQ(header->value, "Bearer a:b");
    for (const char* text : {"", "x", ": y", "a b: c", "a: b\r\nc: d"})
        EXPECT_FALSE(parse_header(text).ok()) << text;
}

}  // namespace
}  // namespace umbra::http_probe
