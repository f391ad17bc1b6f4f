// Our end of a link and the implementation of yamux that Debian ships for Go at the other one.
// yamux_peer.go says what that end does.

#include "integration/gateway/child.hpp"
#include "integration/gateway/link_fixture.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace umbra::gateway {
namespace {

using namespace umbra::gateway::testing;

std::string hex(const Bytes& bytes) {
    std::string text;
    for (const auto byte : bytes) {
        char two[3];
        std::snprintf(two, sizeof two, "%02x", static_cast<unsigned>(byte));
        text += two;
    }
    return text;
}

/// The internal system behind a served stream.
class Backend : public std::enable_shared_from_this<Backend> {
public:
    explicit Backend(tcp::socket socket) : socket_(std::move(socket)) {}
    /// Gives back what it gets, and the end after all of it.
    void echo() {
        socket_.async_read_some(asio::buffer(buffer_),
                                [me = shared_from_this()](auto error, std::size_t size) {
                                    if (!error) return me->give_back(size);
                                    boost::system::error_code ignored;
                                    me->socket_.shutdown(tcp::socket::shutdown_send, ignored);
                                });
    }
    void break_at_first_byte() {
        socket_.async_read_some(asio::buffer(buffer_),
                                [me = shared_from_this()](auto, std::size_t) {
                                    me->socket_.set_option(asio::socket_base::linger(true, 0));
                                    me->socket_.close();
                                });
    }

private:
    void give_back(std::size_t size) {
        asio::async_write(socket_, asio::buffer(buffer_, size),
                          [me = shared_from_this()](auto error, std::size_t) {
                              if (!error) me->echo();
                          });
    }
    tcp::socket socket_;
    std::array<char, 65536> buffer_{};
};

class GoYamuxTest : public LinkFixture {
protected:
    const msg::Hello hello{.node = "alpha"};
    const msg::Welcome welcome{.gateway = "cloud"};
    TempDir files;
    const std::filesystem::path output = files.path() / "output";
    Child child;

    void SetUp() override {
        if (!std::filesystem::exists(UMBRA_YAMUX_PEER))
            GTEST_SKIP()
                << "needs the packages golang-1.19-go and golang-github-hashicorp-yamux-dev "
                   "when the build is configured";
    }
    void TearDown() override {
        if (!HasFailure()) return;
        std::fputs(text_of(output).c_str(), stderr);
        for (const End* end : {&gateway, &agent})
            if (end->closed) std::fprintf(stderr, "our end: %s\n", end->closed->text.c_str());
    }

    void run(std::vector<std::string> words) {
        words.insert(words.begin(), UMBRA_YAMUX_PEER);
        child = Child(words, output);
    }
    /// Runs our end until the other one has said that, or has given up.
    bool says(const std::string& words) {
        std::string text;
        const auto has = [&](const std::string& what) {
            return text.find(what) != std::string::npos;
        };
        return until([&] {
                   text = text_of(output);
                   return has(words) || has("error: ");
               }) &&
               has(words);
    }
    /// The rest of the line that begins with that.
    std::string said(const std::string& words) {
        const std::string text = text_of(output);
        const auto at = text.find(words) + words.size();
        return text.substr(at, text.find('\n', at) - at);
    }

    /// Go dials; our end is the gateway's.
    void go_dials(const std::string& backlog = {}) {
        tcp::acceptor acceptor(gateway.io, {asio::ip::address_v4::loopback(), 0});
        std::vector<std::string> words{"agent", std::to_string(acceptor.local_endpoint().port()),
                                       agent_dir.path(), gateway_identity.pin(),
                                       hex(encode(ControlMessage{hello}))};
        if (!backlog.empty()) words.push_back(backlog);
        run(words);
        gateway.link = Link::make(acceptor.accept(), gateway_identity,
                                  {.expected = {agent_identity.pin(), ""}});
        gateway.link->start(gateway.events());
        ASSERT_TRUE(until([&] { return !gateway.control.empty(); }));
        EXPECT_EQ(std::get<msg::Hello>(gateway.control.front()), hello);
        EXPECT_EQ(gateway.link->minor(), 0) << "this Go program is an end from before umbra/1.1";
        gateway.link->admit(50ms, 10s, 5s);
        gateway.link->send(welcome);
        ASSERT_TRUE(says("welcomed"));
    }

