#include "probe.hpp"

#include <gtest/gtest.h>

#include <netinet/in.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace umbra::zeromq {
namespace {

using Outcome = RefusalProbe::Outcome;

/// A port of this machine that listens until it is closed.
class Port {
public:
    Port() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
        EXPECT_EQ(::listen(fd_, 16), 0);
        EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
        number = ntohs(address.sin_port);
    }
    ~Port() { close(); }
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;
    void close() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }
    std::uint16_t number = 0;

private:
    int fd_;
};

/// Advances the probe until something comes out, for real time.
Outcome next(RefusalProbe& probe) {
    const auto give_up = Clock::now() + std::chrono::seconds{20};
    while (Clock::now() < give_up) {
        if (const auto outcome = probe.step(Clock::now()); outcome != Outcome::none) return outcome;
        std::this_thread::yield();
    }
    return Outcome::none;
}

TEST(RefusalProbeTest, ToldRefusedOnlyWhileNobodyListens) {
    Port port;
    RefusalProbe probe{[] {}};
    EXPECT_EQ(probe.step(Clock::now()), Outcome::none);
    probe.start({"127.0.0.1", port.number, false}, std::nullopt, Clock::now());
    EXPECT_EQ(next(probe), Outcome::not_refused);
    EXPECT_EQ(next(probe), Outcome::not_refused);
    port.close();
    EXPECT_EQ(next(probe), Outcome::refused);
    EXPECT_EQ(next(probe), Outcome::refused);
    probe.stop();
    EXPECT_EQ(probe.step(Clock::now() + std::chrono::hours{1}), Outcome::none);
}

TEST(RefusalProbeTest, ARefusalIsKnownInTheVeryFirstStep) {
    Port port;
    port.close();
    RefusalProbe probe{[] {}};
    const auto now = Clock::now();
    probe.start({"127.0.0.1", port.number, false}, std::nullopt, now);
    EXPECT_EQ(probe.step(now), Outcome::refused);
}

TEST(RefusalProbeTest, BacksOffToABound) {
    Port port;
    port.close();
    RefusalProbe probe{[] {}};
    auto now = Clock::now();
    probe.start({"127.0.0.1", port.number, false}, std::nullopt, now);
    int tries = 0;
    for (const auto end = now + std::chrono::seconds{60}; now < end; now += Millis{1})
        tries += probe.step(now) == Outcome::refused ? 1 : 0;
    EXPECT_GE(tries, 60);
    EXPECT_LE(tries, 75);
}

TEST(RefusalProbeTest, ANameIsLookedUpWithoutWaitingAndOneThatIsUnknownProvesNothing) {
    Port port;
    port.close();
    std::atomic<int> woken{0};
    RefusalProbe probe{[&] { ++woken; }};
    probe.start({"localhost", port.number, false}, std::nullopt, Clock::now());
    EXPECT_EQ(next(probe), Outcome::refused);
    EXPECT_EQ(woken, 1);
    RefusalProbe lost{[&] { ++woken; }};
    lost.start({"does-not-exist.invalid", 1, false}, std::nullopt, Clock::now());
    const auto give_up = Clock::now() + std::chrono::seconds{20};
    while (woken < 2 && Clock::now() < give_up) EXPECT_EQ(lost.step(Clock::now()), Outcome::none);
    EXPECT_EQ(lost.step(Clock::now()), Outcome::none);
}

}  // namespace
}  // namespace umbra::zeromq
