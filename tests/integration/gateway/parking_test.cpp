// Clients that wait while nobody serves, streams that outlive a change of roles, and what happens
// when there are no more files to open.

#include "integration/gateway/server_fixture.hpp"

#include <gmock/gmock.h>

namespace umbra::gateway::testing {
namespace {

using namespace std::string_literals;
using ::testing::StartsWith;

class ParkingTest : public ServerFixture {
protected:
    /// alpha may serve, and does not yet.
    void nobody_serves(const std::string& park) {
        write_config(park);
        start();
        join(alpha);
        ASSERT_TRUE(claim(alpha, 1).granted);
    }
    std::int64_t parked() { return pair().at("parked").to_number<std::int64_t>(); }
    bool is_reset(User& user) {
        return until([&] { return user.read_error == asio::error::connection_reset; });
    }
};

TEST_F(ParkingTest, AClientThatClosesWithoutAWordFreesItsPlace) {
    nobody_serves("{ time = \"10s\", clients = 1 }");
    const auto user = client(crm_port);
    ASSERT_TRUE(until([&] { return parked() == 1; }));
    user->outer.close();
    EXPECT_TRUE(until([&] { return counter("park_gave_up") == 1; }));
    EXPECT_EQ(status().at("clients_now").to_number<int>(), 0);
    const auto next = client(crm_port);
    EXPECT_TRUE(until([&] { return parked() == 1; }));
}

TEST_F(ParkingTest, AClientThatHasSaidAllAndWaitsIsServed) {
    nobody_serves("{ time = \"10s\", clients = 3 }");
    const auto user = client(crm_port);
    asio::write(user->outer, asio::buffer("hi"s));
    user->outer.shutdown(tcp::socket::shutdown_send);
    ASSERT_TRUE(until([&] { return parked() == 1; }));
    activate(alpha, 1);
    EXPECT_TRUE(until([&] { return user->eof; }));
    EXPECT_EQ(user->in, "alpha:hi");
}

TEST_F(ParkingTest, WhenAllPlacesAreTakenWhoHasClosedHisSideMakesRoom) {
    nobody_serves("{ time = \"10s\", clients = 2 }");
    const auto stays = client(crm_port), closes = client(crm_port);
    asio::write(closes->outer, asio::buffer("a request"s));
    closes->outer.shutdown(tcp::socket::shutdown_send);
    ASSERT_TRUE(until([&] { return parked() == 2; }));
    const auto next = client(crm_port);
    EXPECT_TRUE(is_reset(*closes));
    EXPECT_EQ(parked(), 2);
    const auto past = client(crm_port);
    EXPECT_TRUE(is_reset(*past)) << "nobody is left who could make room";
    EXPECT_EQ(counter("park_full"), 1);
    activate(alpha, 1);
    EXPECT_TRUE(answers(*stays, "a", "alpha:a"));
    EXPECT_TRUE(answers(*next, "b", "alpha:b"));
}

TEST_F(ParkingTest, HundredsAreLetGoInTheOrderInWhichTheyCame) {
    constexpr int count = 300;  // Several turns of the loop.
    nobody_serves("{ time = \"20s\", clients = 300 }");
    std::vector<std::unique_ptr<User>> users;
    std::vector<std::string> came;
    for (int i = 0; i < count; ++i) {
        users.push_back(client(crm_port));
        came.push_back("127.0.0.1:" + std::to_string(users.back()->outer.local_endpoint().port()));
    }
    ASSERT_TRUE(until([&] { return parked() == count; }));
    activate(alpha, 1);
    ASSERT_TRUE(until([&] { return alpha.requests.size() == count; }));
    std::vector<std::string> served;
    for (const auto& request : alpha.requests) served.push_back(request.client);
    EXPECT_EQ(served, came);
    EXPECT_TRUE(answers(*users.back(), "x", "alpha:x"));
    EXPECT_EQ(counter("served"), count);
}

TEST_F(ParkingTest, StreamsThatOutliveAHandoverAreCountedWhenTheyEnd) {
    pair_runs();
    const auto ends = client(crm_port), stays = client(crm_port);
    ASSERT_TRUE(answers(*ends, "a", "alpha:a"));
    ASSERT_TRUE(answers(*stays, "b", "alpha:b"));
    alpha.say(msg::Consent{++alpha.asks, 1, "beta"});
    ASSERT_TRUE(until([&] { return alpha.got<msg::Answer>().size() == 2; }));
    ASSERT_TRUE(claim(beta, 2, ClaimReason::handover).granted);
    activate(beta, 2);
    const auto fresh = client(crm_port);
    ASSERT_TRUE(answers(*fresh, "c", "beta:c"));
    EXPECT_EQ(pair().at("draining").to_number<int>(), 2);
    ends->outer.shutdown(tcp::socket::shutdown_send);
    ASSERT_TRUE(until([&] { return ends->eof; }));
    EXPECT_TRUE(until([&] { return counter("drained") == 1; }));
    EXPECT_TRUE(answers(*stays, "d", "alpha:d"));
    // What a node does when its grace period is over.
    alpha.link.lock()->reset_streams(nullptr, "the grace period is over");
    EXPECT_TRUE(is_reset(*stays));
    EXPECT_TRUE(until([&] { return counter("drain_cut") == 1; }));
    EXPECT_EQ(pair().at("draining").to_number<int>(), 0);
    EXPECT_TRUE(answers(*fresh, "e", "beta:e"));
    EXPECT_EQ(counter("drained") + counter("drain_cut"), 2) << "streams of beta are none of them";
}

class FewFilesTest : public ParkingTest {
protected:
    /// 128 files may be open: 64 of them by clients.
    FewFilesTest() { launcher = {"/usr/bin/prlimit", "--nofile=128:128"}; }
};

TEST_F(FewFilesTest, ClientsDoNotTakeTheLastOnes) {
    pair_runs();
    std::vector<std::unique_ptr<User>> users;
    for (int i = 0; i < 64; ++i) {
        users.push_back(client(crm_port));
        ASSERT_TRUE(answers(*users.back(), "a", "alpha:a")) << i;
    }
    const auto past = client(crm_port);
    EXPECT_TRUE(is_reset(*past));
    const auto http = client(connect_port);
    asio::write(http->outer, asio::buffer("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"s));
    ASSERT_TRUE(until([&] { return http->eof; }));
    EXPECT_THAT(http->in, StartsWith("HTTP/1.1 503 "));
    EXPECT_EQ(counter("refused_clients"), 2) << "the admin socket answers";
    beta.drop();
    ASSERT_TRUE(until([&] { return beta.closed == 2; }));
    beta.hello(agents_port, 1);
    EXPECT_TRUE(until([&] { return beta.got<msg::Welcome>().size() == 2; })) << "links come up";
    EXPECT_TRUE(answers(*users.front(), "b", "alpha:b"));
}

TEST_F(FewFilesTest, WhenThereAreNoneAtAllOpenStreamsGoOnAndTheRestComesBack) {
    pair_runs();
    const auto user = client(crm_port);
    ASSERT_TRUE(answers(*user, "a", "alpha:a"));
    std::vector<std::unique_ptr<User>> users;
    for (int i = 0; i < 63; ++i) {
        users.push_back(client(crm_port));
        ASSERT_TRUE(answers(*users.back(), "a", "alpha:a")) << i;
    }
    // Strangers that say nothing: up to 64 of them are waited for, 5 s.
    std::vector<tcp::socket> silent;
    for (int i = 0; i < 64; ++i) {
        silent.emplace_back(io);
        silent.back().connect({asio::ip::address_v4::loopback(), agents_port});
    }
    const auto has_run_out = [&] {
        return text_of(log()).find("cannot accept connections: Too many open files") !=
               std::string::npos;
    };
    ASSERT_TRUE(until(has_run_out));
    EXPECT_TRUE(answers(*user, "b", "alpha:b"));
    silent.clear();
    for (const auto& one : users) one->outer.close();
    ASSERT_TRUE(until([&] { return status().at("clients_now").to_number<int>() == 1; }));
    const auto next = client(crm_port);
    EXPECT_TRUE(answers(*next, "c", "alpha:c"));
}

}  // namespace
}  // namespace umbra::gateway::testing