    /// Go listens; our end is the agent's, and serves each stream with an echo or, if so
    /// named, breaks it.
    void go_listens(const std::string& deed) {
        run({"gateway", gateway_dir.path(), agent_identity.pin(),
             hex(encode(ControlMessage{welcome})), deed});
        ASSERT_TRUE(says("port ") && says("\n"));
        tcp::socket socket(agent.io);
        socket.connect({asio::ip::address_v4::loopback(),
                        static_cast<std::uint16_t>(std::stoul(said("port ")))});
        agent.link = Link::make(std::move(socket), agent_identity,
                                {.expected = {gateway_identity.pin(), ""}});
        LinkEvents events = agent.events();
        // At once: the first streams come right behind the welcome.
        events.on_control = [this](ControlMessage message) {
            agent.link->admit(50ms, 10s, 5s);
            agent.control.push_back(std::move(message));
        };
        events.on_open = [this](std::shared_ptr<Stream> stream) { serve(*stream); };
        agent.link->start(std::move(events));
        ASSERT_TRUE(until([&] { return agent.ready; }));
        agent.link->send(hello);
        ASSERT_TRUE(until([&] { return !agent.control.empty(); }));
        EXPECT_EQ(std::get<msg::Welcome>(agent.control.front()), welcome);
        EXPECT_EQ(said("hello "), hex(encode(ControlMessage{hello})));
    }
    void serve(Stream& stream) {
        EXPECT_EQ(stream.request().client, "192.0.2.1:1024");
        auto [inner, outer] = connected_pair(agent.io, agent.io);
        stream.attach(std::move(inner));
        const auto backend = std::make_shared<Backend>(std::move(outer));
        if (stream.request().host == "reset.cloud")
            backend->break_at_first_byte();
        else
            backend->echo();
    }
    void expect_done() {
        ASSERT_TRUE(says("done, streams left: "));
        EXPECT_EQ(said("done, streams left: "), "0");
        EXPECT_TRUE(until([&] { return agent.link->streams() == 0; }));
        EXPECT_TRUE(agent.link->is_open());
    }

