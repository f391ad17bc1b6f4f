#include "mux.hpp"

#include <gtest/gtest.h>

namespace umbra::ssh_tunnel::mux {
namespace {

using namespace std::string_literals;

const Forward forward{Forward::Kind::remote, "::1", 8080, "crm", 80, "mapping crm"};

TEST(SshMux, MessagesAreThoseOfTheProtocol) {
    EXPECT_EQ(hello(), "\0\0\0\x08\0\0\0\x01\0\0\0\x04"s);
    EXPECT_EQ(stop_listening(7), "\0\0\0\x08\x10\0\0\x09\0\0\0\x07"s);
    EXPECT_EQ(open_forward(2, forward),
              "\0\0\0\x22\x10\0\0\x06\0\0\0\x02\0\0\0\x02"
              "\0\0\0\x03::1\0\0\x1f\x90\0\0\0\x03"
              "crm\0\0\0\x50"s);
    auto local = forward;
    local.kind = Forward::Kind::local;
    EXPECT_EQ(close_forward(2, local).substr(4, 12), "\x10\0\0\x07\0\0\0\x02\0\0\0\x01"s);
}

TEST(SshMux, AnswersAreTakenOneByOneAndOnlyWhole) {
    std::string bytes =
        "\0\0\0\x08\0\0\0\x01\0\0\0\x04"
        "\0\0\0\x08\x80\0\0\x01\0\0\0\x05"
        "\0\0\0\x0e\x80\0\0\x03\0\0\0\x06\0\0\0\x02no"s;
    const std::string rest = bytes.substr(12);
    const auto first = take(bytes);
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(std::get<Hello>(*first.value()).version, 4u);
    EXPECT_EQ(bytes, rest);
    const auto second = take(bytes);
    EXPECT_TRUE(std::get<Answer>(*second.value()).ok);
    EXPECT_EQ(std::get<Answer>(*second.value()).request, 5u);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        auto part = bytes.substr(0, i);
        const auto none = take(part);
        ASSERT_TRUE(none.ok());
        EXPECT_FALSE(none.value().has_value()) << i;
        EXPECT_EQ(part, bytes.substr(0, i));
    }
    const auto third = take(bytes);
    EXPECT_FALSE(std::get<Answer>(*third.value()).ok);
    EXPECT_EQ(std::get<Answer>(*third.value()).reason, "no");
    EXPECT_EQ(bytes, "");
}

TEST(SshMux, WhatIsNoneOfItsMessagesIsAnError) {
    for (auto bytes : {"\0\0\0\x04\x80\0\0\x01"s, "\0\0\0\x08\0\0\0\x63\0\0\0\0"s,
                       "\0\0\0\x0c\x80\0\0\x03\0\0\0\x06\0\0\0\x02"s, "\0\1\0\1"s})
        EXPECT_FALSE(take(bytes).ok());
    std::string largest = "\0\1\0\0"s;
    EXPECT_TRUE(take(largest).ok()) << "65,536 bytes may still come";
}

}  // namespace
}  // namespace umbra::ssh_tunnel::mux
