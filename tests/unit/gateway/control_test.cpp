#include <umbra/gateway/control.hpp>

#include <gtest/gtest.h>

namespace umbra::gateway {
namespace {

RegisterView full_view() {
    return {.epoch = 0x0102030405060708,
            .holder = "alpha",
            .holder_alive = true,
            .holder_heard_ns = -5,
            .in_sync_seq = 42,
            .in_sync = {{"alpha", "i1"}, {"beta", std::string(name_bytes_max, 'b')}}};
}

/// One of each, no field at its default.
std::vector<ControlMessage> one_of_each() {
    BootId boot;
    boot.fill(7);
    InvitationId invitation;
    invitation.fill(8);
    Digest proof;
    proof.fill(9);
    return {msg::Hello{.proto = 3,
                       .node = "alpha",
                       .incarnation = "i1",
                       .boot = boot,
                       .epoch_known = 5,
                       .link_index = 1,
                       .links_total = 2},
            msg::Enrol{.invitation = invitation, .proof = proof, .node = "alpha"},
            msg::Claim{.ask = 1, .epoch = 2, .reason = ClaimReason::forced},
            msg::Activate{.ask = 1, .epoch = 2},
            msg::Consent{.ask = 1, .epoch = 2, .successor = "beta"},
            msg::Drain{.epoch = 2},
            msg::InSync{.ask = 1, .epoch = 2, .seq = 3, .members = full_view().in_sync},
            msg::Welcome{.gateway = "cloud", .view = full_view(), .ping_ms = 100, .lease_ms = 600},
            msg::Refused{.code = RefusalCode::internal, .text = "disk"},
            msg::Enrolled{.gateway = "cloud"},
            msg::ClaimAnswer{.ask = 1, .granted = true, .view = full_view(), .text = "why"},
            msg::Activated{.ask = 1, .epoch = 2},
            msg::RefusedEpoch{.ask = 1, .view = full_view()},
            msg::Answer{.ask = 1, .accepted = true, .text = "why"},
            msg::Register{.view = full_view()},
            msg::HolderLost{.view = full_view()},
            msg::Fenced{.view = full_view(), .drain = true},
            msg::Bye{.text = "stopping"},
            msg::Keys{{.present = "sha256:0", .next = std::string(pin_bytes_max, '1')}},
            msg::KeysStored{{.present = "sha256:0", .next = "sha256:1"}},
            msg::Retire{}};
}

TEST(ControlTest, EveryMessageComesBack) {
    const auto messages = one_of_each();
    ASSERT_EQ(messages.size(), std::variant_size_v<ControlMessage>);
    for (const auto& message : messages) {
        const Bytes bytes = encode(message);
        auto back = decode_control(ByteView{bytes}.subspan(2));
        ASSERT_TRUE(back.ok()) << back.error().message;
        EXPECT_TRUE(*back == message) << "alternative " << message.index();
    }
}

TEST(ControlTest, TypesOnTheWireNeverChange) {
    const int types[] = {1,  2,  3,  4,  5,  6,  7,  16, 17, 18, 19,
                         20, 21, 22, 23, 24, 25, 32, 33, 34, 35};
    const auto messages = one_of_each();
    for (std::size_t i = 0; i < messages.size(); ++i)
        EXPECT_EQ(encode(messages[i]).at(2), types[i]) << "alternative " << i;
}

TEST(ControlTest, EveryTruncationAndEveryTailIsRefused) {
    for (const auto& message : one_of_each()) {
        Bytes bytes = encode(message);
        const ByteView body = ByteView{bytes}.subspan(2);
        for (std::size_t size = 0; size < body.size(); ++size)
            EXPECT_FALSE(decode_control(body.first(size)).ok())
                << "alternative " << message.index() << " cut to " << size;
        bytes.push_back(0);
        EXPECT_FALSE(decode_control(ByteView{bytes}.subspan(2)).ok())
            << "alternative " << message.index() << " with a tail";
    }
}

TEST(ControlTest, UnknownTypesAreRefused) {
    for (const std::uint8_t type : Bytes{0, 8, 15, 26, 31, 36, 255})
        EXPECT_FALSE(decode_control(Bytes{type}).ok()) << int{type};
}

TEST(ControlTest, ValuesOutsideTheirChoicesAreRefused) {
    Bytes claim = encode(msg::Claim{.ask = 1, .epoch = 1, .reason = ClaimReason::follow});
    ASSERT_TRUE(decode_control(ByteView{claim}.subspan(2)).ok());
    ++claim.back();
    EXPECT_FALSE(decode_control(ByteView{claim}.subspan(2)).ok());
    claim.back() = 0;
    EXPECT_FALSE(decode_control(ByteView{claim}.subspan(2)).ok());
    Bytes fenced = encode(msg::Fenced{.view = {}, .drain = true});
    fenced.back() = 2;
    EXPECT_FALSE(decode_control(ByteView{fenced}.subspan(2)).ok());
}

TEST(ControlTest, NamesAtTheLimitPassOnePastItAreRefused) {
    const auto hello_with = [](std::size_t length) {
        Writer body;
        body.u8(18);
        body.text(std::string(length, 'g'), 0xffff);
        return decode_control(body.bytes()).ok();
    };
    EXPECT_TRUE(hello_with(name_bytes_max));
    EXPECT_FALSE(hello_with(name_bytes_max + 1));
}

TEST(ControlTest, TextsAtTheLimitPassLongerOnesAreCutByTheSenderAndRefusedByTheReader) {
    const Bytes bytes = encode(msg::Bye{std::string(text_bytes_max + 1, 't')});
    auto back = decode_control(ByteView{bytes}.subspan(2));
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(std::get<msg::Bye>(*back).text.size(), text_bytes_max);
    Writer body;
    body.u8(32);
    body.text(std::string(text_bytes_max + 1, 't'), 0xffff);
    EXPECT_FALSE(decode_control(body.bytes()).ok());
}

TEST(ControlTest, APinAtTheLimitPassesOnePastItIsRefused) {
    const auto keys_with = [](std::size_t length) {
        Writer body;
        body.u8(33);
        body.text(std::string(length, 'p'), 0xffff);
        body.text("", 0xffff);
        return decode_control(body.bytes()).ok();
    };
    EXPECT_TRUE(keys_with(pin_bytes_max));
    EXPECT_FALSE(keys_with(pin_bytes_max + 1));
}

TEST(ControlTest, TheWorkedExampleOfTheReadme) {
    const auto pin = [](char digit) { return "sha256:" + std::string(64, digit); };
    const Bytes bytes = encode(msg::Keys{{.present = pin('0'), .next = pin('1')}});
    ASSERT_EQ(bytes.size(), 149u);
    EXPECT_EQ(Bytes(bytes.begin(), bytes.begin() + 6), (Bytes{0x00, 0x93, 0x21, 0x00, 0x47, 0x73}));
}

TEST(ControlTest, InSyncSetAtTheLimitPassesOnePastItIsRefused) {
    const auto set_of = [](std::size_t count) {
        Writer body;
        body.u8(7);
        body.u64(1);
        body.u64(1);
        body.u64(1);
        body.u16(static_cast<std::uint16_t>(count));
        for (std::size_t i = 0; i < 2 * count; ++i) body.text("n", 0xffff);
        return decode_control(body.bytes()).ok();
    };
    EXPECT_TRUE(set_of(members_max));
    EXPECT_FALSE(set_of(members_max + 1));
}

TEST(ControlReaderTest, MessagesAreFoundHoweverTheBytesAreCut) {
    Bytes stream;
    for (const auto& message : one_of_each()) {
        const Bytes bytes = encode(message);
        stream.insert(stream.end(), bytes.begin(), bytes.end());
    }
    for (const std::size_t cut :
         {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{50}, stream.size()}) {
        ControlReader reader;
        std::vector<ControlMessage> found;
        for (std::size_t at = 0; at < stream.size(); at += cut) {
            reader.push(ByteView{stream}.subspan(at, std::min(cut, stream.size() - at)));
            for (;;) {
                auto next = reader.next();
                ASSERT_TRUE(next.ok());
                if (!next->has_value()) break;
                found.push_back(std::move(**next));
            }
        }
        EXPECT_TRUE(found == one_of_each()) << "cut every " << cut;
    }
}

TEST(ControlReaderTest, LengthAtTheLimitIsAwaitedOnePastItIsRefusedBeforeItsBytesCome) {
    const auto announce = [](ControlReader& reader, std::size_t length) {
        reader.push(Bytes{static_cast<std::uint8_t>(length >> 8),
                          static_cast<std::uint8_t>(length & 0xff)});
        return reader.next().ok();
    };
    ControlReader early;
    EXPECT_TRUE(announce(early, control_bytes_max_early));
    ControlReader early_past;
    EXPECT_FALSE(announce(early_past, control_bytes_max_early + 1));
    ControlReader late;
    late.set_limit(control_bytes_max);
    EXPECT_TRUE(announce(late, control_bytes_max));
}

}  // namespace
}  // namespace umbra::gateway
