// Service channels, seen from the instance: when its ports are open, and who gets through them.

#include "channels.hpp"
#include "integration/gateway/agent_case.hpp"
#include "integration/gateway/reserved_port.hpp"

#include <gmock/gmock.h>

#include <sys/resource.h>

namespace umbra::gateway {
namespace {

using namespace umbra::gateway::testing;
using ::testing::HasSubstr;

class AgentChannelsTest : public AgentTest {
protected:
    AgentChannelsTest() { spec.channels = {{"db", port.address(), "db.cloud:5432"}}; }

    /// Null: the port refuses connections.
    User* connect(const ReservedPort& to) {
        tcp::socket socket(io);
        boost::system::error_code error;
        socket.connect({asio::ip::address_v4::loopback(), to.port()}, error);
        if (error) return nullptr;
        User* user = users.emplace_back(std::make_unique<User>(std::move(socket))).get();
        user->read_on();
        return user;
    }
    /// The stream that the agent opened for this user; null when there is none.
    std::shared_ptr<Stream> stream_of(const User& user) {
        const auto at = user.outer.local_endpoint();
        const std::string client = "127.0.0.1:" + std::to_string(at.port());
        std::shared_ptr<Stream> found;
        EXPECT_TRUE(until([&] {
            for (const auto& stream : played.offered)
                if (stream->request().client == client) found = stream;
            return found != nullptr;
        }));
        return found;
    }
    /// The same, with an echo at the gateway's side.
    std::shared_ptr<Stream> answered_by_echo(const User& user) {
        const auto stream = stream_of(user);
        tcp::socket service(io);
        service.connect({asio::ip::address_v4::loopback(), backend.port()});
        if (stream) stream->attach(std::move(service));
        return stream;
    }
    bool echoes_user(User& user, const std::string& text) {
        user.in.clear();
        user.write(text);
        return until([&] { return user.in == text || user.eof || user.read_error; }) &&
               user.in == text;
    }
    bool is_reset(User& user) {
        return until([&] { return user.read_error == asio::error::connection_reset; });
    }
    bool configure(const std::vector<Channel>& channels) {
        spec.channels = channels;
        Op<Done> configured;
        tunnel->configure(spec, configured.reply());
        return until([&] { return configured.done(); }) && configured.ok();
    }
    bool becomes_open(const ReservedPort& one) {
        return until([&] { return connect(one) != nullptr; });
    }
    [[nodiscard]] std::string detail() const { return last(TunnelEvent::Type::state)->detail; }

