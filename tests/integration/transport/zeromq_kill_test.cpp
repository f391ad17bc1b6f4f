#include "integration/transport/zeromq_side.hpp"

#include <array>
#include <csignal>
#include <cstdio>
#include <spawn.h>
#include <sstream>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace umbra::test {
namespace {

/// A peer in a process of its own.
class Child {
public:
    Child(const std::filesystem::path& state_dir, const std::string& publish,
          const std::string& respond, const Side& peer) {
        std::array<int, 2> out{};
        if (::pipe(out.data()) != 0) std::abort();
        std::vector<std::string> words{
            UMBRA_ZEROMQ_CHILD,    state_dir.string(),    publish,      respond,
            peer.spec.own_publish, peer.spec.own_respond, peer.identity};
        std::vector<char*> arguments;
        for (auto& word : words) arguments.push_back(word.data());
        arguments.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
        ::posix_spawn_file_actions_addclose(&actions, out[0]);
        EXPECT_EQ(
            ::posix_spawn(&pid_, UMBRA_ZEROMQ_CHILD, &actions, nullptr, arguments.data(), environ),
            0);
        ::posix_spawn_file_actions_destroy(&actions);
        ::close(out[1]);
        std::string line;
        for (char c = 0; ::read(out[0], &c, 1) == 1 && c != '\n';) line += c;
        ::close(out[0]);
        std::istringstream{line} >> identity >> own_publish >> own_respond;
        EXPECT_FALSE(own_respond.empty()) << "the child did not start";
    }
    ~Child() { kill(); }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    void signal(int number) const { ::kill(pid_, number); }
    void kill() {
        if (pid_ <= 0) return;
        signal(SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }

    std::string identity, own_publish, own_respond;

private:
    pid_t pid_ = -1;
};

class ZeroMqKill : public ::testing::Test {
protected:
    void SetUp() override { ASSERT_TRUE(a.open().ok()); }
    std::unique_ptr<Child> start(const std::string& publish = "tcp://127.0.0.1:*",
                                 const std::string& respond = "tcp://127.0.0.1:*") {
        auto child = std::make_unique<Child>(dir_.path() / "b", publish, respond, a);
        a.spec.peer_identity = child->identity;
        a.spec.peer_publish = child->own_publish;
        a.spec.peer_respond = child->own_respond;
        EXPECT_TRUE(a.reconfigure().ok());
        return child;
    }
    TempDir dir_;
    Side a{dir_.path() / "a"};
};

TEST_F(ZeroMqKill, AKilledPeerIsLostAndRefusedAtOnceAndFoundAgainWhenItRestarts) {
    std::string publish = "tcp://127.0.0.1:*", respond = publish;
    constexpr std::size_t rounds = 5;
    for (std::size_t round = 1; round <= rounds; ++round) {
        const auto child = start(publish, respond);
        publish = child->own_publish;
        respond = child->own_respond;
        ASSERT_TRUE(a.wait_for(Type::link_up, round));
        ASSERT_TRUE(a.finish(a.ask({"alive?"})).ok());
        a.events.erase(std::remove_if(a.events.begin(), a.events.end(),
                                      [](const auto& e) { return e.type != Type::link_up; }),
                       a.events.end());

        Clock::time_point lost, refused;
        a.on_event = [&](const TransportEvent& event) {
            if (event.type == Type::link_lost) lost = Clock::now();
            if (event.type == Type::refused && refused == Clock::time_point{})
                refused = Clock::now();
        };
        const auto killed = Clock::now();
        child->signal(SIGKILL);
        ASSERT_TRUE(a.wait_for(Type::refused));
        a.on_event = nullptr;
        const auto after = [killed](auto when) {
            return std::chrono::duration_cast<std::chrono::microseconds>(when - killed).count();
        };
        std::printf("killed; lost after %ld us, refused after %ld us\n",
                    static_cast<long>(after(lost)), static_cast<long>(after(refused)));
        EXPECT_EQ(a.count(Type::link_lost), 1u);
        // Far above what it takes (about 1 ms), far below any timer: no silence was waited for.
        EXPECT_LT(refused - killed, 500ms);

        const auto answer = a.finish(a.ask({"alive?"}));
        ASSERT_FALSE(answer.ok());
        EXPECT_EQ(answer.error().code, Errc::unavailable);
    }
}

TEST_F(ZeroMqKill, AQuestionThatIsOpenWhenThePeerIsKilledFailsAtOnce) {
    const auto child = start();
    ASSERT_TRUE(a.wait_for(Type::link_up));
    child->signal(SIGSTOP);
    const auto open = a.ask({"alive?"});
    EXPECT_FALSE(a.run_until([&] { return open->has_value(); }, 50ms));
    child->signal(SIGKILL);
    const auto answer = a.finish(open);
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().code, Errc::unavailable) << answer.error().message;
}

TEST_F(ZeroMqKill, AFrozenPeerIsNeverReportedAsRefusedAndComesBack) {
    const auto child = start();
    ASSERT_TRUE(a.wait_for(Type::link_up));
    a.events.clear();
    child->signal(SIGSTOP);
    const auto answer = a.finish(a.ask({"alive?"}, 300ms));
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().code, Errc::timeout);
    // The heartbeats give the connection up in the end; its host still accepts new ones.
    ASSERT_TRUE(a.wait_for(Type::link_lost));
    EXPECT_FALSE(a.run_until([&] { return a.count(Type::refused) > 0; }, 1500ms));
    child->signal(SIGCONT);
    ASSERT_TRUE(a.wait_for(Type::link_up));
    EXPECT_TRUE(a.finish(a.ask({"alive?"})).ok());
}

}  // namespace
}  // namespace umbra::test
