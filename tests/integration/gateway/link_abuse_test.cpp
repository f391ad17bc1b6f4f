// What a peer that breaks the rules gets: its connection closed, the violation named, nothing else.

#include "identity.hpp"
#include "integration/gateway/link_fixture.hpp"
#include <umbra/gateway/frame.hpp>
#include <umbra/gateway/window.hpp>

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <thread>

namespace umbra::gateway {
namespace {

using namespace umbra::gateway::testing;

Bytes frame(FrameHeader header, const Bytes& payload = {}) {
    Bytes bytes(frame_header_bytes);
    if (header.type == FrameType::data && header.length == 0)
        header.length = static_cast<std::uint32_t>(payload.size());
    encode(header, std::span<std::uint8_t, frame_header_bytes>(bytes.data(), frame_header_bytes));
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    return bytes;
}
Bytes operator+(Bytes a, const Bytes& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}
Bytes hello() { return frame({FrameType::data, flag::syn, 1, 0}, encode(msg::Hello{})); }

/// Speaks TLS with a valid key, and then whatever the test wants, from a thread of its own.
class Rogue {
public:
    Rogue(const TlsIdentity& identity, tcp::endpoint to, Bytes first, Bytes second = {})
        : thread_([=, this] { run(identity, to, first, second); }) {}
    Rogue(const Rogue&) = delete;
    Rogue& operator=(const Rogue&) = delete;
    ~Rogue() { thread_.join(); }

private:
    static void run(const TlsIdentity& identity, const tcp::endpoint& to, const Bytes& first,
                    const Bytes& second) {
        asio::io_context io;
        tcp::socket socket(io);
        boost::system::error_code error;
        socket.connect(to, error);
        if (error) return;
        PinCheck pins;
        std::unique_ptr<SSL, void (*)(SSL*)> ssl(SSL_new(identity.context()), SSL_free);
        SSL_set_app_data(ssl.get(), &pins);
        SSL_set_fd(ssl.get(), socket.native_handle());
        if (SSL_connect(ssl.get()) != 1) return;
        if (!first.empty()) SSL_write(ssl.get(), first.data(), static_cast<int>(first.size()));
        if (!second.empty()) {
            // The welcome tells that we were admitted.
            char byte = 0;
            if (SSL_read(ssl.get(), &byte, 1) != 1) return;
            SSL_write(ssl.get(), second.data(), static_cast<int>(second.size()));
        }
        char rest[4096];
        while (SSL_read(ssl.get(), rest, sizeof rest) > 0) {
        }
    }
    std::thread thread_;
};

class LinkAbuseTest : public LinkFixture {
protected:
    LinkClosed closed_after(const Bytes& first, const Bytes& second = {}) {
        tcp::acceptor acceptor(gateway.io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        Rogue rogue(agent_identity, acceptor.local_endpoint(), first, second);
        gateway.link = Link::make(acceptor.accept(), gateway_identity, {});
        gateway.link->start(
            {.on_ready = {},
             .on_control =
                 [this](const ControlMessage&) {
                     gateway.link->admit({}, {}, {});
                     gateway.link->send(msg::Welcome{});
                 },
             .on_open = [this](std::shared_ptr<Stream> s) { gateway.offered.push_back(s); },
             .on_closed = [this](const LinkClosed& c) { gateway.closed = c; }});
        EXPECT_TRUE(until([&] { return gateway.closed.has_value(); }));
        return gateway.closed.value_or(LinkClosed{});
    }
    void expect_violation(const std::string& about, const Bytes& first, const Bytes& second = {}) {
        const LinkClosed closed = closed_after(first, second);
        EXPECT_EQ(closed.why, LinkClosed::Why::protocol) << closed.text;
        EXPECT_NE(closed.text.find(about), std::string::npos) << closed.text;
        EXPECT_TRUE(gateway.offered.empty());
    }
};

TEST_F(LinkAbuseTest, GarbageInsteadOfTls) {
    tcp::acceptor acceptor(gateway.io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    tcp::socket stranger(agent.io);
    stranger.connect(acceptor.local_endpoint());
    gateway.link = Link::make(acceptor.accept(), gateway_identity, {});
    gateway.link->start(gateway.events());
    asio::write(stranger, asio::buffer(pattern(1000, 1)));
    ASSERT_TRUE(until([&] { return gateway.closed.has_value(); }));
    EXPECT_EQ(gateway.closed->why, LinkClosed::Why::handshake);
    EXPECT_FALSE(gateway.ready);
}

TEST_F(LinkAbuseTest, NothingAtAllForTheAdmissionTime) {
    tcp::acceptor acceptor(gateway.io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    tcp::socket stranger(agent.io);
    stranger.connect(acceptor.local_endpoint());
    gateway.link = Link::make(acceptor.accept(), gateway_identity, {});
    gateway.link->start(gateway.events());
    const Instant begun = boot_now();
    ASSERT_TRUE(until([&] { return gateway.closed.has_value(); }));
    EXPECT_EQ(gateway.closed->why, LinkClosed::Why::handshake);
    EXPECT_GE(boot_now() - begun, admission_limit - 10ms);
}

TEST_F(LinkAbuseTest, GarbageInsideTls) {
    const std::string noise = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    expect_violation("version", Bytes(noise.begin(), noise.end()));
}
TEST_F(LinkAbuseTest, AnUnknownFrameType) {
    expect_violation("type", Bytes{0, 9, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0});
}
TEST_F(LinkAbuseTest, AStreamBeforeTheControlStream) {
    expect_violation("control", frame({FrameType::data, flag::syn, 3, 0}, {1}));
}
TEST_F(LinkAbuseTest, AnEarlyFrameOnePastTheLimit) {
    expect_violation("limit", frame({FrameType::data, flag::syn, 1, data_bytes_max_early + 1}));
}
TEST_F(LinkAbuseTest, AnEarlyControlMessageOnePastTheLimit) {
    const std::size_t length = control_bytes_max_early + 1;
    expect_violation("limit", frame({FrameType::data, flag::syn, 1, 0},
                                    {static_cast<std::uint8_t>(length >> 8),
                                     static_cast<std::uint8_t>(length & 0xff)}));
}
TEST_F(LinkAbuseTest, AnUnknownControlMessage) {
    expect_violation("unknown type 99", frame({FrameType::data, flag::syn, 1, 0}, {0, 1, 99}));
}
TEST_F(LinkAbuseTest, ControlStreamOpenedTwice) { expect_violation("twice", hello(), hello()); }
TEST_F(LinkAbuseTest, AStreamWithAnIdOfTheOtherSide) {
    expect_violation("id 4", hello(), frame({FrameType::data, flag::syn, 4, 0}, {1}));
}
TEST_F(LinkAbuseTest, AStreamIdUsedTwice) {
    const Bytes syn = frame({FrameType::window, flag::syn, 3, 0});
    expect_violation("id 3", hello(), syn + syn);
}
TEST_F(LinkAbuseTest, AFrameForAStreamThatNeverWas) {
    expect_violation("never opened", hello(), frame({FrameType::data, 0, 3, 0}, {1}));
    gateway.closed.reset();
    expect_violation("never opened", hello(), frame({FrameType::window, 0, 2, 1}));
}
TEST_F(LinkAbuseTest, MoreCreditThanAWindowCanBe) {
    expect_violation("16 MiB", hello(), frame({FrameType::window, flag::syn, 3, window_bytes_max}));
}
TEST_F(LinkAbuseTest, MoreBytesThanTheWindow) {
    expect_violation("window", hello(),
                     frame({FrameType::window, flag::syn, 3, 0}) +
                         frame({FrameType::data, 0, 3, window_bytes_initial + 1}));
}
TEST_F(LinkAbuseTest, AMalformedOpen) {
    expect_violation("OPEN", hello(), frame({FrameType::data, flag::syn, 3, 0}, {0, 2, 1, 1}));
}
TEST_F(LinkAbuseTest, AFloodOfPings) {
    Bytes flood;
    for (std::uint32_t i = 0; i < 300; ++i)
        flood = flood + frame({FrameType::ping, flag::syn, 0, i});
    expect_violation("pings", hello(), flood);
}
TEST_F(LinkAbuseTest, AStreamBeforeTheWelcome) {
    tcp::acceptor acceptor(gateway.io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    Rogue rogue(agent_identity, acceptor.local_endpoint(),
                hello() + frame({FrameType::data, flag::syn, 3, 0}, {1}));
    gateway.link = Link::make(acceptor.accept(), gateway_identity, {});
    gateway.link->start(gateway.events());  // Admits nobody.
    ASSERT_TRUE(until([&] { return gateway.closed.has_value(); }));
    EXPECT_EQ(gateway.closed->why, LinkClosed::Why::protocol);
    EXPECT_NE(gateway.closed->text.find("welcome"), std::string::npos) << gateway.closed->text;
}

}  // namespace
}  // namespace umbra::gateway
