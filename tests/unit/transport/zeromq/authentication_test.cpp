#include "message.hpp"
#include "self_test.hpp"
#include "zap.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace umbra::zeromq {
namespace {

Options usual() {
    Options options;
    options.max_message = message_bytes_max;
    return options;
}

TEST(ZapTest, AnswersOnlyCurveAndOnlyItsOwnVersion) {
    zmq::context_t context;
    Permits permits;
    permits.set("", {});
    Zap zap{context, permits, [] {}, [] {}};
    zmq::socket_t libzmq{context, zmq::socket_type::req};
    libzmq.set(zmq::sockopt::linger, 0);
    libzmq.connect("inproc://zeromq.zap.01");
    const std::vector<std::pair<Frames, std::string>> cases{
        {{"1.0", "7", respond_domain, "10.0.0.1", "", "NULL"}, "500"},
        {{"1.0", "7", respond_domain, "10.0.0.1", "", "PLAIN", "user"}, "400"},
        {{"1.0", "7", respond_domain, "10.0.0.1", "", "CURVE", "short"}, "400"},
        {{"1.0", "7", respond_domain, "10.0.0.1", "", "CURVE", std::string(32, 'k')}, "300"},
        {{"2.0", "7", respond_domain, "10.0.0.1", "", "CURVE", std::string(32, 'k')}, "500"},
        {{"x"}, "500"}};
    for (const auto& [question, code] : cases) {
        ASSERT_TRUE(send_frames(libzmq, question));
        Message reply;
        ASSERT_TRUE(receive(libzmq, reply, Wait::yes));
        ASSERT_EQ(reply.frames.size(), 6u);
        EXPECT_EQ(reply.frames[2], code);
    }
    EXPECT_EQ(permits.take_strangers().count, 1u);
    EXPECT_TRUE(zap.alive());
    libzmq.close();
    context.shutdown();
}

TEST(ZapTest, ItsEndIsTold) {
    zmq::context_t context;
    Permits permits;
    std::atomic<bool> told{false};
    Zap zap{context, permits, [] {}, [&] { told = true; }};
    context.shutdown();
    const auto give_up = Clock::now() + std::chrono::seconds{20};
    while (!told && Clock::now() < give_up) std::this_thread::yield();
    EXPECT_TRUE(told);
    EXPECT_FALSE(zap.alive());
}

class SelfTestTest : public ::testing::Test {
protected:
    zmq::context_t context;
    Permits permits;
    KeyPair own = make_key_pair();
    Listener respond{context, zmq::socket_type::router, respond_domain, own,
                     usual(), "tcp://127.0.0.1:*"};
    Listener publish{context, zmq::socket_type::xpub, publish_domain, own,
                     usual(), "tcp://127.0.0.1:*"};

    void TearDown() override {
        respond.close();
        publish.close();
        context.shutdown();
    }
};

TEST_F(SelfTestTest, PassesWhereTheHandlerRefusesStrangers) {
    Zap zap{context, permits, [] {}, [] {}};
    ASSERT_TRUE(respond.open().ok());
    ASSERT_TRUE(publish.open().ok());
    const auto asked =
        self_test(context, permits, respond, zmq::socket_type::dealer, own.public_key, usual());
    EXPECT_TRUE(asked.ok()) << asked.error().message;
    const auto followed =
        self_test(context, permits, publish, zmq::socket_type::sub, own.public_key, usual());
    EXPECT_TRUE(followed.ok()) << followed.error().message;
    EXPECT_EQ(permits.take_strangers().count, 0u);
    respond.close();
    publish.close();
    context.shutdown();
}

TEST_F(SelfTestTest, FailsWhereAHandlerLetsEverybodyIn) {
    zmq::socket_t handler{context, zmq::socket_type::rep};
    handler.bind("inproc://zeromq.zap.01");
    std::thread careless{[moved = std::move(handler)]() mutable {
        Message question;
        while (receive(moved, question, Wait::yes))
            send_frames(moved, {"1.0", question.frames.at(1), "200", "", "anybody", ""});
        moved.close();
    }};
    ASSERT_TRUE(respond.open().ok());
    const auto tested =
        self_test(context, permits, respond, zmq::socket_type::dealer, own.public_key, usual());
    ASSERT_FALSE(tested.ok());
    EXPECT_EQ(tested.error().code, Errc::denied);
    EXPECT_NE(tested.error().message.find("was let in"), std::string::npos);
    respond.close();
    context.shutdown();
    careless.join();
}

TEST_F(SelfTestTest, FailsWhereNobodyIsAskedAndNobodyGetsInEither) {
    ASSERT_TRUE(respond.open().ok());
    const auto tested = self_test(context, permits, respond, zmq::socket_type::dealer,
                                  own.public_key, usual(), Millis{500});
    ASSERT_FALSE(tested.ok());
    EXPECT_NE(tested.error().message.find("was not refused"), std::string::npos);
}

}  // namespace
}  // namespace umbra::zeromq
