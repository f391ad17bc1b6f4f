// Two gateways that share their register: real processes, and a real etcd.

#include "integration/gateway/shared_fixture.hpp"

#include <gmock/gmock.h>

namespace umbra::gateway::testing {
namespace {

using ::testing::HasSubstr;

TEST_F(SharedRegisterTest, AGrantAtOneIsServedAtBothAndFencesAtBoth) {
    pair_runs();
    const auto open = client(*one);
    EXPECT_TRUE(is_served_by(*open, "alpha"));
    EXPECT_TRUE(is_served_by(*client(*two), "alpha"));

    // Its links to one gateway alone are no reason for anything.
    leave(alpha_two);
    ASSERT_TRUE(until([&] { return !two->pair().at("nodes").at(0).at("connected").as_bool(); }));
    const auto refused = claim(beta_two, 2, ClaimReason::peer_refused);
    EXPECT_FALSE(refused.granted);
    EXPECT_THAT(refused.text, HasSubstr("gateway cloud-1 hears it"));
    EXPECT_TRUE(refused.view.holder_alive);

    // The stream at the other gateway is gone before beta is told that it may begin.
    const auto granted = claim(beta_two, 2, ClaimReason::forced);
    ASSERT_TRUE(granted.granted) << granted.text;
    EXPECT_EQ(one->epoch(), 2);
    EXPECT_EQ(one->pair().at("streams").to_number<int>(), 0);
    EXPECT_TRUE(until([&] { return open->eof || open->read_error; }));
    ASSERT_TRUE(until([&] { return !alpha_one.got<msg::Fenced>().empty(); }));
    EXPECT_EQ(alpha_one.got<msg::Fenced>().front().view.holder, "beta");

    // Nobody serves at the other gateway before beta does.
    const auto parked = client(*one);
    ASSERT_TRUE(until([&] { return one->pair().at("parked").to_number<int>() == 1; }));
    activate(beta_one, 2);
    EXPECT_TRUE(is_served_by(*parked, "beta"));
    activate(beta_two, 2);
    EXPECT_TRUE(is_served_by(*client(*two), "beta"));
}

TEST_F(SharedRegisterTest, ClaimsAtBothAtOnceGiveOneGrant) {
    start();
    join(alpha_one, *one);
    join(beta_two, *two);
    int granted_to_alpha = 0;
    for (std::uint64_t epoch = 1; epoch <= 20; ++epoch) {
        const auto reason = epoch == 1 ? ClaimReason::first : ClaimReason::forced;
        const auto before = alpha_one.got<msg::ClaimAnswer>().size();
        for (auto* agent : {&alpha_one, &beta_two})
            agent->say(msg::Claim{++agent->asks, epoch, reason});
        ASSERT_TRUE(until([&] {
            return alpha_one.got<msg::ClaimAnswer>().size() > before &&
                   beta_two.got<msg::ClaimAnswer>().size() > before;
        }));
        const auto alpha = alpha_one.got<msg::ClaimAnswer>().back();
        const auto beta = beta_two.got<msg::ClaimAnswer>().back();
        ASSERT_NE(alpha.granted, beta.granted) << alpha.text << beta.text;
        granted_to_alpha += alpha.granted ? 1 : 0;
        const auto holder = alpha.granted ? "alpha" : "beta";
        for (auto* gateway : {one.get(), two.get()}) {
            EXPECT_EQ(gateway->epoch(), static_cast<std::int64_t>(epoch));
            EXPECT_EQ(gateway->pair().at("holder").as_string(), holder);
        }
        if (epoch > 1) continue;
        // So that both may claim the next.
        auto& first = alpha.granted ? alpha_one : beta_two;
        first.say(
            msg::InSync{++first.asks, 1, 1, {{"alpha", "alpha-disk"}, {"beta", "beta-disk"}}});
        ASSERT_TRUE(until([&] {
            return one->pair().at("in_sync").as_array().size() == 2 &&
                   two->pair().at("in_sync").as_array().size() == 2;
        }));
    }
    RecordProperty("granted_to_alpha", granted_to_alpha);
}

TEST_F(SharedRegisterTest, WithoutEtcdNothingIsGrantedAndRoutingEndsInTime) {
    pair_runs();
    const auto open = client(*one);
    EXPECT_TRUE(is_served_by(*open, "alpha"));
    etcd.kill();
    const auto refused = claim(beta_two, 2, ClaimReason::forced);
    EXPECT_FALSE(refused.granted);
    EXPECT_THAT(refused.text, HasSubstr("cannot ask the register"));
    EXPECT_FALSE(two->reachable());
    ASSERT_TRUE(until([&] { return !one->routes() && !two->routes(); }));
    EXPECT_TRUE(until([&] { return open->eof || open->read_error; }));
    const auto parked = client(*one);
    ASSERT_TRUE(until([&] { return one->pair().at("parked").to_number<int>() == 1; }));
    EXPECT_THAT(text_of(one->log()),
                HasSubstr("nothing is routed: the register was not confirmed"));

    etcd.start();
    EXPECT_TRUE(is_served_by(*parked, "alpha"));
    ASSERT_TRUE(until([&] { return one->reachable() && two->reachable(); }));
    EXPECT_EQ(one->epoch(), 1);
    EXPECT_TRUE(claim(beta_two, 2, ClaimReason::forced).granted);
}

TEST_F(SharedRegisterTest, AGatewayThatStopsIsNotWaitedForAndOneThatDiesIs) {
    pair_runs();
    ASSERT_EQ(one->program.end(SIGTERM), 0);
    leave(alpha_two);
    // alpha was heard at the gateway that stopped; that gateway has taken leave.
    EXPECT_THAT(claim_until_granted(beta_two, 2, ClaimReason::peer_refused),
                Not(HasSubstr("out of the way")));

    one->start();
    ASSERT_TRUE(until([&] { return one->epoch() == 2; }));
    return_to(alpha_one, *one, 2);
    one->program.end(SIGKILL);
    leave(beta_two);
    return_to(alpha_two, *two, 2);
    return_to(beta_two, *two, 2);
    // Whether it still routes nobody knows, for as long as it may.
    const auto killed = std::chrono::steady_clock::now();
    ASSERT_TRUE(until([&] {
        const auto answer = claim(beta_two, 3, ClaimReason::first);
        return answer.granted || answer.view.epoch >= 3;
    }));
    const auto waited = std::chrono::steady_clock::now() - killed;
    EXPECT_GT(waited, Gateway::hold / 2);
    EXPECT_LT(waited, 4 * Gateway::hold);
}

TEST_F(SharedRegisterTest, AGatewayThatSleptServesNothingOld) {
    pair_runs();
    one->program.signal(SIGSTOP);
    const auto waiting = client(*one);  // The kernel accepts it.
    leave(alpha_two);
    const auto refused = claim(beta_two, 2, ClaimReason::peer_refused);
    EXPECT_FALSE(refused.granted);
    claim_until_granted(beta_two, 2, ClaimReason::peer_refused);
    activate(beta_two, 2);
    EXPECT_TRUE(is_served_by(*client(*two), "beta"));

    one->program.signal(SIGCONT);
    ASSERT_TRUE(until([&] { return one->epoch() == 2; }));
    EXPECT_TRUE(waiting->in.empty());
    EXPECT_TRUE(alpha_one.requests.empty());
    if (beta_one.link.expired()) return_to(beta_one, *one, 2);
    activate(beta_one, 2);
    EXPECT_TRUE(is_served_by(*waiting, "beta"));
}

TEST_F(SharedRegisterTest, AnEtcdThatForgotIsNotBelieved) {
    pair_runs();
    ASSERT_TRUE(claim(beta_two, 2, ClaimReason::forced).granted);
    etcd.kill();
    etcd.forget();
    etcd.start();
    // Both gateways know the record and all nodes are connected: it is written again as it was.
    ASSERT_TRUE(until([&] {
        return (text_of(one->log()) + text_of(two->log())).find("was rebuilt from the reports") !=
               std::string::npos;
    }));
    ASSERT_TRUE(until([&] {
        return one->reachable() && two->reachable() && !one->pair().at("rebuilding").as_bool() &&
               !two->pair().at("rebuilding").as_bool();
    }));
    EXPECT_EQ(one->epoch(), 2);
    EXPECT_EQ(two->pair().at("holder").as_string(), "beta");
    EXPECT_FALSE(claim(alpha_one, 2, ClaimReason::forced).granted);
    EXPECT_TRUE(claim(alpha_one, 3, ClaimReason::forced).granted);
}

TEST_F(SharedRegisterTest, ACopyOfAGatewayIsNoticed) {
    start();
    ASSERT_EQ(one->program.end(SIGKILL), -SIGKILL);
    std::filesystem::remove_all(two->data());
    // The second one runs on a copy of the first one's files, while the first comes back.
    ASSERT_EQ(two->program.end(SIGKILL), -SIGKILL);
    std::filesystem::copy(one->data(), two->data(), std::filesystem::copy_options::recursive);
    one->start();
    ASSERT_TRUE(until([&] { return one->reachable(); }));
    two->start();
    EXPECT_EQ(one->program.end(), 1);
    EXPECT_THAT(text_of(one->log()), HasSubstr("its data_dir is a copy"));
}

}  // namespace
}  // namespace umbra::gateway::testing
