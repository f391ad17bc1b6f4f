// Service channels, seen from the gateway: which instance may call out, and where to.

#include "integration/gateway/echo_backend.hpp"
#include "integration/gateway/server_fixture.hpp"

#include <gmock/gmock.h>

namespace umbra::gateway::testing {
namespace {

using ::testing::HasSubstr;

class ChannelsTest : public ServerFixture {
protected:
    ChannelsTest() { write_channels(); }

    static std::string lines(const std::string& name, const std::string& target,
                             std::uint16_t port) {
        return "[channel." + name + "]\ntarget = \"" + target +
               "\"\naddress = \"127.0.0.1:" + std::to_string(port) + "\"\n";
    }
    void write_channels(bool with_db = true) {
        write_config();
        std::ofstream file(config(), std::ios::app);
        if (with_db) file << lines("db", "db.cloud:5432", service.port());
        file << lines("mail", "mail.cloud:25", service.port());
        file << lines("gone", "gone.cloud:1", closed_port());
    }
    /// Where nobody listens: bound, so that nobody else can.
    std::uint16_t closed_port() {
        if (!closed.is_open()) {
            closed.open(tcp::v4());
            closed.bind({asio::ip::address_v4::loopback(), 0});
        }
        return closed.local_endpoint().port();
    }

    struct Call {
        std::shared_ptr<Stream> stream;
        std::unique_ptr<User> user;
        std::optional<OpenStatus> status;
        std::optional<StreamEnd> end;
    };
    /// Opened by the instance, with a user who has not said anything.
    Call* call(Agent& agent, std::uint64_t epoch, const std::string& host, std::uint16_t to) {
        Call* c = calls.emplace_back(std::make_unique<Call>()).get();
        c->stream = agent.link.lock()->open({epoch, host, to, "10.1.2.3:4000"}).value();
        c->stream->listen({.on_status = [c](const OpenStatus& s) { c->status = s; },
                           .on_closed = [c](StreamEnd e, const std::string&) { c->end = e; }});
        auto [inner, outer] = connected_pair(io, io);
        c->user = std::make_unique<User>(std::move(outer));
        c->stream->attach(std::move(inner));
        c->user->read_on();
        EXPECT_TRUE(until([&] { return c->status || c->end; }));
        return c;
    }
    bool echoes(Call& c, const std::string& text) {
        c.user->in.clear();
        c.user->write(text);
        return until([&] { return c.user->in == text || c.end; }) && c.user->in == text;
    }
    std::optional<StatusCode> answer(Agent& agent, std::uint64_t epoch, const std::string& host,
                                     std::uint16_t to) {
        const auto* c = call(agent, epoch, host, to);
        return c->status ? std::optional(c->status->code) : std::nullopt;
    }
    json::value channel(const std::string& name) {
        const auto now = status();
        for (const auto& one : now.at("channels").as_array())
            if (one.at("name") == json::value(name)) return one;
        return nullptr;
    }

