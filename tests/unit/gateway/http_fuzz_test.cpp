// Mutated requests against the parser: what it lets pass, another reader (Boost.Beast) must read as
// the same request of the same length. A seeded generator, so that a find can be repeated.

#include "http_body.hpp"
#include "http_head.hpp"
#include "http_rules.hpp"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <gtest/gtest.h>

#include <array>
#include <cctype>
#include <cstdio>
#include <random>

namespace umbra::gateway {
namespace {

namespace http = boost::beast::http;

constexpr std::array seeds = {
    "GET /a/b?c=d HTTP/1.1\r\nHost: web.cloud\r\n\r\n",
    "POST /a HTTP/1.1\r\nHost: web.cloud\r\nContent-Length: 5\r\n\r\nhello",
    "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: "
    "y\r\n\r\n",
    "GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    "GET / HTTP/1.0\r\nConnection: keep-alive\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n",
};
constexpr std::array pieces = {"\r\n",
                               "\n",
                               "\r",
                               " ",
                               "\t",
                               ":",
                               ",",
                               ";",
                               "%2e",
                               "%2f",
                               "..",
                               "/",
                               "\\",
                               "%00",
                               "0",
                               "5",
                               "ffff",
                               "_",
                               "\"",
                               "#",
                               "*",
                               "Content-Length: 7\r\n",
                               "Transfer-Encoding: chunked\r\n",
                               "Transfer-Encoding: \x0b"
                               "chunked\r\n",
                               "Host: b\r\n",
                               "GET /x HTTP/1.1\r\n",
                               "chunked, identity",
                               "HTTP/1.1",
                               "close",
                               "Content-Length : 7\r\n"};

class Mutator {
public:
    explicit Mutator(unsigned seed) : random_(seed) {}

    std::string next() {
        std::string text = seeds[below(seeds.size())];
        for (std::size_t i = 0, count = below(4) + 1; i < count; ++i) mutate(text);
        return text;
    }

private:
    std::size_t below(std::size_t n) { return random_() % n; }
    void mutate(std::string& text) {
        const std::size_t at = below(text.size() + 1);
        switch (below(4)) {
            case 0:
                text.insert(at, pieces[below(pieces.size())]);
                break;
            case 1:
                text.erase(at, below(4));
                break;
            case 2:
                if (at < text.size()) text[at] = static_cast<char>(below(256));
                break;
            default:
                text.insert(at, text.substr(below(text.size() + 1), below(24)));
        }
    }
    std::mt19937 random_;
};

/// Length of the whole message as we see it; 0: refused or incomplete.
std::size_t our_length(const std::string& bytes, HttpRequest& out) {
    const auto head = head_length(bytes);
    if (!head) return 0;
    auto parsed = parse_request(std::string_view(bytes).substr(0, *head));
    if (std::holds_alternative<HttpFault>(parsed)) return 0;
    out = std::get<HttpRequest>(std::move(parsed));
    BodyScanner scanner(out.body);
    const std::size_t body = scanner.take(std::string_view(bytes).substr(*head));
    return scanner.done() ? *head + body : 0;
}

TEST(HttpFuzzTest, WhatPassesIsReadByAnotherReaderInTheSameWay) {
    Mutator mutator(20261127);
    std::size_t passed = 0, stricter = 0;
    for (int round = 0; round < 60'000; ++round) {
        const std::string bytes = mutator.next();
        HttpRequest ours;
        const std::size_t length = our_length(bytes, ours);
        if (length == 0) continue;
        ++passed;
        ASSERT_FALSE(target_fault(ours.target));
        for (const char c : ours.path()) ASSERT_TRUE(c > 0x20 && c < 0x7f && c != '\\') << bytes;
        http::request_parser<http::string_body> theirs;
        boost::system::error_code error;
        std::size_t taken = 0;
        while (!theirs.is_done() && taken < length) {
            const std::size_t got =
                theirs.put(boost::asio::buffer(bytes.data() + taken, length - taken), error);
            taken += got;
            if (error == http::error::need_more) error = {};
            if (error || got == 0) break;
        }
        // Being stricter is no other way to read it.
        if (error) {
            ++stricter;
            continue;
        }
        ASSERT_TRUE(theirs.is_done()) << bytes;
        ASSERT_EQ(taken, length) << bytes;
        ASSERT_EQ(theirs.get().method_string(), ours.method);
        ASSERT_EQ(theirs.get().target(), ours.target);
        ASSERT_EQ(theirs.chunked(), ours.body.kind == BodyFraming::Kind::chunked) << bytes;
    }
    EXPECT_LT(stricter * 10, passed);
    EXPECT_GT(passed, 3'000u) << "too few mutants pass for this to say anything";
}

/// Whatever a path looks like, below a permitted one no segment leads upwards, in any reading.
TEST(HttpFuzzTest, NoPathThatPassesLeadsUpwards) {
    constexpr std::array parts = {"/",      ".",  "..", "%2e", "%2f", "%5c", "%25", "a",  ";",
                                  "%c0%ae", "\\", "2e", "2f",  "%",   "?",   "//",  "%00"};
    std::mt19937 random(7);
    std::size_t passed = 0;
    for (int round = 0; round < 100'000; ++round) {
        std::string path = "/public/";
        for (std::size_t i = 0, count = random() % 7; i < count; ++i)
            path += parts[random() % parts.size()];
        if (target_fault(path)) continue;
        ++passed;
        path.resize(std::min(path.find('?'), path.size()));
        for (int decodings = 0; decodings < 6; ++decodings) {
            ASSERT_EQ(path.find("/../"), std::string::npos) << path;
            ASSERT_EQ(path.find("/..;"), std::string::npos) << path;
            ASSERT_FALSE(path.ends_with("/..")) << path;
            ASSERT_EQ(path.find('\\'), std::string::npos) << path;
            std::string next;
            for (std::size_t i = 0; i < path.size(); ++i) {
                unsigned byte = 0;
                if (path[i] == '%' && i + 2 < path.size() &&
                    std::sscanf(path.substr(i + 1, 2).c_str(), "%2x", &byte) == 1 &&
                    std::isxdigit(static_cast<unsigned char>(path[i + 2]))) {
                    next += static_cast<char>(byte);
                    i += 2;
                } else {
                    next += path[i];
                }
            }
            path = next;
        }
    }
    EXPECT_GT(passed, 3'000u);
}

}  // namespace
}  // namespace umbra::gateway
