#include <umbra/tcp_probe/attempt.hpp>

#include <gtest/gtest.h>

#include <fstream>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <set>
#include <string>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace umbra::tcp_probe {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{1s};

TEST(OneLine, IsCutToTheLimitAndHasNoControlCharacters) {
    EXPECT_EQ(one_line("a\nb\tc"), "a b c");
    EXPECT_EQ(one_line(std::string(detail_max, 'x')), std::string(detail_max, 'x'));
    const auto cut = one_line(std::string(detail_max + 1, 'x'));
    EXPECT_EQ(cut.size(), detail_max);
    EXPECT_TRUE(cut.ends_with("x..."));
}

TEST(Attempt, WithoutTimeOrAddressesIsDown) {
    for (const auto deadline : {start, start - 1s}) {
        Attempt attempt{numeric_addresses({"127.0.0.1", "1"}), deadline, 1s};
        const auto verdict = attempt.advance(start);
        ASSERT_TRUE(verdict && verdict->ok());
        EXPECT_EQ((*verdict)->health, Health::down);
        EXPECT_EQ((*verdict)->latency, 0ns);
        EXPECT_FALSE((*verdict)->detail.empty());
    }
    Attempt nowhere{{}, start + 1s, 1s};
    EXPECT_EQ(nowhere.advance(start)->value().health, Health::down);
}

/// Gives this thread a network of its own, where sockets that dial get one of two ports.
bool enter_network_with_ports(int first) {
    if (::unshare(CLONE_NEWNET) != 0) return false;
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ifreq loopback{};
    loopback.ifr_name[0] = 'l';
    loopback.ifr_name[1] = 'o';
    loopback.ifr_flags = IFF_UP;
    const bool up = ::ioctl(fd, SIOCSIFFLAGS, &loopback) == 0;
    ::close(fd);
    std::ofstream range{"/proc/sys/net/ipv4/ip_local_port_range"};
    range << first << " " << first + 1 << std::endl;
    return up && range.good();
}

TEST(Attempt, ConnectionToItselfIsARefusal) {
    constexpr int port = 40'000;
    bool entered = false;
    int answered = 0;
    std::set<std::string> details;
    std::thread{[&] {
        entered = enter_network_with_ports(port);
        for (int i = 0; entered && i < 100; ++i) {
            // Nobody listens on either port. The dialling socket gets the one it dials, or the
            // other.
            for (const auto* number : {"40000", "40001"}) {
                Attempt attempt{numeric_addresses({"127.0.0.1", number}), start + 1s, 1s};
                auto verdict = attempt.advance(start);
                if (!verdict) {
                    pollfd ready{attempt.fd(), POLLOUT, 0};
                    (void)::poll(&ready, 1, 1000);
                    verdict = attempt.advance(start);
                }
                if (!verdict || !verdict->ok()) continue;
                ++answered;
                details.insert((*verdict)->detail);
            }
        }
    }}.join();
    if (!entered) GTEST_SKIP() << "may not make a network namespace";
    EXPECT_GT(answered, 100);
    EXPECT_EQ(details, (std::set<std::string>{"connection refused by 127.0.0.1:40000",
                                              "connection refused by 127.0.0.1:40001"}));
}

}  // namespace
}  // namespace umbra::tcp_probe
