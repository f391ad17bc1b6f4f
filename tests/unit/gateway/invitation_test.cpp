#include <umbra/gateway/invitation.hpp>

#include <gtest/gtest.h>

namespace umbra::gateway {
namespace {

Invitation sample_invitation() {
    Invitation invitation;
    for (std::size_t i = 0; i < 16; ++i) invitation.id.at(i) = static_cast<std::uint8_t>(i * 17);
    for (std::size_t i = 0; i < 32; ++i) {
        invitation.secret.at(i) = static_cast<std::uint8_t>(255 - i);
        invitation.gateway_pin.at(i) = static_cast<std::uint8_t>(i * 7);
    }
    return invitation;
}

TEST(InvitationTest, WhatIsPrintedIsRead) {
    const auto text = to_text(sample_invitation());
    EXPECT_TRUE(text.starts_with("umbra-gw1."));
    EXPECT_EQ(text.find_first_of("=+/ \n"), std::string::npos) << "safe in a shell and a URL";
    ASSERT_TRUE(parse_invitation(text).ok());
    EXPECT_EQ(parse_invitation(text).value(), sample_invitation());
    EXPECT_EQ(parse_invitation(" " + text + "\n").value(), sample_invitation());
}

TEST(InvitationTest, EveryTruncationIsRefusedWithoutRepeatingIt) {
    const auto text = to_text(sample_invitation());
    for (std::size_t length = 0; length < text.size(); ++length) {
        const auto parsed = parse_invitation(std::string_view(text).substr(0, length));
        ASSERT_FALSE(parsed.ok()) << length;
        EXPECT_EQ(parsed.error().code, Errc::invalid);
        EXPECT_EQ(parsed.error().message.find(text.substr(10, 8)), std::string::npos);
    }
    EXPECT_FALSE(parse_invitation(text + "A").ok());
}

TEST(InvitationTest, ForeignLettersAndStrayBitsAreRefused) {
    auto text = to_text(sample_invitation());
    for (const char letter : {'=', '+', '/', ' ', '\0'}) {
        auto changed = text;
        changed[20] = letter;
        EXPECT_FALSE(parse_invitation(changed).ok()) << letter;
    }
    text.back() = text.back() == 'B' ? 'C' : 'B';
    EXPECT_FALSE(parse_invitation(text).ok())
        << "80 bytes leave two bits of the last letter unused";
}

TEST(InvitationTest, PinsAreSha256AndLowerCaseDigits) {
    const auto text = pin_text(sample_invitation().gateway_pin);
    EXPECT_EQ(text.size(), 7u + 64u);
    EXPECT_EQ(parse_pin(text).value(), sample_invitation().gateway_pin);
    EXPECT_FALSE(parse_pin(text.substr(7)).ok());
    EXPECT_FALSE(parse_pin(text.substr(0, text.size() - 1)).ok());
    EXPECT_FALSE(parse_pin(text + "0").ok());
    EXPECT_FALSE(parse_pin("sha256:" + std::string(64, 'G')).ok());
}

TEST(KeyPinsTest, APinAndAnotherOneOrNone) {
    const std::string one = pin_text(Digest{}), other = one.substr(0, one.size() - 1) + "1";
    EXPECT_TRUE(well_formed({one, ""}));
    EXPECT_TRUE(well_formed({one, other}));
    EXPECT_FALSE(well_formed({one, one}));
    EXPECT_FALSE(well_formed({"", other}));
    EXPECT_FALSE(well_formed({one, "sha256:"}));
    EXPECT_TRUE((KeyPins{one, other}.contains(one)));
    EXPECT_TRUE((KeyPins{one, other}.contains(other)));
    EXPECT_FALSE((KeyPins{one, ""}.contains("")));
    EXPECT_FALSE((KeyPins{one, ""}.contains(other)));
}

}  // namespace
}  // namespace umbra::gateway
