#include "integration/transport/zeromq_side.hpp"

#include <fstream>
#include <sys/resource.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace umbra::test {
namespace {

std::uint64_t to_number(const std::string& bytes) {
    std::uint64_t number = 0;
    for (std::size_t i = bytes.size(); i-- > 0;)
        number = number << 8 | static_cast<unsigned char>(bytes[i]);
    return number;
}

TEST_F(ZeroMqPair, QuestionsUpdatesAndAnswersGoBothWays) { expect_all_works(); }

TEST_F(ZeroMqPair, SeveralQuestionsAreOpenAtOnceAndEachGetsItsOwnAnswer) {
    std::vector<Side::Slot<Frames>> slots;
    for (int i = 0; i < 20; ++i) slots.push_back(a.ask({"q" + std::to_string(i)}));
    ASSERT_TRUE(b.wait_for(Type::asked, 20, {&a}));
    for (std::size_t i = b.events.size(); i-- > 0;) {
        const auto event = b.events[i];
        if (event.type != Type::asked) continue;
        EXPECT_EQ(event.identity, a.identity);
        EXPECT_TRUE(b.answer(event.id, {"to " + event.frames.front()}).ok());
    }
    for (std::size_t i = 0; i < slots.size(); ++i) {
        const auto answer = a.finish(slots[i], {&b});
        ASSERT_TRUE(answer.ok()) << answer.error().message;
        EXPECT_EQ(answer.value(), Frames{"to q" + std::to_string(i)});
    }
}

TEST_F(ZeroMqPair, APingIsAnsweredWhileTheHostIsAsleepAndItsAgeGrows) {
    ASSERT_TRUE(b.set_pong("ping", {"pong", "state"}).ok());
    std::uint64_t before = 0;
    for (int i = 0; i < 3; ++i) {
        // Nobody turns the loop of b here.
        const auto pong = a.finish(a.ask({"ping", "1"}));
        ASSERT_TRUE(pong.ok()) << pong.error().message;
        ASSERT_EQ(pong->size(), 3u);
        EXPECT_EQ(pong->at(0), "pong");
        EXPECT_EQ(pong->at(1), "state");
        ASSERT_EQ(pong->at(2).size(), 8u);
        const auto age = to_number(pong->at(2));
        EXPECT_GT(age, before);
        EXPECT_LT(age, 60'000'000'000u);
        before = age;
    }
    ASSERT_TRUE(b.set_pong("ping", {"pong", "new"}).ok());
    const auto pong = a.finish(a.ask({"ping"}));
    ASSERT_TRUE(pong.ok());
    EXPECT_EQ(pong->at(1), "new");
    EXPECT_EQ(b.count(Type::asked), 0u);
}

TEST_F(ZeroMqPair, AnAnswerThatComesTooLateIsDroppedAndTheNextOneIsRight) {
    const auto begun = Clock::now();
    const auto first = a.finish(a.ask({"first"}, 100ms));
    ASSERT_FALSE(first.ok());
    EXPECT_EQ(first.error().code, Errc::timeout);
    EXPECT_GE(Clock::now() - begun, 100ms);
    EXPECT_LT(Clock::now() - begun, 5s);

    const auto second = a.ask({"second"});
    ASSERT_TRUE(b.wait_for(Type::asked, 2));
    std::vector<TransportEvent> asked;
    for (const auto& event : b.events)
        if (event.type == Type::asked) asked.push_back(event);
    EXPECT_TRUE(b.answer(asked[0].id, {"late"}).ok());
    EXPECT_TRUE(b.answer(asked[1].id, {"right"}).ok());
    const auto answer = a.finish(second, {&b});
    ASSERT_TRUE(answer.ok()) << answer.error().message;
    EXPECT_EQ(answer.value(), Frames{"right"});
}

TEST_F(ZeroMqPair, AQuestionIsAnsweredOnce) {
    static_cast<void>(a.ask({"q"}));
    ASSERT_TRUE(b.wait_for(Type::asked, 1, {&a}));
    const auto id = b.last(Type::asked).id;
    EXPECT_TRUE(b.answer(id, {"1"}).ok());
    const auto again = b.answer(id, {"2"});
    ASSERT_FALSE(again.ok());
    EXPECT_EQ(again.error().code, Errc::conflict);
}

TEST_F(ZeroMqPair, APartOfTheLargestSizePassesAndOneByteMoreIsRefusedAtOnce) {
    b.answer_all();
    const std::string largest(1 << 20, 'x');
    const auto passed = a.finish(a.ask({largest}), {&b});
    ASSERT_TRUE(passed.ok()) << passed.error().message;
    EXPECT_EQ(passed->front(), largest);
    for (const auto& frames : {Frames{largest + "x"}, Frames(65, "x"), Frames{}}) {
        const auto refused = a.finish(a.ask(frames), {&b});
        ASSERT_FALSE(refused.ok());
        EXPECT_EQ(refused.error().code, Errc::invalid);
    }
    EXPECT_TRUE(a.finish(a.ask(Frames(63, "x")), {&b}).ok());
    expect_all_works();
    EXPECT_EQ(a.count(Type::link_lost), 0u);
}

TEST_F(ZeroMqPair, ARestartedSideIsFoundAgainUnderTheSameIdentity) {
    const TransportSpec spec = b.spec;
    const std::string identity = b.identity;
    b.stop();
    ASSERT_TRUE(a.wait_for(Type::link_lost));
    ASSERT_TRUE(a.wait_for(Type::refused));

    Side again{dir_.path() / "b"};
    const auto opened = again.open(spec);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    EXPECT_EQ(opened->identity, identity);
    again.answer_all();
    ASSERT_TRUE(a.wait_for(Type::link_up, 2, {&again}));
    EXPECT_TRUE(a.finish(a.ask({"hello"}), {&again}).ok());
}

TEST_F(ZeroMqPair, AKeyThatIsPermittedLaterConnectsByItself) {
    b.spec.peer_identity.clear();
    ASSERT_TRUE(b.reconfigure().ok());
    ASSERT_TRUE(a.wait_for(Type::link_lost));
    ASSERT_TRUE(b.wait_for(Type::stranger));
    b.spec.peer_identity = a.identity;
    ASSERT_TRUE(b.reconfigure().ok());
    ASSERT_TRUE(a.wait_for(Type::link_up, 2, {&b}));
    ASSERT_TRUE(b.wait_for(Type::link_up, 2, {&a}));
    expect_all_works();
}

TEST_F(ZeroMqPair, ARevokedKeyIsCutOffFromQuestionsAndUpdates) {
    expect_all_works();
    const auto asked_before = b.count(Type::asked);
    b.spec.peer_identity.clear();
    ASSERT_TRUE(b.reconfigure().ok());
    // Asked at once, before the connection is cut: the message itself is refused.
    const auto answer = a.finish(a.ask({"secret?"}, 1s), {&b});
    EXPECT_FALSE(answer.ok());
    ASSERT_TRUE(a.wait_for(Type::link_lost, 1, {&b}));
    for (int i = 0; i < 50; ++i) {
        ASSERT_TRUE(b.publish({"secret"}).ok());
        a.loop.turn(5ms);
    }
    EXPECT_EQ(b.count(Type::asked), asked_before);
    for (const auto& event : a.events) EXPECT_NE(event.frames, Frames{"secret"});
    EXPECT_TRUE(b.wait_for(Type::stranger));
    EXPECT_NE(b.last(Type::stranger).detail.find(a.identity), std::string::npos);
}

TEST_F(ZeroMqPair, OwnEndpointsStayAsTheyAre) {
    auto spec = a.spec;
    a.spec.own_respond = "tcp://127.0.0.1:1";
    const auto refused = a.reconfigure();
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Errc::invalid);
    a.spec = spec;
    a.spec.peer_identity = a.identity;
    EXPECT_EQ(a.reconfigure().error().code, Errc::invalid);
    a.spec.peer_identity = "not a key";
    EXPECT_EQ(a.reconfigure().error().code, Errc::invalid);
    a.spec = spec;
    ASSERT_TRUE(a.reconfigure().ok());
    expect_all_works();
}

TEST_F(ZeroMqPair, StopEndsEverythingThatIsOpen) {
    std::vector<Side::Slot<Frames>> slots;
    for (int i = 0; i < 5; ++i) slots.push_back(a.ask({"never answered"}));
    ASSERT_TRUE(b.wait_for(Type::asked, 5, {&a}));
    const auto introduction = a.start<Frames>([&](auto done) {
        a.handle->introduce("tcp://127.0.0.1:1", b.identity, a.mint().value().secret, {"x"},
                            host::Deadline::after(patience), std::move(done));
    });
    const auto begun = Clock::now();
    a.stop();
    EXPECT_LT(Clock::now() - begun, 5s);
    for (const auto& slot : slots) {
        ASSERT_TRUE(slot->has_value());
        EXPECT_FALSE((*slot)->ok());
    }
    EXPECT_TRUE(introduction->has_value());
}

// --- one side alone
// -------------------------------------------------------------------------------

class ZeroMqAlone : public ::testing::Test {
protected:
    TempDir dir_;
};

TEST_F(ZeroMqAlone, AQuestionWithoutAPeerFailsAtOnce) {
    Side side{dir_.path() / "a"};
    ASSERT_TRUE(side.open().ok());
    const auto answer = side.finish(side.ask({"hello"}));
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().code, Errc::unavailable);
}

