#include "endpoint.hpp"
#include "message.hpp"
#include "requests.hpp"

#include <gtest/gtest.h>

namespace umbra::zeromq {
namespace {

TEST(EndpointTest, TakesHostsAddressesAndPorts) {
    const auto v4 = parse_endpoint("tcp://10.0.0.1:7401", false);
    ASSERT_TRUE(v4.ok());
    EXPECT_EQ(v4->host, "10.0.0.1");
    EXPECT_EQ(v4->port, 7401);
    EXPECT_FALSE(v4->ipv6);
    const auto v6 = parse_endpoint("tcp://[fe80::1]:65535", false);
    ASSERT_TRUE(v6.ok());
    EXPECT_EQ(v6->host, "fe80::1");
    EXPECT_TRUE(v6->ipv6);
    EXPECT_TRUE(parse_endpoint("tcp://beta.example:1", false).ok());
    for (const char* any : {"tcp://*:7401", "tcp://127.0.0.1:*", "tcp://0.0.0.0:0"}) {
        EXPECT_TRUE(parse_endpoint(any, true).ok()) << any;
        EXPECT_FALSE(parse_endpoint(any, false).ok()) << any;
    }
}

TEST(EndpointTest, RefusesWhatIsNotTcpHostPort) {
    for (const std::string& text :
         {std::string{""}, std::string{"127.0.0.1:1"}, std::string{"ipc:///tmp/x"},
          std::string{"tcp://"}, std::string{"tcp://host"}, std::string{"tcp://host:"},
          std::string{"tcp://:1"}, std::string{"tcp://host:65536"}, std::string{"tcp://host:-1"},
          std::string{"tcp://host:1x"}, std::string{"tcp://::1:1"}, std::string{"tcp://a b:1"},
          "tcp://" + std::string(300, 'h') + ":1"}) {
        const auto parsed = parse_endpoint(text, true);
        ASSERT_FALSE(parsed.ok()) << text;
        EXPECT_EQ(parsed.error().code, Errc::invalid);
        EXPECT_NE(parsed.error().message.find("tcp://host:port"), std::string::npos);
    }
}

TEST(EndpointTest, AWildcardIsReachedOverLoopback) {
    EXPECT_EQ(reachable_locally("tcp://0.0.0.0:1"), "tcp://127.0.0.1:1");
    EXPECT_EQ(reachable_locally("tcp://[::]:1"), "tcp://[::1]:1");
    EXPECT_EQ(reachable_locally("tcp://10.0.0.1:1"), "tcp://10.0.0.1:1");
}

TEST(MessageTest, NumbersAreLittleEndian) {
    EXPECT_EQ(to_little_endian(0x0102), (std::string{"\x02\x01\0\0\0\0\0\0", 8}));
    for (const std::uint64_t number : {0ull, 1ull, 255ull, 256ull, ~0ull})
        EXPECT_EQ(from_little_endian(to_little_endian(number)), number);
    EXPECT_FALSE(from_little_endian(std::string(7, 'x')));
    EXPECT_FALSE(from_little_endian(std::string(9, 'x')));
}

TEST(MessageTest, PartsAreCountedAndMeasured) {
    EXPECT_EQ(why_not_sendable(Frames(frames_max, "x"), 1), "");
    EXPECT_NE(why_not_sendable(Frames(frames_max + 1, "x"), 1), "");
    EXPECT_NE(why_not_sendable({"xx"}, 1), "");
    EXPECT_NE(why_not_sendable({}, 1), "");
}

TEST(SplitTest, TheEnvelopeEndsAtTheFirstEmptyPart) {
    const auto parts = split({"route", "number", "", "body", "", "end"});
    ASSERT_TRUE(parts);
    EXPECT_EQ(parts->envelope, (Frames{"route", "number", ""}));
    EXPECT_EQ(parts->body, (Frames{"body", "", "end"}));
}

TEST(SplitTest, RefusesWhatHasNoDelimiterNoBodyOrTooMuch) {
    EXPECT_FALSE(split({}));
    EXPECT_FALSE(split({"route", "body"}));
    EXPECT_FALSE(split({"route", ""}));
    Frames deep(envelope_max - 1, "hop");
    deep.insert(deep.end(), {"", "body"});
    EXPECT_TRUE(split(deep));
    deep.insert(deep.begin(), "hop");
    EXPECT_FALSE(split(deep));
    Frames long_one(frames_max + 1, "x");
    long_one.front() = "";
    EXPECT_TRUE(split(long_one));
    long_one.push_back("x");
    EXPECT_FALSE(split(long_one));
}

TEST(QuestionsTest, AGuestHasAFewAndThePeerManyAndTheOldestIsGivenUp) {
    Questions questions;
    for (std::size_t i = 0; i < guest_questions_max; ++i)
        EXPECT_TRUE(questions.add({""}, "guest", true));
    EXPECT_FALSE(questions.add({""}, "guest", true));
    EXPECT_TRUE(questions.add({""}, "other guest", true));
    const auto first = questions.add({"first", ""}, "peer", false);
    for (std::size_t i = 0; i < questions_max; ++i) EXPECT_TRUE(questions.add({""}, "peer", false));
    EXPECT_FALSE(questions.take(*first));
}

TEST(QuestionsTest, AnAnswerTakesTheQuestionAndARevokedKeyTakesAllItsOwn) {
    Questions questions;
    const auto one = questions.add({"route", ""}, "peer", false);
    const auto two = questions.add({"route", ""}, "peer", false);
    const auto other = questions.add({"route", ""}, "guest", true);
    EXPECT_EQ(questions.take(*one)->identity, "peer");
    EXPECT_FALSE(questions.take(*one));
    questions.forget("peer");
    EXPECT_FALSE(questions.take(*two));
    EXPECT_TRUE(questions.take(*other));
    EXPECT_TRUE(questions.empty());
}

}  // namespace
}  // namespace umbra::zeromq
