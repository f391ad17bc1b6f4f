// A link whose other end, or whose network, fails in the middle of things: bounded memory, the
// right reason, and the next link works.

#include "identity.hpp"
#include "integration/gateway/link_fixture.hpp"
#include <umbra/gateway/frame.hpp>
#include <umbra/gateway/window.hpp>

#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <atomic>
#include <csignal>
#include <thread>

namespace umbra::gateway::testing {
namespace {

Bytes wire(FrameHeader header, const Bytes& payload = {}) {
    Bytes bytes(frame_header_bytes);
    if (header.type == FrameType::data && header.length == 0)
        header.length = static_cast<std::uint32_t>(payload.size());
    encode(header, std::span<std::uint8_t, frame_header_bytes>(bytes.data(), frame_header_bytes));
    bytes.insert(bytes.end(), payload.begin(), payload.end());
    return bytes;
}

/// Speaks TLS with a valid key and is admitted; then does what a test wants, on a thread of its
/// own.
class Foe {
public:
    using Script = std::function<void(Foe&)>;
    Foe(const TlsIdentity& identity, tcp::endpoint to, Script script)
        : thread_([=, this] { run(identity, to, script); }) {}
    Foe(const Foe&) = delete;
    Foe& operator=(const Foe&) = delete;
    ~Foe() {
        leave = true;
        thread_.join();
    }
    void say(const Bytes& bytes) {
        if (SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) <= 0) lost = true;
    }
    /// Frames of one kind, many in one record. @return false when the link is gone
    bool flood(std::size_t count, const std::function<Bytes(std::uint32_t)>& make) {
        constexpr std::size_t record = 16 * 1024;
        Bytes bytes;
        for (std::uint32_t i = 0; i < count && !lost; ++i) {
            const Bytes one = make(i);
            bytes.insert(bytes.end(), one.begin(), one.end());
            if (bytes.size() < record && i + 1 < count) continue;
            say(bytes);
            bytes.clear();
        }
        return !lost;
    }
    /// Reads until a frame of that type came for which `is_it` holds. @return false at the end
    bool hear(FrameType type, const std::function<bool(const FrameHeader&)>& is_it) {
        FrameDecoder decoder;
        decoder.set_limit(data_bytes_max);
        std::array<std::uint8_t, 65536> in{};
        while (true) {
            const int got = SSL_read(ssl_, in.data(), static_cast<int>(in.size()));
            if (got <= 0) return false;
            ByteView bytes{in.data(), static_cast<std::size_t>(got)};
            bool heard = false;
            while (true) {
                const auto piece = decoder.next(bytes);
                if (!piece || !piece->has_value()) break;
                heard |= (*piece)->header.type == type && is_it((*piece)->header);
            }
            if (heard) return true;
        }
    }
    /// It is alive and has seen all that was said before.
    bool answers_ping(std::uint32_t nonce) {
        say(wire({FrameType::ping, flag::syn, 0, nonce}));
        return hear(FrameType::ping, [&](const FrameHeader& header) {
            return header.has(flag::ack) && header.length == nonce;
        });
    }

    /// Does nothing more, but keeps the connection until the test has seen enough.
    void stay() {
        done = true;
        while (!leave) std::this_thread::sleep_for(1ms);
    }

    std::atomic<bool> done = false, leave = false;
    bool lost = false;

private:
    void run(const TlsIdentity& identity, const tcp::endpoint& to, const Script& script) {
        asio::io_context io;
        tcp::socket socket(io);
        boost::system::error_code error;
        socket.connect(to, error);
        PinCheck pins;
        std::unique_ptr<SSL, void (*)(SSL*)> ssl(SSL_new(identity.context()), SSL_free);
        SSL_set_app_data(ssl.get(), &pins);
        SSL_set_fd(ssl.get(), socket.native_handle());
        ssl_ = ssl.get();
        if (!error && SSL_connect(ssl_) == 1) {
            say(wire({FrameType::data, flag::syn, 1, 0}, encode(msg::Hello{})));
            // The welcome tells that we were admitted.
            if (hear(FrameType::data, [](const FrameHeader& header) { return header.stream == 1; }))
                script(*this);
        }
        done = true;
    }
    SSL* ssl_ = nullptr;
    std::thread thread_;
};

class LinkFaultsTest : public LinkFixture {
protected:
    // A foe writes to a connection that was closed on it.
    LinkFaultsTest() { std::signal(SIGPIPE, SIG_IGN); }