TEST_F(ZeroMqAlone, APeerThatWasNeverThereIsRefusedAndQuestionsFailAtOnce) {
    Side other{dir_.path() / "b"};
    ASSERT_TRUE(other.open().ok());
    Side side{dir_.path() / "a"};
    TransportSpec spec = listening();
    spec.peer_publish = other.spec.own_publish;
    spec.peer_respond = other.spec.own_respond;
    spec.peer_identity = other.identity;
    other.stop();
    ASSERT_TRUE(side.open(spec).ok());
    ASSERT_TRUE(side.wait_for(Type::refused));
    const auto answer = side.finish(side.ask({"hello"}));
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().code, Errc::unavailable);
    // Told again while it lasts, but at most once a second.
    const auto begun = Clock::now();
    const auto before = side.count(Type::refused);
    ASSERT_TRUE(side.wait_for(Type::refused, before + 2));
    EXPECT_GE(Clock::now() - begun, 900ms);
    EXPECT_EQ(side.count(Type::link_lost), 0u);
}

TEST_F(ZeroMqAlone, ANameIsLookedUpForTheRefusalToo) {
    Side other{dir_.path() / "b"};
    ASSERT_TRUE(other.open().ok());
    const auto port = other.spec.own_respond.substr(other.spec.own_respond.rfind(':'));
    const auto identity = other.identity;
    other.stop();
    Side side{dir_.path() / "a"};
    TransportSpec spec;
    spec.peer_respond = "tcp://localhost" + port;
    spec.peer_identity = identity;
    ASSERT_TRUE(side.open(spec).ok());
    EXPECT_TRUE(side.wait_for(Type::refused));
}

