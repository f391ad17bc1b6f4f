// What the agent lets pass as HTTP: heads, targets, bodies, resources. Pure.

#include "http_body.hpp"
#include "http_head.hpp"
#include "http_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace umbra::gateway {
namespace {

using testing::ElementsAre;
using testing::Eq;
using testing::HasSubstr;
using testing::Optional;
using Kind = BodyFraming::Kind;

std::string with_host(const std::string& line, const std::string& fields = {}) {
    return line + "\r\nHost: web.cloud\r\n" + fields + "\r\n";
}
/// Status of the fault; 0: it passes.
int fault_of(const std::string& head) {
    const auto parsed = parse_request(head);
    const auto* fault = std::get_if<HttpFault>(&parsed);
    return fault == nullptr ? 0 : fault->status;
}
HttpRequest request(const std::string& head) {
    auto parsed = parse_request(head);
    if (const auto* fault = std::get_if<HttpFault>(&parsed)) {
        ADD_FAILURE() << fault->text << "\n" << head;
        return {};
    }
    return std::get<HttpRequest>(std::move(parsed));
}

TEST(HttpHeadTest, TheEndOfAHeadIsFoundWhereverItIsCut) {
    const std::string head = with_host("GET / HTTP/1.1");
    for (std::size_t cut = 0; cut < head.size(); ++cut)
        ASSERT_EQ(head_length(head.substr(0, cut)), std::nullopt) << cut;
    for (std::size_t cut = 0; cut < head.size(); ++cut)
        ASSERT_THAT(head_length(head + "more", cut), Optional(head.size())) << cut;
    EXPECT_THAT(head_length("GET / HTTP/1.1\nHost: x\n\n"), Optional(15u)) << "refused at once";
}

TEST(HttpHeadTest, ARequestIsRead) {
    const auto r = request(
        with_host("POST /a/b?q=../%2f HTTP/1.1", "Content-Length: 12\r\nX-A:\t v  w \r\nX-E:\r\n"));
    EXPECT_EQ(r.method, "POST");
    EXPECT_EQ(r.path(), "/a/b");
    EXPECT_EQ(r.host, "web.cloud");
    EXPECT_EQ(r.body, (BodyFraming{Kind::length, 12}));
    EXPECT_TRUE(r.keep_alive);
    EXPECT_FALSE(r.upgrade);
    EXPECT_EQ(r.fields[2], (HttpField{"X-A", "v  w"}));
    EXPECT_EQ(r.fields[3], (HttpField{"X-E", ""}));
    EXPECT_EQ(to_head(request(to_head(r))), to_head(r));
    EXPECT_FALSE(request(with_host("GET / HTTP/1.0")).keep_alive);
    EXPECT_TRUE(request(with_host("GET / HTTP/1.0", "Connection: keep-alive\r\n")).keep_alive);
    EXPECT_FALSE(request(with_host("GET / HTTP/1.1", "Connection: a, Close\r\n")).keep_alive);
    EXPECT_EQ(fault_of("GET / HTTP/1.0\r\n\r\n"), 0) << "1.0 needs no Host";
}

TEST(HttpHeadTest, LinesThatCouldBeReadInTwoWaysAreRefused) {
    for (const char* head : {"GET / HTTP/1.1\r\n\r\n",
                             "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
                             "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
                             "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
                             "GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
                             "GET / HTTP/1.1\r\nHost: a\r\nX: y\n",
                             "GET / HTTP/1.1\nHost: a\n\n",
                             "GET /\r / HTTP/1.1\r\nHost: a\r\n\r\n",
                             "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
                             "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
                             "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
                             "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n",
                             "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n",
                             "GET / HTTP/1.1\r\nHost: a\r\nX: \x01\r\n\r\n",
                             "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
                             "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
                             " GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                             "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
                             "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
                             "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
                             "GET /\r\nHost: a\r\n\r\n",
                             "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
                             "GET / http/1.1\r\nHost: a\r\n\r\n",
                             "\x16\x03\x01 / HTTP/1.1\r\nHost: a\r\n\r\n"})
        EXPECT_EQ(fault_of(head), 400) << head;
    EXPECT_EQ(fault_of(std::string("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n", 34)), 400);
    EXPECT_EQ(fault_of("PRI * HTTP/2.0\r\n\r\n"), 505);
    EXPECT_EQ(fault_of(with_host("GET / HTTP/1.2")), 505);
    EXPECT_EQ(fault_of(with_host("CONNECT a:1 HTTP/1.1")), 405);
    EXPECT_EQ(fault_of(with_host(std::string(method_bytes_max, 'A') + " / HTTP/1.1")), 0);
    EXPECT_EQ(fault_of(with_host(std::string(method_bytes_max + 1, 'A') + " / HTTP/1.1")), 501);
}

TEST(HttpHeadTest, OneLengthOnly) {
    for (const char* fields :
         {"Content-Length: 1\r\nContent-Length: 1\r\n", "Content-Length: 1, 1\r\n",
          "Content-Length: +1\r\n", "Content-Length: -1\r\n", "Content-Length: 0x1\r\n",
          "Content-Length: \r\n", "Content-Length: 1 2\r\n",
          "Content-Length: 99999999999999999999\r\n",
          "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
          "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n",
          "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "Content_Length: 1\r\n",
          "transfer_encoding: chunked\r\n", "X_Forwarded_For: a\r\n",
          "Connection: content-length\r\nContent-Length: 1\r\n", "Connection: close, Host\r\n"})
        EXPECT_EQ(fault_of(with_host("POST / HTTP/1.1", fields)), 400) << fields;
    for (const char* coding : {"identity", "gzip, chunked", "chunked, chunked", "xchunked", ""})
        EXPECT_EQ(fault_of(with_host("POST / HTTP/1.1",
                                     std::string("Transfer-Encoding: ") + coding + "\r\n")),
                  501)
            << coding;
    EXPECT_EQ(fault_of(with_host("POST / HTTP/1.0", "Transfer-Encoding: chunked\r\n")), 400);
    EXPECT_EQ(request(with_host("POST / HTTP/1.1", "Transfer-Encoding: Chunked\r\n")).body.kind,
              Kind::chunked);
    EXPECT_EQ(request(with_host("POST / HTTP/1.1", "Content-Length: 0\r\n")).body.kind, Kind::none);
}

TEST(HttpHeadTest, SoManyFieldsAndOneMore) {
    std::string fields;
    for (std::size_t i = 1; i < http_fields_max; ++i) fields += "X: y\r\n";
    EXPECT_EQ(fault_of(with_host("GET / HTTP/1.1", fields)), 0);
    EXPECT_EQ(fault_of(with_host("GET / HTTP/1.1", fields + "X: y\r\n")), 431);
}

TEST(HttpHeadTest, AnOfferOfHttp2GoesNoFurther) {
    const auto r = request(with_host("GET / HTTP/1.1",
                                     "Connection: Upgrade, HTTP2-Settings, keep-alive\r\n"
                                     "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"));
    EXPECT_FALSE(r.upgrade);
    EXPECT_THAT(to_head(r),
                Eq("GET / HTTP/1.1\r\nHost: web.cloud\r\nConnection: keep-alive\r\n\r\n"));
    const std::string both = "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n";
    EXPECT_EQ(fault_of(with_host("GET / HTTP/1.1", both)), 400);
    EXPECT_TRUE(
        request(with_host("GET / HTTP/1.1", "Connection: Upgrade\r\nUpgrade: websocket\r\n"))
            .upgrade);
    EXPECT_TRUE(request(with_host("GET / HTTP/1.1", "Upgrade: websocket\r\n")).upgrade);
    EXPECT_TRUE(request(with_host("GET / HTTP/1.1", "Connection: upgrade\r\n")).upgrade);
}

TEST(HttpTargetTest, WhatEveryServerReadsInTheSameWayPasses) {
    for (const char* target : {"/", "/a", "/a/", "/a//b", "/a.b/..c/...", "/a%20b", "/%C3%A4",
                               "/a;v=1/b", "/100%25", "/a?x=/../%2f%00"})
        EXPECT_FALSE(target_fault(target)) << target;
}

TEST(HttpTargetTest, WhatHidesAnotherPathIsRefused) {
    for (const char* target : {"",
                               "a",
                               "*",
                               "http://web.cloud/a",
                               "//web.cloud\\a",
                               "/a/../b",
                               "/..",
                               "/a/.",
                               "/./a",
                               "/a/..;/b",
                               "/a/..;x=y",
                               "/a/.;/b",
                               "/a\\..\\b",
                               "/a/%2e%2e/b",
                               "/a/.%2E/b",
                               "/a/%2e/b",
                               "/a%2fb",
                               "/a%2Fb",
                               "/a%5cb",
                               "/a%00",
                               "/a%0d%0aX:y",
                               "/a%7f",
                               "/a%",
                               "/a%2",
                               "/a%zz",
                               "/a%u002f",
                               "/a/%252e%252e/b",
                               "/a%252fb",
                               "/a/%252e%252e%252fb",
                               "/a%25252fb",
                               "/a%2500",
                               "/%c0%ae%c0%ae/b",
                               "/a%c0%afb",
                               "/a%e0%80%afb",
                               "/a%f0%80%80%af",
                               "/a#b",
                               "/a\tb",
                               "/\xc3\xa4",
                               "/a%25252525252525"})
        EXPECT_TRUE(target_fault(target)) << target;
    EXPECT_TRUE(target_fault("/a?b c"));
    EXPECT_TRUE(target_fault("/a?b\\c"));
    EXPECT_FALSE(target_fault("/" + std::string(target_bytes_max - 1, 'a')));
    EXPECT_EQ(target_fault("/" + std::string(target_bytes_max, 'a'))->status, 414);
}

Mapping with(std::vector<Resource> resources) {
    Mapping mapping;
    mapping.protocol = "http";
    mapping.resources = std::move(resources);
    return mapping;
}
bool permits(const Mapping& mapping, std::string_view method, std::string_view path,
             bool upgrade = false) {
    return permitting(mapping, method, path, upgrade) != nullptr;
}

TEST(ResourceTest, NothingIsPermittedByDefault) { EXPECT_FALSE(permits(with({}), "GET", "/")); }

TEST(ResourceTest, PathsMatchBySegments) {
    const auto exact = with({{"r", "/a/b", false, {}}});
    EXPECT_TRUE(permits(exact, "GET", "/a/b"));
    for (const char* other : {"/a/b/", "/a/b/c", "/a/bc", "/a", "/A/b", "/a/%62", "/a//b"})
        EXPECT_FALSE(permits(exact, "GET", other)) << other;
    const auto below = with({{"r", "/a/b", true, {}}});
    for (const char* path : {"/a/b", "/a/b/", "/a/b/c", "/a/b//c"})
        EXPECT_TRUE(permits(below, "GET", path)) << path;
    for (const char* other : {"/a/bc", "/a/b;c", "/a/b%2fc", "/a/", "/"})
        EXPECT_FALSE(permits(below, "GET", other)) << other;
    const auto folder = with({{"r", "/a/", true, {}}});
    EXPECT_TRUE(permits(folder, "GET", "/a/") && permits(folder, "GET", "/a/b"));
    EXPECT_FALSE(permits(folder, "GET", "/a"));
    EXPECT_TRUE(permits(with({{"r", "/", true, {}}}), "GET", "/anything/at/all"));
}

TEST(ResourceTest, MethodsUpgradesAndSuspension) {
    const auto some = with({{"r", "/a", false, {"GET", "TRACE"}, false, true}});
    EXPECT_TRUE(permits(some, "GET", "/a") && permits(some, "TRACE", "/a"));
    for (const char* method : {"HEAD", "POST", "get", "GETX"})
        EXPECT_FALSE(permits(some, method, "/a")) << method;
    EXPECT_FALSE(permits(some, "GET", "/a", true));
    const auto any = with({{"r", "/a", false, {}, true, true}});
    EXPECT_TRUE(permits(any, "GET", "/a", true) && permits(any, "PURGE", "/a"));
    EXPECT_FALSE(permits(any, "TRACE", "/a"));
    EXPECT_FALSE(permits(with({{"r", "/a", false, {}, false, false}}), "GET", "/a"));
    EXPECT_TRUE(
        permits(with({{"r", "/a", false, {}, false, false}, {"s", "/", true, {}}}), "GET", "/a"));
}

std::string value_of(const HttpRequest& r, std::string_view name) {
    const HttpField* field = find_field(r.fields, name);
    return field == nullptr ? "-" : field->value;
}

TEST(ForwardedTest, TheBackendIsToldWhoAsksAndForWhat) {
    const Endpoint backend{"10.0.0.1", 8000};
    const auto plain =
        forwarded(request(with_host("GET / HTTP/1.1")), with({}), backend, "203.0.113.9");
    EXPECT_EQ(value_of(plain, "Host"), "web.cloud");
    EXPECT_EQ(value_of(plain, "X-Forwarded-For"), "203.0.113.9");
    EXPECT_EQ(value_of(plain, "X-Forwarded-Host"), "web.cloud");
    EXPECT_EQ(value_of(plain, "X-Forwarded-Proto"), "http");
    const auto claimed =
        forwarded(request(with_host("GET / HTTP/1.1",
                                    "x-forwarded-for: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n"
                                    "X-Forwarded-Host: evil\r\nX-Forwarded-Proto: https\r\n")),
                  with({}), backend, "203.0.113.9");
    EXPECT_EQ(value_of(claimed, "X-Forwarded-For"), "1.1.1.1, 2.2.2.2, 203.0.113.9");
    EXPECT_EQ(value_of(claimed, "X-Forwarded-Host"), "web.cloud");
    EXPECT_EQ(value_of(claimed, "X-Forwarded-Proto"), "https");
    EXPECT_EQ(claimed.fields.size(), 4u);
    auto rewriting = with({});
    rewriting.rewrite_host = true;
    const auto own = forwarded(request(with_host("GET / HTTP/1.1")), rewriting, backend, "a");
    EXPECT_EQ(value_of(own, "Host"), "10.0.0.1:8000");
    EXPECT_EQ(value_of(own, "X-Forwarded-Host"), "web.cloud");
}

HttpResponse response(const std::string& head, std::string_view method = "GET") {
    auto parsed = parse_response(head, method);
    if (const auto* fault = std::get_if<HttpFault>(&parsed)) {
        ADD_FAILURE() << fault->text << "\n" << head;
        return {};
    }
    return std::get<HttpResponse>(std::move(parsed));
}

TEST(HttpResponseTest, HowLongItsBodyIs) {
    const std::string ok = "HTTP/1.1 200 OK\r\n";
    EXPECT_EQ(response(ok + "Content-Length: 5\r\n\r\n").body, (BodyFraming{Kind::length, 5}));
    EXPECT_EQ(response(ok + "Content-Length: 5\r\n\r\n", "HEAD").body.kind, Kind::none);
    EXPECT_EQ(response(ok + "Transfer-Encoding: chunked\r\n\r\n").body.kind, Kind::chunked);
    const auto endless = response(ok + "\r\n");
    EXPECT_EQ(endless.body.kind, Kind::until_close);
    EXPECT_FALSE(endless.keep_alive);
    for (const char* line :
         {"HTTP/1.1 204 No Content", "HTTP/1.1 304 Not Modified", "HTTP/1.1 100"})
        EXPECT_EQ(response(std::string(line) + "\r\nContent-Length: 5\r\n\r\n").body.kind,
                  Kind::none)
            << line;
    EXPECT_EQ(to_head(response("HTTP/1.0 200 Very Well\r\nA: b\r\n\r\n")),
              "HTTP/1.0 200 Very Well\r\nA: b\r\n\r\n");
}

TEST(HttpResponseTest, AMalformedOneIsTheBackendsFault) {
    for (const char* head :
         {"HTTP/1.1 99 x\r\n\r\n", "HTTP/1.1 2000\r\n\r\n", "HTTP/2 200\r\n\r\n", "200 OK\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
          "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 200 OK\n\n",
          "HTTP/1.1 200 OK\r\nX y\r\n\r\n"}) {
        const auto parsed = parse_response(head, "GET");
        const auto* fault = std::get_if<HttpFault>(&parsed);
        ASSERT_NE(fault, nullptr) << head;
        EXPECT_EQ(fault->status, 502) << head;
    }
}

TEST(HttpResponseTest, ARedirectOfTheBackendToItselfIsOneOfTheClientsHost) {
    auto mapping = with({});
    const auto location = [&](const std::string& value) {
        auto r =
            response("HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + value + "\r\n\r\n");
        rewrite_locations(r, mapping, {"crm.internal", 8000});
        return find_field(r.fields, "location")->value;
    };
    EXPECT_EQ(location("http://crm.internal:8000/a"), "http://crm.internal:8000/a");
    mapping.rewrite_host = true;
    EXPECT_EQ(location("http://crm.internal:8000/a?b"), "/a?b");
    EXPECT_EQ(location("http://crm.internal:8000"), "/");
    for (const char* other : {"http://crm.internal:80001/a", "http://crm.internal/a", "/a",
                              "https://crm.internal:8000/a", "http://crm.internal:8000//evil"})
        EXPECT_EQ(location(other), other);
}

/// Where the body ends; nothing when it is malformed. However it is cut into pieces.
std::optional<std::size_t> body_length(const std::string& bytes,
                                       BodyFraming framing = {Kind::chunked}) {
    std::optional<std::size_t> found;
    for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
        BodyScanner scanner(framing);
        std::size_t taken = 0;
        for (std::size_t at = 0; at < bytes.size() && !scanner.done() && !scanner.failed();
             at += piece)
            taken += scanner.take(std::string_view(bytes).substr(at, piece));
        const auto length = scanner.done() ? std::optional(taken) : std::nullopt;
        if (piece > 1) {
            EXPECT_EQ(length, found) << piece;
        }
        found = length;
    }
    return found;
}

TEST(HttpBodyTest, ItEndsWhereItsLengthSays) {
    EXPECT_THAT(body_length("hello world", {Kind::length, 5}), Optional(5u));
    EXPECT_EQ(body_length("hell", {Kind::length, 5}), std::nullopt);
    EXPECT_TRUE(BodyScanner({Kind::none, 0}).done());
    BodyScanner endless({Kind::until_close, 0});
    EXPECT_EQ(endless.take("anything"), 8u);
    EXPECT_FALSE(endless.done());
}

TEST(HttpBodyTest, ChunksExtensionsAndTrailers) {
    EXPECT_THAT(body_length("0\r\n\r\nGET"), Optional(5u));
    EXPECT_THAT(body_length("5\r\nhello\r\n0\r\n\r\nGET"), Optional(15u));
    EXPECT_THAT(body_length("5;a=\"b\"\r\nhello\r\n000\r\n\r\n"), Optional(23u));
    EXPECT_THAT(body_length("1\r\nx\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\nGET"), Optional(27u));
    for (const char* bad :
         {"\r\n", "g\r\n", " 5\r\nhello\r\n0\r\n\r\n", "5 \r\nhello\r\n0\r\n\r\n", "5\nhello\r\n",
          "5\r\nhelloX\r\n0\r\n\r\n", "5\r\nhello\n0\r\n\r\n", "-5\r\n", "0x5\r\n",
          "1000000000000000\r\n", "5;\n\r\nhello\r\n", "0\r\nX\r\n\r\n", "0\r\nX: a\nb\r\n\r\n",
          "0\r\n X: a\r\n\r\n", "0\r\nContent-Length: 5\r\n\r\n",
          "0\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\nHost: a\r\n\r\n", "0\r\n\rX"})
        EXPECT_EQ(body_length(bad), std::nullopt) << bad;
}

TEST(HttpBodyTest, ExtensionsAndTrailersAreBounded) {
    const auto passes = [](const std::string& bytes) {
        BodyScanner scanner({Kind::chunked, 0});
        (void)scanner.take(bytes);
        return scanner.done();
    };
    EXPECT_TRUE(passes("0;" + std::string(chunk_extension_bytes_max, 'a') + "\r\n\r\n"));
    EXPECT_FALSE(passes("0;" + std::string(chunk_extension_bytes_max + 1, 'a') + "\r\n\r\n"));
    EXPECT_TRUE(passes("0\r\nX:" + std::string(trailer_bytes_max - 2, 'a') + "\r\n\r\n"));
    EXPECT_FALSE(passes("0\r\nX:" + std::string(trailer_bytes_max - 1, 'a') + "\r\n\r\n"));
}

}  // namespace
}  // namespace umbra::gateway
