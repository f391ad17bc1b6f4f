#include "unit/base/temp_directory.hpp"
#include <umbra/base/notify.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <stdlib.h>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace umbra::base {
namespace {

/// A service manager's end of $NOTIFY_SOCKET.
class Manager {
public:
    explicit Manager(const std::string& name) : fd_(::socket(AF_UNIX, SOCK_DGRAM, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, name.data(), name.size());
        if (name[0] == '@') address.sun_path[0] = '\0';
        const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
        EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
        ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
    }
    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;
    ~Manager() {
        ::unsetenv("NOTIFY_SOCKET");
        ::close(fd_);
    }
    std::string heard() const {
        char buffer[256];
        const ssize_t n = ::recv(fd_, buffer, sizeof buffer, MSG_DONTWAIT);
        return n < 0 ? "(nothing)" : std::string(buffer, static_cast<std::size_t>(n));
    }

private:
    int fd_;
};

TEST(NotifyTest, PathHearsEveryMessage) {
    const test::TempDirectory dir;
    const Manager manager{(dir / "notify").string()};
    ASSERT_TRUE(notify("READY=1\nSTATUS=master"));
    EXPECT_EQ(manager.heard(), "READY=1\nSTATUS=master");
    ASSERT_TRUE(notify("STOPPING=1"));
    EXPECT_EQ(manager.heard(), "STOPPING=1");
}

TEST(NotifyTest, AbstractNameHearsIt) {
    const Manager manager{"@umbra-notify-test-" + std::to_string(::getpid())};
    ASSERT_TRUE(notify("READY=1"));
    EXPECT_EQ(manager.heard(), "READY=1");
}

TEST(NotifyTest, WithoutAManagerItIsSilentlyDone) {
    ::unsetenv("NOTIFY_SOCKET");
    EXPECT_TRUE(notify("READY=1"));
}

TEST(NotifyTest, ManagerThatIsGoneOrNonsenseIsAnErrorNotAHang) {
    ::setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1);
    EXPECT_EQ(notify("READY=1").error().code, Errc::unavailable);
    ::setenv("NOTIFY_SOCKET", "relative", 1);
    EXPECT_EQ(notify("READY=1").error().code, Errc::invalid);
    ::setenv("NOTIFY_SOCKET", ("/" + std::string(107, 'x')).c_str(), 1);
    EXPECT_EQ(notify("READY=1").error().code, Errc::invalid);
    ::unsetenv("NOTIFY_SOCKET");
}

TEST(NotifyTest, ManagerThatDoesNotReadNeverBlocksUs) {
    const test::TempDirectory dir;
    const Manager manager{(dir / "notify").string()};
    bool full = false;
    for (int i = 0; i < 10000 && !full; ++i) full = !notify("WATCHDOG=1").ok();
    EXPECT_TRUE(full) << "the queue of a datagram socket is finite";
}

TEST(NotifyTest, WatchdogIsHalfTheIntervalAndOnlyForThisProcess) {
    ::unsetenv("WATCHDOG_PID");
    ::unsetenv("WATCHDOG_USEC");
    EXPECT_FALSE(watchdog_interval());
    ::setenv("WATCHDOG_USEC", "3000000", 1);
    EXPECT_EQ(watchdog_interval(), std::chrono::milliseconds{1500});
    ::setenv("WATCHDOG_PID", "1", 1);
    EXPECT_FALSE(watchdog_interval());
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);
    EXPECT_TRUE(watchdog_interval());
    ::setenv("WATCHDOG_USEC", "soon", 1);
    EXPECT_FALSE(watchdog_interval());
    ::unsetenv("WATCHDOG_PID");
    ::unsetenv("WATCHDOG_USEC");
}

}  // namespace
}  // namespace umbra::base
