// Two real links over a real TLS connection on loopback.

#include "integration/gateway/link_fixture.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

namespace umbra::gateway {
namespace {

using namespace umbra::gateway::testing;

/// With the bytes on the owner's loop, and on two loops beside it.
class LinkTest : public LinkFixture, public ::testing::WithParamInterface<std::size_t> {
protected:
    LinkTest() { threads = GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(Threads, LinkTest, ::testing::Values(1, 2), [](const auto& param_info) {
    return "Of" + std::to_string(param_info.param);
});

using FrozenLinkTest = LinkFixture;

TEST_P(LinkTest, BothEndsKnowEachOtherByTheirKeys) {
    start({.expected = {gateway_identity.pin(), ""}});
    ASSERT_TRUE(until([&] { return agent.ready && gateway.ready; }));
    EXPECT_EQ(agent.link->peer_pin(), gateway_identity.pin());
    EXPECT_EQ(gateway.link->peer_pin(), agent_identity.pin());
    EXPECT_EQ(agent.link->own_pin(), agent_identity.pin());
    EXPECT_EQ(agent.link->minor(), protocol_minor);
    EXPECT_EQ(gateway.link->minor(), protocol_minor);
    EXPECT_TRUE(is_pin(agent.link->peer_pin()));
    auto here = agent.link->exporter(enrol_exporter_label, enrol_exporter_bytes);
    auto there = gateway.link->exporter(enrol_exporter_label, enrol_exporter_bytes);
    ASSERT_TRUE(here.ok() && there.ok());
    EXPECT_EQ(*here, *there);
    EXPECT_EQ(here->size(), enrol_exporter_bytes);
}

TEST_P(LinkTest, TheNextKeyIsBelievedLikeThePresentOne) {
    TempDir other;
    start({.expected = {identity_in(other.path(), Side::gateway).pin(), gateway_identity.pin()}});
    ASSERT_TRUE(until([&] { return agent.ready && gateway.ready; }));
    EXPECT_EQ(agent.link->peer_pin(), gateway_identity.pin());
}

TEST_P(LinkTest, AWrongPinIsRefusedAndNamed) {
    TempDir other;
    const std::string expected = identity_in(other.path(), Side::gateway).pin();
    start({.expected = {expected, ""}});
    ASSERT_TRUE(until([&] { return agent.closed && gateway.closed; }));
    EXPECT_FALSE(agent.ready);
    EXPECT_FALSE(gateway.ready);
    EXPECT_EQ(agent.closed->why, LinkClosed::Why::wrong_key);
    EXPECT_NE(agent.closed->text.find(expected), std::string::npos) << agent.closed->text;
    EXPECT_NE(agent.closed->text.find(gateway_identity.pin()), std::string::npos);
}

TEST_P(LinkTest, ControlMessagesOfTheLargestSizeArriveInOrder) {
    establish();
    agent.control.clear();
    RegisterView view{.epoch = 1, .holder = "alpha"};
    for (std::size_t i = 0; i < members_max; ++i)
        view.in_sync.push_back(
            {std::string(name_bytes_max, 'n'), std::string(name_bytes_max, 'i')});
    for (std::uint64_t epoch = 1; epoch <= 20; ++epoch) {
        view.epoch = epoch;
        gateway.link->send(msg::Register{view});
        // More than a window in total: credit has to come back.
        ASSERT_TRUE(until([&] { return agent.control.size() == epoch; }));
        EXPECT_TRUE(std::get<msg::Register>(agent.control.back()).view == view);
    }
}

TEST_P(LinkTest, EchoOfManyMebibytesBothWaysArrivesUnchanged) {
    establish();
    auto p = path();
    EXPECT_EQ(p->status->code, StatusCode::ok);
    EXPECT_EQ(p->acceptor->request().host, "crm.cloud");
    const std::string there = pattern(12u << 20, 1);
    const std::string back = pattern(9u << 20, 2);
    p->user->read_on();
    p->backend->read_on();
    p->user->write(there);
    p->backend->write(back);
    ASSERT_TRUE(until([&] {
        return p->backend->in.size() >= there.size() && p->user->in.size() >= back.size();
    })) << p->backend->in.size()
        << " " << p->user->in.size();
    EXPECT_TRUE(p->backend->in == there);
    EXPECT_TRUE(p->user->in == back);
    EXPECT_EQ(p->opener->bytes_out(), there.size());
    EXPECT_EQ(p->acceptor->bytes_in(), there.size());
    EXPECT_EQ(p->opener->bytes_in(), back.size());
    EXPECT_EQ(p->acceptor->bytes_out(), back.size());
}

TEST_P(LinkTest, HalfCloseIsCarriedAndTheOtherDirectionGoesOn) {
    establish();
    auto p = path();
    const std::string question = pattern(1u << 20, 3);
    const std::string answer = pattern(1u << 20, 4);
    p->user->read_on();
    p->backend->read_on();
    p->user->write(question);
    ASSERT_TRUE(until([&] { return p->user->all_written; }));
    p->user->outer.shutdown(tcp::socket::shutdown_send);
    ASSERT_TRUE(until([&] { return p->backend->eof; }));
    EXPECT_TRUE(p->backend->in == question);
    EXPECT_FALSE(p->opener_end || p->acceptor_end);
    p->backend->write(answer);
    ASSERT_TRUE(until([&] { return p->backend->all_written; }));
    p->backend->outer.shutdown(tcp::socket::shutdown_send);
    ASSERT_TRUE(until([&] { return p->user->eof && p->opener_end && p->acceptor_end; }));
    EXPECT_TRUE(p->user->in == answer);
    EXPECT_EQ(*p->opener_end, StreamEnd::finished);
    EXPECT_EQ(*p->acceptor_end, StreamEnd::finished);
    EXPECT_EQ(gateway.link->streams(), 0u);
    EXPECT_EQ(agent.link->streams(), 0u);
}

TEST_P(LinkTest, AResetOfTheUserReachesTheBackendAsAReset) {
    establish();
    auto p = path();
    p->backend->read_on();
    p->user->outer.set_option(asio::socket_base::linger(true, 0));
    p->user->outer.close();
    ASSERT_TRUE(until([&] { return p->opener_end && p->acceptor_end && p->backend->read_error; }));
    EXPECT_EQ(*p->opener_end, StreamEnd::reset);
    EXPECT_EQ(*p->acceptor_end, StreamEnd::reset);
    EXPECT_EQ(p->backend->read_error, asio::error::connection_reset);
    EXPECT_FALSE(p->backend->eof) << "a broken stream must not look finished";
    EXPECT_TRUE(gateway.link->is_open());
}

TEST_P(LinkTest, AUserWhoBreaksAfterItsEndIsNoticedAlthoughNobodySendsIt) {
    establish();
    auto p = path();
    p->backend->read_on();
    p->user->write("the last words");
    ASSERT_TRUE(until([&] { return p->user->all_written; }));
    p->user->outer.shutdown(tcp::socket::shutdown_send);
    ASSERT_TRUE(until([&] { return p->backend->eof; }));
    p->user->outer.set_option(asio::socket_base::linger(true, 0));
    p->user->outer.close();
    ASSERT_TRUE(until([&] { return p->opener_end && p->acceptor_end; }));
    EXPECT_EQ(*p->opener_end, StreamEnd::reset);
    EXPECT_EQ(*p->acceptor_end, StreamEnd::reset);
}

TEST_P(LinkTest, AResetByTheFarSideReachesTheUserAsAReset) {
    establish();
    auto p = path();
    p->user->read_on();
    p->acceptor->reset("the mapping was removed");
    ASSERT_TRUE(until([&] { return p->opener_end && p->acceptor_end && p->user->read_error; }));
    EXPECT_EQ(p->user->read_error, asio::error::connection_reset);
    EXPECT_EQ(*p->opener_end, StreamEnd::reset);
}

TEST_P(LinkTest, AStalledReaderHoldsBackNobodyElseAndLittleMemory) {
    establish();
    auto stalled = path();
    auto lively = path();
    const std::string flood = pattern(64u << 20, 5);
    stalled->user->write(flood);  // Its backend never reads.
    const std::string text = pattern(4u << 20, 6);
    lively->backend->read_on();
    lively->user->write(text);
    ASSERT_TRUE(until([&] { return lively->backend->in.size() >= text.size(); }));
    EXPECT_TRUE(lively->backend->in == text);
    // The stalled one comes to rest: nothing moves for a while.
    std::uint64_t moved = 0;
    Instant since = boot_now();
    ASSERT_TRUE(until([&] {
        if (std::exchange(moved, stalled->opener->bytes_out()) != moved) since = boot_now();
        return boot_now() - since > 100ms;
    }));
    EXPECT_FALSE(stalled->user->all_written);
    // What left the user's end is the window and what the backend's kernel took.
    const std::uint64_t taken = stalled->opener->bytes_out();
    EXPECT_LT(taken, std::uint64_t{16} << 20);
    // It goes on where it stopped.
    stalled->backend->read_on();
    ASSERT_TRUE(until([&] { return stalled->backend->in.size() >= flood.size(); }));
    EXPECT_TRUE(stalled->backend->in == flood);
}

TEST_P(LinkTest, ARefusedStreamSaysWhyAndItsUserIsReset) {
    establish();
    auto opened = gateway.link->open({.epoch = 1, .host = "no.cloud", .port = 80});
    ASSERT_TRUE(opened.ok());
    std::optional<OpenStatus> status;
    std::optional<StreamEnd> end;
    (*opened)->listen({.on_status = [&](const OpenStatus& s) { status = s; },
                       .on_closed = [&](StreamEnd e, const std::string&) { end = e; }});
    auto [inner, outer] = connected_pair(gateway.io, gateway.io);
    User user(std::move(outer));
    (*opened)->attach(std::move(inner));
    user.read_on();
    ASSERT_TRUE(until([&] { return !agent.offered.empty(); }));
    agent.offered.back()->refuse(StatusCode::denied, "no mapping permits no.cloud:80");
    ASSERT_TRUE(until([&] { return end && user.read_error; }));
    ASSERT_TRUE(status);
    EXPECT_EQ(status->code, StatusCode::denied);
    EXPECT_EQ(status->text, "no mapping permits no.cloud:80");
    EXPECT_EQ(*end, StreamEnd::refused);
    EXPECT_TRUE(until([&] { return gateway.link->streams() + agent.link->streams() == 0; }));
}

TEST_P(LinkTest, UserBytesBehindTheOpenArriveAlthoughTheBackendComesLater) {
    establish();
    auto opened = gateway.link->open({.epoch = 1, .host = "crm.cloud", .port = 80});
    auto [inner, outer] = connected_pair(gateway.io, gateway.io);
    User user(std::move(outer));
    (*opened)->attach(std::move(inner));
    const std::string text = pattern(100000, 7);
    user.write(text);
    ASSERT_TRUE(until([&] {
        return user.all_written && !agent.offered.empty() && (*opened)->bytes_out() == text.size();
    }));
    user.outer.shutdown(tcp::socket::shutdown_send);
    auto [backend_inner, backend_outer] = connected_pair(agent.io, agent.io);
    User backend(std::move(backend_outer));
    backend.read_on();
    agent.offered.back()->attach(std::move(backend_inner));
    ASSERT_TRUE(until([&] { return backend.eof; }));
    EXPECT_TRUE(backend.in == text);
}

TEST_P(LinkTest, ClosingTheLinkEndsItsStreamsAndTheLastMessageArrives) {
    establish();
    auto p = path();
    p->user->read_on();
    p->backend->read_on();
    gateway.link->send(msg::Bye{"stopping"});
    gateway.link->close("stopping");
    ASSERT_TRUE(until([&] {
        return agent.closed && gateway.closed && p->opener_end && p->acceptor_end &&
               p->user->read_error && p->backend->read_error;
    }));
    EXPECT_EQ(gateway.closed->why, LinkClosed::Why::local);
    EXPECT_EQ(agent.closed->why, LinkClosed::Why::lost);
    EXPECT_EQ(*p->opener_end, StreamEnd::link_lost);
    EXPECT_EQ(*p->acceptor_end, StreamEnd::link_lost);
    EXPECT_TRUE(std::holds_alternative<msg::Bye>(agent.control.back()));
    EXPECT_FALSE(gateway.link->open({}).ok());
}

TEST_P(LinkTest, StreamsUpToTheLimitOpenOneMoreIsRefused) {
    establish();
    for (std::size_t i = 0; i < streams_per_link_max; ++i)
        ASSERT_TRUE(gateway.link->open({.epoch = 1, .host = "h", .port = 1}).ok()) << i;
    auto more = gateway.link->open({.epoch = 1, .host = "h", .port = 1});
    ASSERT_FALSE(more.ok());
    EXPECT_EQ(more.error().code, Errc::exhausted);
    ASSERT_TRUE(until([&] { return agent.offered.size() == streams_per_link_max; }));
    EXPECT_TRUE(agent.link->is_open());
}

TEST_P(LinkTest, SelectedStreamsAreCutTheOthersLive) {
    establish();
    auto kept = path();
    auto cut = path();
    const std::uint32_t id = kept->acceptor->id();
    agent.link->reset_streams([id](const Stream& s) { return s.id() == id; }, "not permitted");
    ASSERT_TRUE(until([&] { return cut->opener_end.has_value(); }));
    EXPECT_FALSE(kept->opener_end);
    kept->backend->read_on();
    const std::string text = "still here";
    kept->user->write(text);
    ASSERT_TRUE(until([&] { return kept->backend->in == text; }));
}

TEST_F(FrozenLinkTest, ASilentPeerIsGivenUp) {
    establish(10ms, 100ms, {});
    ASSERT_TRUE(until([&] { return agent.link->round_trip() > Duration::zero(); }));
    only(agent, 500ms);  // The gateway answers nothing meanwhile.
    ASSERT_TRUE(agent.closed);
    EXPECT_EQ(agent.closed->why, LinkClosed::Why::silent);
}

TEST_F(FrozenLinkTest, AFrozenEndServesNothingThatWasMeantForTheTimeBefore) {
    establish(10ms, 10s, 100ms);
    auto p = path();
    p->backend->read_on();
    ASSERT_TRUE(until([&] { return agent.link->round_trip() > Duration::zero(); }));
    const std::size_t offered = agent.offered.size();
    // The agent is stopped. Users go on for a while, then the gateway gives it up.
    const std::string text = "order one more";
    p->user->write(text);
    auto late = gateway.link->open({.epoch = 1, .host = "crm.cloud", .port = 80});
    only(gateway, 150ms);
    gateway.link->close("fenced");
    only(gateway, 20ms);
    // It wakes up with all of that in its socket.
    ASSERT_TRUE(until([&] { return agent.closed.has_value(); }));
    EXPECT_EQ(agent.offered.size(), offered) << "a stream of the time before was served";
    EXPECT_EQ(p->backend->in, "") << "bytes of the time before reached the backend";
}

TEST_F(FrozenLinkTest, AFrozenEndThatWasNotGivenUpGoesOnAfterOneRoundTrip) {
    establish(10ms, 10s, 100ms);
    auto p = path();
    p->backend->read_on();
    ASSERT_TRUE(until([&] { return agent.link->round_trip() > Duration::zero(); }));
    const std::size_t offered = agent.offered.size();
    const std::string text = "order one more";
    p->user->write(text);
    auto late = gateway.link->open({.epoch = 1, .host = "crm.cloud", .port = 80});
    only(gateway, 150ms);
    only(agent, 5ms);
    EXPECT_EQ(agent.offered.size(), offered) << "served before the gateway confirmed";
    EXPECT_EQ(p->backend->in, "");
    ASSERT_TRUE(until([&] { return agent.offered.size() > offered && p->backend->in == text; }));
}

TEST(IdentityTest, TheKeyStaysAndIsPrivate) {
    TempDir dir;
    const std::string pin = identity_in(dir.path(), Side::agent).pin();
    EXPECT_TRUE(is_pin(pin));
    EXPECT_EQ(identity_in(dir.path(), Side::gateway).pin(), pin);
    for (const char* name : {"tls.key", "tls.crt"}) {
        struct stat info {};
        ASSERT_EQ(::stat((dir.path() / name).c_str(), &info), 0);
        EXPECT_EQ(info.st_mode & 0777, 0600u) << name;
    }
    // A crash between the two files.
    std::filesystem::remove(dir.path() / "tls.crt");
    EXPECT_EQ(identity_in(dir.path(), Side::agent).pin(), pin);
}

TEST(IdentityTest, ADamagedOrMissingKeyIsAnErrorNeverANewKey) {
    TempDir dir;
    (void)identity_in(dir.path(), Side::agent);
    std::filesystem::resize_file(dir.path() / "tls.key", 20);
    auto damaged = TlsIdentity::load_or_create(dir.path(), "test", Side::agent);
    ASSERT_FALSE(damaged.ok());
    EXPECT_EQ(damaged.error().code, Errc::data_loss);
    std::filesystem::remove(dir.path() / "tls.key");
    auto missing = TlsIdentity::load_or_create(dir.path(), "test", Side::agent);
    ASSERT_FALSE(missing.ok());
    EXPECT_NE(missing.error().message.find("tls.key"), std::string::npos);
}

TEST(IdentityTest, PinsAreRecognised) {
    EXPECT_TRUE(is_pin("sha256:" + std::string(64, 'a')));
    EXPECT_FALSE(is_pin("sha256:" + std::string(63, 'a')));
    EXPECT_FALSE(is_pin("sha256:" + std::string(65, 'a')));
    EXPECT_FALSE(is_pin("sha256:" + std::string(64, 'A')));
    EXPECT_FALSE(is_pin(std::string(71, 'a')));
}

}  // namespace
}  // namespace umbra::gateway