    EchoBackend service{io};
    tcp::socket closed{io};
    std::vector<std::unique_ptr<Call>> calls;
};

TEST_F(ChannelsTest, TheActiveNodeReachesWhatTheFileNames) {
    pair_runs();
    auto* db = call(alpha, 1, "db.cloud", 5432);
    ASSERT_TRUE(db->status);
    EXPECT_EQ(db->status->code, StatusCode::ok) << db->status->text;
    EXPECT_TRUE(echoes(*db, pattern(1u << 20, 7)));
    EXPECT_EQ(channel("db").at("streams").to_number<int>(), 1);
    db->user->outer.shutdown(tcp::socket::shutdown_send);
    EXPECT_TRUE(until([&] { return db->end == StreamEnd::finished; }));
    EXPECT_TRUE(until([&] { return channel("db").at("streams").to_number<int>() == 0; }));
    EXPECT_EQ(channel("db").at("served").to_number<int>(), 1);
    EXPECT_EQ(counter("channel_streams"), 1);
}

TEST_F(ChannelsTest, WhatTheFileDoesNotNameIsDeniedAndTold) {
    pair_runs();
    EXPECT_EQ(answer(alpha, 1, "db.cloud", 5433), StatusCode::denied);
    EXPECT_EQ(answer(alpha, 1, "127.0.0.1", service.port()), StatusCode::denied)
        << "the address behind a target is no target";
    EXPECT_EQ(answer(alpha, 1, "gone.cloud", 1), StatusCode::refused);
    EXPECT_EQ(service.accepted, 0u);
    EXPECT_EQ(counter("channel_refused"), 3);
    EXPECT_EQ(channel("gone").at("refused").at("refused").to_number<int>(), 1);
    EXPECT_THAT(text_of(log()),
                HasSubstr("pair default: alpha for 10.1.2.3:4000, db.cloud:5433: denied, no "
                          "[channel] of gateway.toml permits this target"));
}

TEST_F(ChannelsTest, WhoIsNotActiveCannotCallOut) {
    pair_runs();
    EXPECT_EQ(answer(beta, 1, "db.cloud", 5432), StatusCode::stale_epoch);
    EXPECT_EQ(answer(beta, 2, "db.cloud", 5432), StatusCode::stale_epoch);
    EXPECT_EQ(answer(alpha, 0, "db.cloud", 5432), StatusCode::stale_epoch);
    EXPECT_EQ(answer(alpha, 2, "db.cloud", 5432), StatusCode::stale_epoch);
    alpha.say(msg::Drain{1});
    EXPECT_TRUE(
        until([&] { return answer(alpha, 1, "db.cloud", 5432) == StatusCode::stale_epoch; }));
    EXPECT_EQ(service.accepted, 0u);
}

TEST_F(ChannelsTest, AStaleMasterIsCutAndItsSuccessorCallsOut) {
    pair_runs();
    auto* old = call(alpha, 1, "db.cloud", 5432);
    ASSERT_TRUE(echoes(*old, "before"));
    ASSERT_TRUE(claim(beta, 2, ClaimReason::forced).granted);
    EXPECT_TRUE(until([&] { return old->end.has_value(); })) << "cut with its epoch";
    EXPECT_EQ(answer(alpha, 1, "db.cloud", 5432), StatusCode::stale_epoch);
    EXPECT_EQ(answer(beta, 2, "db.cloud", 5432), StatusCode::stale_epoch) << "not yet";
    activate(beta, 2);
    EXPECT_TRUE(echoes(*call(beta, 2, "db.cloud", 5432), "after"));
    EXPECT_EQ(answer(alpha, 2, "db.cloud", 5432), StatusCode::stale_epoch);
}

TEST_F(ChannelsTest, AfterAHandoverByConsentOpenStreamsLiveOn) {
    pair_runs();
    auto* old = call(alpha, 1, "db.cloud", 5432);
    ASSERT_TRUE(echoes(*old, "before"));
    const auto answers = alpha.got<msg::Answer>().size();
    alpha.say(msg::Consent{++alpha.asks, 1, "beta"});
    ASSERT_TRUE(until([&] { return alpha.got<msg::Answer>().size() > answers; }));
    ASSERT_TRUE(claim(beta, 2, ClaimReason::handover).granted);
    activate(beta, 2);
    EXPECT_TRUE(echoes(*old, "until the grace period is over"));
    EXPECT_TRUE(echoes(*call(beta, 2, "db.cloud", 5432), "and the new one"));
    EXPECT_EQ(answer(alpha, 1, "db.cloud", 5432), StatusCode::stale_epoch);
}

TEST_F(ChannelsTest, AReloadCutsWhatTheFilePermitsNoLonger) {
    pair_runs();
    auto* db = call(alpha, 1, "db.cloud", 5432);
    auto* mail = call(alpha, 1, "mail.cloud", 25);
    ASSERT_TRUE(echoes(*db, "a") && echoes(*mail, "b"));
    write_channels(false);
    program.signal(SIGHUP);
    EXPECT_TRUE(until([&] { return db->end.has_value(); }));
    EXPECT_EQ(answer(alpha, 1, "db.cloud", 5432), StatusCode::denied);
    EXPECT_TRUE(echoes(*mail, "not touched"));
    write_channels();
    program.signal(SIGHUP);
    EXPECT_TRUE(until([&] { return answer(alpha, 1, "db.cloud", 5432) == StatusCode::ok; }));
}

}  // namespace
}  // namespace umbra::gateway::testing