    ReservedPort port{io}, other{io};
};

TEST_F(AgentChannelsTest, APortLeadsToTheGatewaysSideWhileTheNodeIsActive) {
    open_to_standby();
    EXPECT_EQ(connect(port), nullptr) << "a shadow does not listen";
    Op<Done> activated;
    played.view.epoch = 1;
    tunnel->activate(1, activated.reply());
    ASSERT_TRUE(until([&] { return activated.done(); }));
    auto* user = connect(port);
    ASSERT_TRUE(user);
    const auto stream = answered_by_echo(*user);
    ASSERT_TRUE(stream);
    EXPECT_EQ(stream->id() % 2, 1u);
    const auto own = user->outer.local_endpoint();
    EXPECT_EQ(stream->request(),
              (OpenRequest{1, "db.cloud", 5432, "127.0.0.1:" + std::to_string(own.port())}));
    EXPECT_TRUE(echoes_user(*user, pattern(1u << 20, 1)));
    EXPECT_TRUE(until([&] { return last(TunnelEvent::Type::state)->streams == 1; }));
}

TEST_F(AgentChannelsTest, ADrainClosesThePortAndLetsStreamsLiveOn) {
    open_to_active();
    auto* user = connect(port);
    ASSERT_TRUE(user && answered_by_echo(*user));
    ASSERT_TRUE(echoes_user(*user, "before"));
    Op<Done> drained;
    tunnel->drain(1h, drained.reply());
    ASSERT_TRUE(until([&] { return state() == TunnelState::draining; }));
    EXPECT_EQ(connect(port), nullptr);
    EXPECT_TRUE(echoes_user(*user, "after"));
    EXPECT_FALSE(drained.done());
    user->outer.shutdown(tcp::socket::shutdown_send);
    EXPECT_TRUE(until([&] { return drained.done(); })) << "the last stream has ended";
}

TEST_F(AgentChannelsTest, WhoIsFencedListensNoMoreAndItsStreamsAreCut) {
    open_to_active();
    auto* user = connect(port);
    ASSERT_TRUE(user && answered_by_echo(*user));
    ASSERT_TRUE(echoes_user(*user, "before"));
    played.view.epoch = 2;
    played.view.holder = "beta";
    played.push(msg::Fenced{played.view, false});
    EXPECT_TRUE(is_reset(*user));
    EXPECT_EQ(connect(port), nullptr);
}

TEST_F(AgentChannelsTest, AUserWhomTheGatewayRefusesIsResetAndNobodyElse) {
    open_to_active();
    auto* served = connect(port);
    ASSERT_TRUE(served && answered_by_echo(*served));
    auto* refused = connect(port);
    ASSERT_TRUE(refused);
    stream_of(*refused)->refuse(StatusCode::denied, "not in the file");
    EXPECT_TRUE(is_reset(*refused));
    EXPECT_TRUE(echoes_user(*served, "still here"));
}

TEST_F(AgentChannelsTest, APortThatIsTakenIsToldAndOpenedOnceItIsFree) {
    port.listen();
    spec.channels.push_back({"mail", other.address(), "mail.cloud:25"});
    open_to_active();
    ASSERT_TRUE(until([&] { return detail().find("cannot listen") != std::string::npos; }));
    EXPECT_THAT(detail(), HasSubstr("channel db: cannot listen on " + port.address() +
                                    ": Address already in use; attempt "));
    EXPECT_EQ(state(), TunnelState::active);
    EXPECT_TRUE(echoes(*client(), "mappings do not suffer"));
    EXPECT_TRUE(becomes_open(other));
    port.stop_listening();
    EXPECT_TRUE(becomes_open(port));
    EXPECT_TRUE(until([&] { return detail().empty(); })) << detail();
}

TEST_F(AgentChannelsTest, AnotherConfigurationTouchesOnlyWhatItChanges) {
    const Channel db = spec.channels.front(), mail{"mail", other.address(), "mail.cloud:25"};
    open_to_active();
    ASSERT_TRUE(configure({db, mail}));
    ASSERT_TRUE(becomes_open(other));
    auto* user = connect(port);
    ASSERT_TRUE(user && answered_by_echo(*user));
    auto* second = connect(other);
    ASSERT_TRUE(second && answered_by_echo(*second));
    ASSERT_TRUE(echoes_user(*user, "a") && echoes_user(*second, "b"));

    ASSERT_TRUE(configure({db, {"mail", other.address(), "mail.cloud:26"}}));
    EXPECT_TRUE(is_reset(*second)) << "it leads elsewhere";
    auto* third = connect(other);
    ASSERT_TRUE(third && stream_of(*third));
    EXPECT_EQ(stream_of(*third)->request().port, 26);

    ASSERT_TRUE(configure({db}));
    EXPECT_TRUE(is_reset(*third));
    EXPECT_EQ(connect(other), nullptr);
    ASSERT_TRUE(configure({{"db", other.address(), db.target}}));
    EXPECT_EQ(connect(port), nullptr);
    EXPECT_TRUE(becomes_open(other));
    EXPECT_TRUE(echoes_user(*user, "only its port moved"));
}

TEST_F(AgentChannelsTest, AUserWaitsForALinkAndNotForEver) {
    options.connect_timeout = 500ms;
    open_to_active();
    played.go_away();
    ASSERT_TRUE(until([&] { return state() == TunnelState::connecting; }));
    auto* in_vain = connect(port);
    ASSERT_TRUE(in_vain) << "the port stays open while this node may serve";
    EXPECT_TRUE(is_reset(*in_vain));
    auto* patient = connect(port);
    ASSERT_TRUE(patient);
    EXPECT_TRUE(played.offered.empty());
    played.come_back();
    ASSERT_TRUE(answered_by_echo(*patient));
    EXPECT_TRUE(echoes_user(*patient, "at last"));
}

/// The class alone: without a link nobody gets a stream.
class ChannelLimitsTest : public ::testing::Test {
protected:
    void raise_descriptors() {
        rlimit limit{};
        ::getrlimit(RLIMIT_NOFILE, &limit);
        limit.rlim_cur = limit.rlim_max;
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
        ASSERT_GT(limit.rlim_max, 3 * channel_waiting_max);
    }
    asio::io_context io;
    ReservedPort port{io};
    std::vector<std::string> refused;
};

TEST_F(ChannelLimitsTest, OneUserMoreThanMayWaitIsTurnedAway) {
    raise_descriptors();
    Channels channels(
        io, 1h,
        {.open = [](const OpenRequest&) -> Result<std::shared_ptr<Stream>> {
             return Error{Errc::unavailable, "no link"};
         },
         .on_change = {},
         .on_refused = [this](std::string text) { refused.push_back(std::move(text)); }});
    channels.set({{"db", port.address(), "db.cloud:5432"}});
    channels.open_gate(1);
    EXPECT_EQ(channels.port("db"), port.port());
    std::vector<tcp::socket> waiting;
    for (std::size_t i = 0; i <= channel_waiting_max; ++i) {
        waiting.emplace_back(io).connect({asio::ip::address_v4::loopback(), port.port()});
        EXPECT_TRUE(refused.empty());
        io.poll();
    }
    for (int turns = 0; refused.empty() && turns < 20'000; ++turns) {
        io.run_one_for(1ms);
        io.restart();
    }
    ASSERT_EQ(refused.size(), 1u);
    EXPECT_THAT(refused.front(), HasSubstr("more than 1024 users wait"));
    EXPECT_EQ(channels.streams(), channel_waiting_max);
    channels.close_gate();
    EXPECT_EQ(channels.streams(), 0u);
    io.run_for(20s);
    EXPECT_TRUE(io.stopped()) << "nothing keeps the loop";
}

}  // namespace
}  // namespace umbra::gateway
