#include <umbra/process/child.hpp>
#include <umbra/process/environment.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <dirent.h>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace umbra::process {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Launch shell(const std::string& script) { return {{"/bin/sh", "-c", script}, basic_environment()}; }

/// A zombie holds no port; whoever inherits it here may be slow to reap it.
bool lives(pid_t pid) {
    std::ifstream stat{"/proc/" + std::to_string(pid) + "/stat"};
    const std::string text{std::istreambuf_iterator<char>{stat}, {}};
    return !text.empty() && text.find(") Z") == std::string::npos;
}

template <class F>
bool becomes_true(F condition) {
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (std::chrono::steady_clock::now() < end) {
        if (condition()) return true;
        std::this_thread::sleep_for(5ms);
    }
    return false;
}

class ChildTest : public testing::Test {
protected:
    std::shared_ptr<Child> start(const Launch& launch) {
        exit_.reset();
        lines_.clear();
        auto child = Child::start(io_, launch,
                                  {[this](std::string line) {
                                       lines_.push_back(std::move(line));
                                       if (on_line_) on_line_();
                                   },
                                   [this](const Exit& exit) { exit_ = exit; }});
        EXPECT_TRUE(child.ok()) << child.error().message;
        return child.ok() ? *child : nullptr;
    }
    /// Runs it until it ended and everything about it is said.
    void run(const std::string& script) {
        const auto child = start(shell(script));
        io_.restart();
        io_.run();
    }
    /// The next line of the process.
    std::string line() {
        io_.restart();
        while (lines_.empty() && io_.run_one() > 0) {
        }
        return lines_.empty() ? "" : lines_.back();
    }

    boost::asio::io_context io_;
    std::vector<std::string> lines_;
    std::function<void()> on_line_;
    std::optional<Exit> exit_;
};

TEST_F(ChildTest, LinesOfBothOutputsComeInOrderThenTheExit) {
    run("echo one; echo two >&2; echo three; printf last; exit 3");
    EXPECT_THAT(lines_, ElementsAre("one", "two", "three", "last"));
    EXPECT_EQ(exit_, (Exit{false, 3}));
}

TEST_F(ChildTest, ASignalIsNotAnExitStatus) {
    run("kill -TERM $$");
    EXPECT_EQ(exit_, (Exit{true, SIGTERM}));
    EXPECT_EQ(to_text(*exit_), "was killed by signal 15 (Terminated)");
    EXPECT_EQ(to_text(Exit{false, 3}), "exited with status 3");
}

TEST_F(ChildTest, EverythingThatWasWrittenIsReadAlsoWhenItIsMuch) {
    run("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done");
    ASSERT_EQ(lines_.size(), 20000u);
    EXPECT_EQ(lines_.back(), "line 19999");
}

TEST_F(ChildTest, ArgumentsAreNotReadByAShell) {
    const auto child = start({{"/bin/echo", "$HOME; *", "two  blanks"}, {}});
    io_.run();
    EXPECT_THAT(lines_, ElementsAre("$HOME; * two  blanks"));
}

TEST_F(ChildTest, ItFindsItsOwnSurroundings) {
    // A descriptor that everybody would inherit, a blocked and an ignored signal.
    const int leak = ::open("/dev/null", O_RDONLY);
    sigset_t usr1, before;
    ::sigemptyset(&usr1);
    ::sigaddset(&usr1, SIGUSR1);
    ::pthread_sigmask(SIG_BLOCK, &usr1, &before);
    ::signal(SIGPIPE, SIG_IGN);
    // The masks are read by the shell itself: it blocks signals while it starts somebody else.
    auto launch = shell(
        "echo $A; pwd; while read -r l; do case $l in Sig[BI][lg][kn]*) echo $l;; esac; done "
        "</proc/self/status; ls /proc/$$/fd; cut -d' ' -f5,6 /proc/$$/stat; echo $$; cat");
    launch.environment.emplace_back("A=b");
    launch.directory = "/usr";
    const auto child = start(launch);
    io_.run();
    ::signal(SIGPIPE, SIG_DFL);
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    ::close(leak);
    const auto pid = std::to_string(child->pid());
    EXPECT_THAT(lines_,
                ElementsAre("b", "/usr", "SigBlk: 0000000000000000", "SigIgn: 0000000000000000",
                            "0", "1", "2", pid + " " + pid, pid));
    EXPECT_EQ(exit_, (Exit{false, 0})) << "stdin is empty";
}