TEST_F(ZeroMqAlone, TheKeyFileIsPrivateAndKeptAndNeverReplaced) {
    std::string identity;
    const auto path = dir_.path() / "a" / "curve.key";
    {
        Side side{dir_.path() / "a"};
        ASSERT_TRUE(side.open().ok());
        identity = side.identity;
    }
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777u, 0600u);
    {
        Side side{dir_.path() / "a"};
        ASSERT_TRUE(side.open().ok());
        EXPECT_EQ(side.identity, identity);
    }
    ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
    {
        Side side{dir_.path() / "a"};
        const auto refused = side.open();
        ASSERT_FALSE(refused.ok());
        EXPECT_EQ(refused.error().code, Errc::invalid);
        ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
        EXPECT_TRUE(side.open().ok());
    }
    std::filesystem::resize_file(path, 20);
    Side side{dir_.path() / "a"};
    const auto refused = side.open();
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.error().message.find("curve.key"), std::string::npos);
    EXPECT_EQ(std::filesystem::file_size(path), 20u);
}

TEST_F(ZeroMqAlone, APortThatIsTakenIsAnErrorThatNamesIt) {
    Side first{dir_.path() / "a"}, second{dir_.path() / "b"};
    ASSERT_TRUE(first.open().ok());
    TransportSpec taken = listening();
    taken.own_respond = first.spec.own_respond;
    const auto refused = second.open(taken);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Errc::unavailable);
    EXPECT_NE(refused.error().message.find(first.spec.own_respond), std::string::npos);
    EXPECT_TRUE(second.open().ok());
}

/// Closed sockets give their descriptors back a moment later: waits until none does any more.
int lowest_free_descriptor() {
    int lowest = -1;
    for (int same = 0; same < 50; std::this_thread::sleep_for(10ms)) {
        const int now = ::dup(0);
        ::close(now);
        same = now == lowest ? same + 1 : 0;
        lowest = now;
    }
    return lowest;
}

TEST_F(ZeroMqAlone, AFaultClosesEverythingAndSaysWhy) {
    Side a{dir_.path() / "a"};
    ASSERT_TRUE(a.open().ok());
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    const TransportSpec listens = a.spec;
    // No descriptor is left for the sockets to a peer.
    a.spec.peer_respond = "tcp://127.0.0.1:1";
    a.spec.peer_identity = a.mint().value().identity;
    const rlimit none{static_cast<rlim_t>(lowest_free_descriptor()), before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    const auto failed = a.reconfigure();
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);

    ASSERT_FALSE(failed.ok());
    EXPECT_EQ(failed.error().code, Errc::exhausted) << failed.error().message;
    for (const auto& answer : {a.publish({"hello"}), a.set_pong("ping", {})}) {
        ASSERT_FALSE(answer.ok());
        EXPECT_EQ(answer.error().code, Errc::exhausted) << answer.error().message;
    }
    // Nothing is left half open.
    Side b{dir_.path() / "b"};
    TransportSpec spec = listening();
    spec.peer_publish = listens.own_publish;
    spec.peer_respond = listens.own_respond;
    spec.peer_identity = a.identity;
    ASSERT_TRUE(b.open(spec).ok());
    EXPECT_TRUE(b.wait_for(Type::refused));
    a.stop();
}

}  // namespace
}  // namespace umbra::test