    struct Way {
        std::shared_ptr<Stream> stream;
        std::unique_ptr<User> user;
        std::optional<OpenStatus> status;
        std::optional<StreamEnd> end;
    };
    /// A stream to Go, with a user that reads.
    std::unique_ptr<Way> to(const std::string& host, std::uint16_t port = 80) {
        auto way = std::make_unique<Way>();
        auto opened = gateway.link->open({.epoch = 1, .host = host, .port = port});
        EXPECT_TRUE(opened.ok());
        way->stream = *opened;
        way->stream->listen(
            {.on_status = [w = way.get()](const OpenStatus& s) { w->status = s; },
             .on_closed = [w = way.get()](StreamEnd end, const std::string&) { w->end = end; }});
        auto [inner, outer] = connected_pair(gateway.io, gateway.io);
        way->stream->attach(std::move(inner));
        way->user = std::make_unique<User>(std::move(outer));
        way->user->read_on();
        return way;
    }
    /// Sends all and the end of it.
    void send(Way& way, std::string text) {
        way.user->write(std::move(text));
        ASSERT_TRUE(until([&] { return way.user->all_written; }));
        way.user->outer.shutdown(tcp::socket::shutdown_send);
    }
};

TEST_F(GoYamuxTest, GoDialsAndEchoesMoreThanAnyWindow) {
    go_dials();
    auto way = to("echo.cloud");
    send(*way, pattern(24u << 20, 1));
    ASSERT_TRUE(until([&] { return way->user->eof && way->end; }));
    EXPECT_TRUE(way->user->in == way->user->out);
    EXPECT_EQ(*way->end, StreamEnd::finished);
    EXPECT_EQ(gateway.link->streams(), 0u);
}

TEST_F(GoYamuxTest, GoAnswersAfterOurHalfClose) {
    go_dials();
    auto way = to("digest.cloud");
    const std::string question = pattern(3u << 20, 2);
    send(*way, question);
    ASSERT_TRUE(until([&] { return way->user->eof && way->end; }));
    std::array<unsigned char, 32> digest{};
    ASSERT_EQ(::EVP_Digest(question.data(), question.size(), digest.data(), nullptr, ::EVP_sha256(),
                           nullptr),
              1);
    EXPECT_EQ(way->user->in, std::string(digest.begin(), digest.end()));
    EXPECT_EQ(*way->end, StreamEnd::finished);
}

TEST_F(GoYamuxTest, OurUserAnswersAfterTheHalfCloseOfGo) {
    go_dials();
    auto way = to("source.cloud", 5);
    ASSERT_TRUE(until([&] { return way->user->eof; }));
    EXPECT_TRUE(way->user->in == pattern(5u << 20, 5));
    EXPECT_FALSE(way->end) << "only one direction has ended";
    send(*way, "thanks");
    ASSERT_TRUE(until([&] { return way->end.has_value(); }));
    EXPECT_EQ(*way->end, StreamEnd::finished);
}

TEST_F(GoYamuxTest, ManyStreamsToGoAtATime) {
    go_dials();
    std::vector<std::unique_ptr<Way>> ways;
    for (std::uint32_t i = 0; i < 200; ++i) {
        ways.push_back(to("echo.cloud"));
        ways.back()->user->write(pattern(100'000 + i, i));
    }
    for (auto& way : ways) {
        ASSERT_TRUE(until([&] { return way->user->in.size() == way->user->out.size(); }));
        EXPECT_TRUE(way->user->in == way->user->out);
        way->user->outer.shutdown(tcp::socket::shutdown_send);
    }
    EXPECT_TRUE(until([&] { return gateway.link->streams() == 0; }));
    EXPECT_TRUE(gateway.link->is_open());
}

TEST_F(GoYamuxTest, AStreamThatGoDoesNotReadHoldsBackNoOther) {
    go_dials();
    auto deaf = to("deaf.cloud");
    deaf->user->write(pattern(64u << 20, 6));
    auto lively = to("echo.cloud");
    send(*lively, pattern(4u << 20, 7));
    ASSERT_TRUE(until([&] { return lively->user->eof; }));
    EXPECT_TRUE(lively->user->in == lively->user->out);
    EXPECT_FALSE(deaf->user->all_written);
}

TEST_F(GoYamuxTest, AResetOfOursReachesGo) {
    go_dials();
    auto way = to("quiet.cloud");
    ASSERT_TRUE(until([&] { return way->status.has_value(); }));
    way->stream->reset("the mapping was removed");
    EXPECT_TRUE(says("quiet stream: connection reset"));
    auto after = to("echo.cloud");
    send(*after, "still there");
    ASSERT_TRUE(until([&] { return after->user->eof; }));
    EXPECT_EQ(after->user->in, "still there");
}

TEST_F(GoYamuxTest, ARefusalOfGoIsNamed) {
    go_dials();
    auto way = to("denied.cloud");
    ASSERT_TRUE(until([&] { return way->end && way->user->read_error; }));
    ASSERT_TRUE(way->status);
    EXPECT_EQ(way->status->code, StatusCode::denied);
    EXPECT_EQ(way->status->text, "not for you");
    EXPECT_EQ(*way->end, StreamEnd::refused);
    EXPECT_TRUE(gateway.link->is_open());
}

TEST_F(GoYamuxTest, WhatIsTooMuchForGoIsResetAndTheRestStays) {
    go_dials("8");
    std::vector<std::unique_ptr<Way>> ways;
    for (int i = 0; i < 12; ++i) ways.push_back(to("echo.cloud"));
    const auto ended = [&] {
        return std::count_if(ways.begin(), ways.end(),
                             [](const auto& way) { return way->end == StreamEnd::reset; });
    };
    ASSERT_TRUE(until([&] { return ended() == 4; }));
    EXPECT_EQ(gateway.link->streams(), 8u);
    EXPECT_TRUE(gateway.link->is_open());
}

TEST_F(GoYamuxTest, TheControlStreamOfGoIsAcknowledged) {
    go_dials("1");
    EXPECT_TRUE(says("opened another"));
}

TEST_F(GoYamuxTest, GoListensAndHasBackMoreThanAnyWindow) {
    go_listens("large");
    expect_done();
}

TEST_F(GoYamuxTest, ManyStreamsFromGoAtATime) {
    go_listens("many");
    expect_done();
}

TEST_F(GoYamuxTest, GoNoticesThatABackendBroke) {
    go_listens("reset");
    expect_done();
}

TEST_F(GoYamuxTest, PingsOfBothEndsAreAnswered) {
    go_listens("idle");
    expect_done();
    EXPECT_GT(agent.link->round_trip(), Duration{});
}

}  // namespace
}  // namespace umbra::gateway