TEST_F(ChildTest, WhatCannotBeExecutedIsSaidAtOnce) {
    const auto child = Child::start(io_, {{"/etc/passwd"}, {}}, {});
    ASSERT_FALSE(child.ok());
    EXPECT_EQ(child.error().code, Errc::invalid);
    EXPECT_EQ(child.error().message, "cannot execute /etc/passwd: Permission denied");
    EXPECT_FALSE(Child::start(io_, {}, {}).ok());
}

TEST_F(ChildTest, StopAsksFirst) {
    const auto child =
        start(shell("trap 'echo asked; exit 7' TERM; echo up; while :; do sleep 0.01; done"));
    ASSERT_EQ(line(), "up");
    child->stop(SIGTERM, 60s);
    io_.run();
    EXPECT_EQ(lines_.back(), "asked");
    EXPECT_EQ(exit_, (Exit{false, 7}));
    EXPECT_FALSE(child->is_running());
}

TEST_F(ChildTest, WhoDoesNotHearIsKilledAfterATime) {
    const auto child = start(shell("trap '' TERM; echo up; while :; do sleep 0.01; done"));
    ASSERT_EQ(line(), "up");
    child->stop(SIGTERM, 50ms);
    io_.run();
    EXPECT_EQ(exit_, (Exit{true, SIGKILL}));
}

TEST_F(ChildTest, WhatIsLeftOfItsGroupGoesWithIt) {
    run("sleep 1000 & echo $!; exit 0");
    ASSERT_EQ(lines_.size(), 1u);
    const pid_t orphan = std::stoi(lines_.front());
    EXPECT_TRUE(becomes_true([&] { return !lives(orphan); }));
}

TEST_F(ChildTest, DestroyedBeforeTheEndItLeavesNothing) {
    pid_t pid = 0;
    {
        boost::asio::io_context io;
        const auto child = Child::start(io, shell("sleep 1000"), {});
        ASSERT_TRUE(child.ok());
        pid = (*child)->pid();
        EXPECT_TRUE(lives(pid));
    }
    EXPECT_NE(::kill(pid, 0), 0) << "reaped: not even a zombie";
}

TEST_F(ChildTest, LeavesNoDescriptorAndNoZombie) {
    const auto descriptors = [] {
        return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {});
    };
    run("echo");
    const auto before = descriptors();
    for (int i = 0; i < 20; ++i) run("echo");
    EXPECT_EQ(descriptors(), before);
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
    EXPECT_EQ(errno, ECHILD);
}

/// The one promise that nothing in this program can keep: it is dead.
TEST_F(ChildTest, KillMinusNineOfThisProgramKillsIt) {
    std::array<int, 2> ends{};
    ASSERT_EQ(::pipe(ends.data()), 0);
    const pid_t instance = ::fork();
    if (instance == 0) {
        auto spawned = spawn(shell("sleep 1000; sleep 1000"));
        const pid_t pid = spawned.ok() ? spawned->pid : -1;
        (void)!::write(ends[1], &pid, sizeof pid);
        for (;;) ::pause();
    }
    pid_t child = -1;
    ASSERT_EQ(::read(ends[0], &child, sizeof child), static_cast<ssize_t>(sizeof child));
    ASSERT_GT(child, 0);
    EXPECT_TRUE(lives(child));
    ::kill(instance, SIGKILL);
    ::waitpid(instance, nullptr, 0);
    EXPECT_TRUE(becomes_true([&] { return !lives(child); }));
    ::close(ends[0]);
    ::close(ends[1]);
}

TEST(FindProgram, LooksOnThePath) {
    EXPECT_EQ(find_program("sh", "/nonexistent::relative:/bin").value(), "/bin/sh");
    EXPECT_EQ(find_program("/bin/sh", "").value(), "/bin/sh");
    EXPECT_THAT(find_program("no-such-thing", "/bin:/usr/bin").error().message,
                HasSubstr("no program \"no-such-thing\""));
    EXPECT_FALSE(find_program("/etc/passwd", "").ok()) << "not executable";
    EXPECT_FALSE(find_program("/etc", "").ok()) << "a directory";
}

}  // namespace
}  // namespace umbra::process