    /// The gateway's end of a link to a foe.
    void meet(Foe::Script script) {
        tcp::acceptor acceptor(gateway.io, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
        foe = std::make_unique<Foe>(agent_identity, acceptor.local_endpoint(), std::move(script));
        LinkOptions options;
        options.budget = budget;
        gateway.link = Link::make(acceptor.accept(), gateway_identity, options);
        auto events = gateway.events();
        events.on_control = [this](const ControlMessage&) {
            gateway.link->admit({}, {}, {});
            gateway.link->send(msg::Welcome{});
        };
        events.on_open = [this](const std::shared_ptr<Stream>& stream) {
            ++offered;
            stream->listen(
                {.on_status = {},
                 .on_closed = [this](StreamEnd end, const std::string&) { ends.push_back(end); }});
            if (on_offer) on_offer(stream);
        };
        gateway.link->start(std::move(events));
    }
    bool foe_is_done() {
        return until([&] {
            most_unsent = std::max(most_unsent, gateway.link->unsent());
            return foe->done.load();
        });
    }
    /// The fault has harmed nobody but itself.
    void expect_recovery() {
        gateway.link.reset();
        gateway.closed.reset();
        gateway.ready = false;
        establish();
        auto p = path();
        p->backend->read_on();
        p->user->write("still here");
        EXPECT_TRUE(until([&] { return p->backend->in == "still here"; }));
    }
    const std::shared_ptr<MemoryBudget> budget = std::make_shared<MemoryBudget>();
    std::size_t most_unsent = 0;
    std::size_t offered = 0;
    std::vector<StreamEnd> ends;
    std::function<void(const std::shared_ptr<Stream>&)> on_offer;
    std::unique_ptr<Foe> foe;
};

Bytes open_frame(std::uint32_t stream, const Bytes& user = {}) {
    Bytes payload = encode(OpenRequest{.epoch = 1, .host = "db.cloud", .port = 1});
    payload.insert(payload.end(), user.begin(), user.end());
    return wire({FrameType::data, flag::syn, stream, 0}, payload);
}

TEST_F(LinkFaultsTest, CutInTheMiddleOfAFrameItIsLostAndSoAreItsStreams) {
    meet([](Foe& me) {
        me.say(open_frame(3));
        Bytes part = wire({FrameType::data, 0, 3, 0}, Bytes(20'000, 7));
        part.resize(part.size() / 2);
        me.say(part);
    });
    ASSERT_TRUE(until([&] { return gateway.closed && ends.size() == 1; }));
    EXPECT_EQ(gateway.closed->why, LinkClosed::Why::lost) << gateway.closed->text;
    EXPECT_EQ(ends.front(), StreamEnd::link_lost);
    EXPECT_EQ(offered, 1u);
    EXPECT_EQ(budget->used(), 0u) << "what had arrived is given back";
    expect_recovery();
}

TEST_F(LinkFaultsTest, APeerThatStopsReadingHoldsWhatUsersSendAtTheUsers) {
    establish(50ms, 400ms, {});
    auto p = path();
    p->backend->write(std::string(8 << 20, 'x'));
    ASSERT_TRUE(until([&] { return gateway.link->streams() == 1; }));
    // The agent runs on alone: its user sends more than anybody takes.
    std::size_t most = 0;
    const auto begun = boot_now();
    while (!agent.closed && boot_now() - begun < 20s) {
        agent.io.run_for(5ms);
        agent.io.restart();
        most = std::max(most, agent.link->unsent());
    }
    ASSERT_TRUE(agent.closed);
    EXPECT_EQ(agent.closed->why, LinkClosed::Why::silent) << agent.closed->text;
    EXPECT_LE(most, 512u << 10) << "users are not read beyond what waits for the kernel";
    EXPECT_FALSE(p->backend->all_written);
    EXPECT_TRUE(until([&] { return gateway.closed.has_value(); }));
    gateway.control.clear();
    agent.control.clear();
    agent.closed.reset();
    agent.ready = false;
    expect_recovery();
}

TEST_F(LinkFaultsTest, APeerThatStopsReadingItsControlMessagesIsClosed) {
    establish();
    const std::string text(text_bytes_max, 'x');
    std::size_t sent = 0;
    while (gateway.link->is_open() && sent < 100'000) {
        gateway.link->send(msg::Bye{text});
        if (++sent % 64 == 0) only(gateway, 1ms);
    }
    ASSERT_TRUE(until([&] { return gateway.closed.has_value(); }));
    EXPECT_EQ(gateway.closed->why, LinkClosed::Why::protocol);
    EXPECT_NE(gateway.closed->text.find("does not read"), std::string::npos);
    EXPECT_LT(sent * text.size(), 16u << 20);
}

/// Passes bytes on in both directions, all at once or, later, one now and then.
class Relay {
public:
    Relay(tcp::socket a, tcp::socket b) : a_(std::move(a)), b_(std::move(b)) {
        a_.non_blocking(true);
        b_.non_blocking(true);
    }
    void pass(bool trickle) {
        const auto now = boot_now();
        if (trickle && now - last_ < 20ms) return;
        last_ = now;
        pass(a_, b_, trickle);
        pass(b_, a_, trickle);
    }

private:
    static void pass(tcp::socket& from, tcp::socket& to, bool trickle) {
        std::array<char, 16384> bytes;
        boost::system::error_code error;
        const auto got =
            from.read_some(asio::buffer(bytes.data(), trickle ? 1 : bytes.size()), error);
        if (got > 0) asio::write(to, asio::buffer(bytes.data(), got), error);
    }
    tcp::socket a_, b_;
    Instant last_{};
};

TEST_F(LinkFaultsTest, ALineThatCarriesAByteNowAndThenIsSilent) {
    // A byte every ten seconds, five hundred times faster.
    asio::io_context between;
    auto [inbound, to_gateway] = connected_pair(gateway.io, between);
    auto [to_agent, outbound] = connected_pair(between, agent.io);
    Relay relay(std::move(to_agent), std::move(to_gateway));
    gateway.link = Link::make(std::move(inbound), gateway_identity, {});
    agent.link = Link::make(std::move(outbound), agent_identity, {});
    gateway.link->start(gateway.events());
    agent.link->start(agent.events());
    bool trickle = false;
    const auto through = [&](const std::function<bool()>& condition) {
        return until([&] {
            relay.pass(trickle);
            return condition();
        });
    };
    ASSERT_TRUE(through([&] { return agent.ready && gateway.ready; }));
    agent.link->send(msg::Hello{.node = "alpha"});
    ASSERT_TRUE(through([&] { return !gateway.control.empty(); }));
    gateway.link->admit(20ms, 300ms, {});
    gateway.link->send(msg::Welcome{.gateway = "cloud"});
    ASSERT_TRUE(through([&] { return !agent.control.empty(); }));
    agent.link->admit(20ms, 300ms, {});
    ASSERT_TRUE(through([&] { return agent.link->round_trip() > Duration::zero(); }));
    trickle = true;
    ASSERT_TRUE(through([&] { return agent.closed && gateway.closed; }));
    EXPECT_EQ(gateway.closed->why, LinkClosed::Why::silent) << gateway.closed->text;
    agent.control.clear();
    gateway.control.clear();
    agent.closed.reset();
    agent.ready = false;
    expect_recovery();
}

TEST_F(LinkFaultsTest, AFloodOfStreamsEndsAtTheLimitAndTheLinkLives) {
    bool alive = false;
    meet([&](Foe& me) {
        me.flood(streams_per_link_max + 1000, [](std::uint32_t i) {
            return wire({FrameType::window, flag::syn, 3 + 2 * i, 0});
        });
        alive = me.answers_ping(77);
        me.stay();
    });
    ASSERT_TRUE(foe_is_done());
    EXPECT_TRUE(alive);
    EXPECT_EQ(gateway.link->streams(), streams_per_link_max);
    foe->leave = true;
    ASSERT_TRUE(until([&] { return gateway.closed.has_value(); }));
    EXPECT_EQ(gateway.link->streams(), 0u);
    EXPECT_EQ(budget->used(), 0u);
    expect_recovery();
}

TEST_F(LinkFaultsTest, StreamsThatAreOpenedAndResetAtOnceLeaveNothingBehind) {
    bool alive = false;
    meet([&](Foe& me) {
        alive = me.flood(100'000, [](std::uint32_t i) {
            const std::uint32_t stream = 3 + 2 * i;
            Bytes both = open_frame(stream);
            const Bytes reset = wire({FrameType::window, flag::rst, stream, 0});
            both.insert(both.end(), reset.begin(), reset.end());
            return both;
        }) && me.answers_ping(78);
        me.stay();
    });
    ASSERT_TRUE(foe_is_done());
    EXPECT_TRUE(alive);
    EXPECT_EQ(offered, 100'000u);
    EXPECT_EQ(gateway.link->streams(), 0u);
    EXPECT_EQ(budget->used(), 0u);
    expect_recovery();
}

TEST_F(LinkFaultsTest, ManySmallFramesOfTwoStreamsInOnePieceArriveEachInOrder) {
    std::vector<std::unique_ptr<User>> backends;
    on_offer = [&](const std::shared_ptr<Stream>& stream) {
        auto [inner, outer] = connected_pair(gateway.io, gateway.io);
        stream->attach(std::move(inner));
        backends.push_back(std::make_unique<User>(std::move(outer)));
        backends.back()->read_on();
    };
    std::string first, second;
    meet([&](Foe& me) {
        me.say(open_frame(3));
        me.say(open_frame(5));
        Bytes all;
        const auto add = [&](std::uint32_t stream, std::uint16_t flags, std::string& sent, int i) {
            const std::string text = std::to_string(i) + ",";
            sent += text;
            const Bytes frame =
                wire({FrameType::data, flags, stream, 0}, Bytes(text.begin(), text.end()));
            all.insert(all.end(), frame.begin(), frame.end());
        };
        for (int i = 0; i < 1000; ++i) {
            add(3, 0, first, i);
            if (i % 50 == 0) add(5, 0, second, i);
        }
        add(3, flag::fin, first, 1000);
        add(5, 0, second, 1000);
        me.say(all);
        me.stay();
    });
    ASSERT_TRUE(foe_is_done());
    ASSERT_TRUE(until([&] {
        return backends.size() == 2 && backends[0]->eof && backends[1]->in.size() >= second.size();
    }));
    EXPECT_EQ(backends[0]->in, first);
    EXPECT_EQ(backends[1]->in, second);
    EXPECT_FALSE(backends[1]->eof);
}

TEST_F(LinkFaultsTest, AFloodOfWindowsMovesNothing) {
    bool alive = false;
    meet([&](Foe& me) {
        me.say(open_frame(3));
        alive = me.flood(200'000, [](std::uint32_t i) {
            return wire({FrameType::window, 0, 3, i % 2});
        }) && me.answers_ping(79);
        me.stay();
    });
    ASSERT_TRUE(foe_is_done());
    EXPECT_TRUE(alive);
    EXPECT_EQ(gateway.link->streams(), 1u);
    EXPECT_LT(most_unsent, 64u << 10) << "nothing is sent for them";
    expect_recovery();
}

TEST_F(LinkFaultsTest, WhoAsksForAnswersAndDoesNotReadThemIsClosed) {
    meet([&](Foe& me) {
        me.flood(streams_per_link_max, [](std::uint32_t i) {
            return wire({FrameType::window, flag::syn, 3 + 2 * i, 0});
        });
        // Each of these is refused with a sentence.
        me.flood(2'000'000, [](std::uint32_t i) {
            return wire({FrameType::window, flag::syn,
                         3 + 2 * (static_cast<std::uint32_t>(streams_per_link_max) + i), 0});
        });
    });
    ASSERT_TRUE(foe_is_done());
    ASSERT_TRUE(until([&] { return gateway.closed.has_value(); }));
    EXPECT_EQ(gateway.closed->why, LinkClosed::Why::protocol) << gateway.closed->text;
    EXPECT_NE(gateway.closed->text.find("does not read"), std::string::npos);
    EXPECT_LE(most_unsent, link_unsent_bytes_max + (1u << 20));
    expect_recovery();
}

}  // namespace
}  // namespace umbra::gateway::testing
