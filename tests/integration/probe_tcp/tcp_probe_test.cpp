#include "integration/plugin/driver.hpp"
#include <umbra/sdk/probe.hpp>

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

namespace umbra::plugin_test {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

/// A TCP port on loopback. Not listening, it is reserved and refuses.
class Port {
public:
    explicit Port(bool listens, int backlog = 128, int family = AF_INET) {
        fd_ = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_storage raw{};
        socklen_t size = 0;
        if (family == AF_INET) {
            auto& address = reinterpret_cast<sockaddr_in&>(raw);
            address.sin_family = AF_INET;
            address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            size = sizeof address;
        } else {
            auto& address = reinterpret_cast<sockaddr_in6&>(raw);
            address.sin6_family = AF_INET6;
            address.sin6_addr = in6addr_loopback;
            size = sizeof address;
        }
        usable_ = fd_ >= 0 && ::bind(fd_, reinterpret_cast<sockaddr*>(&raw), size) == 0 &&
                  (!listens || ::listen(fd_, backlog) == 0) &&
                  ::getsockname(fd_, reinterpret_cast<sockaddr*>(&raw), &size) == 0;
        number_ = ntohs(reinterpret_cast<sockaddr_in&>(raw).sin_port);  // same place in both
    }
    ~Port() { ::close(fd_); }
    Port(const Port&) = delete;
    Port& operator=(const Port&) = delete;

    [[nodiscard]] bool usable() const { return usable_; }
    [[nodiscard]] std::string at(const std::string& host) const {
        return host + ":" + std::to_string(number_);
    }

private:
    int fd_ = -1;
    bool usable_ = false;
    int number_ = 0;
};

std::int64_t monotonic_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

class Probe {
public:
    explicit Probe(const std::string& address, Duration timeout = 2s)
        : instance_(file(), "/nonexistent", {{"address", address}, {"timeout", timeout.count()}}) {}

    [[nodiscard]] const PluginInstance& instance() const { return instance_; }
    void set_timeout(const std::string& address, Duration timeout) {
        const umbra_str text{address.data(), address.size()};
        umbra_value values[2]{};
        values[0] = {UMBRA_OPT_ENDPOINT, 1, 0, 0, text, nullptr, 0};
        values[1] = {UMBRA_OPT_DURATION, 1, timeout.count(), 0, {}, nullptr, 0};
        Pending<Done> pending{[](const void*) { return Done{}; }};
        file().plugin().life->change_options(instance_.self(), values, 2, pending.op());
        EXPECT_TRUE(pending.get().ok());
    }
    [[nodiscard]] Pending<ProbeResult> start(std::int64_t deadline_ns = 0) {
        Pending<ProbeResult> pending{
            [](const void* result) {
                return detail::decode(*static_cast<const umbra_probe_result*>(result));
            },
            deadline_ns};
        static_cast<const umbra_probe_api*>(file().plugin().api)
            ->check(instance_.self(), pending.op());
        return pending;
    }
    [[nodiscard]] ProbeResult check() {
        const auto result = start().get();
        EXPECT_TRUE(result.ok()) << result.error().message;
        return result.ok() ? result.value() : ProbeResult{};
    }
    [[nodiscard]] Pending<Done> stop() { return instance_.stop(); }

    static const PluginFile& file() {
        static const PluginFile file{UMBRA_TEST_PLUGIN, UMBRA_KIND_PROBE};
        return file;
    }

private:
    PluginInstance instance_;
};

/// A listener whose queue is full, so that it neither accepts nor refuses.
class SilentPort {
public:
    SilentPort() {
        // One connection more than the queue takes; the rest of the dials hang.
        for (int i = 0; i < 4; ++i) {
            const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
            sockaddr_in address{};
            address.sin_family = AF_INET;
            address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(port_.at("").substr(1))));
            (void)::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address);
            dials_.push_back(fd);
        }
    }
    ~SilentPort() {
        for (const int fd : dials_) ::close(fd);
    }
    [[nodiscard]] std::string address() const { return port_.at("127.0.0.1"); }

private:
    Port port_{true, 0};
    std::vector<int> dials_;
};

TEST(TcpProbe, HealthyWhileThePortAccepts) {
    const Port port{true};
    Probe probe{port.at("127.0.0.1")};
    const auto result = probe.check();
    EXPECT_EQ(result.health, Health::healthy);
    EXPECT_EQ(result.detail, "connected to " + port.at("127.0.0.1"));
    EXPECT_GT(result.latency, 0ns);
    EXPECT_LT(result.latency, 2s);
}

TEST(TcpProbe, DownWithTheReasonWhenRefused) {
    const Port port{false};
    Probe probe{port.at("127.0.0.1")};
    for (int i = 0; i < 3; ++i) {
        const auto result = probe.check();
        EXPECT_EQ(result.health, Health::down);
        EXPECT_EQ(result.detail, "connection refused by " + port.at("127.0.0.1"));
    }
}

TEST(TcpProbe, FollowsThePortUpAndDown) {
    std::optional<Port> port{std::in_place, true};
    Probe probe{port->at("127.0.0.1")};
    EXPECT_EQ(probe.check().health, Health::healthy);
    port.reset();
    EXPECT_EQ(probe.check().health, Health::down);
}

TEST(TcpProbe, ResolvesNamesAndTriesEveryAddress) {
    const Port port{true};
    // Usually ::1 first, where nobody listens.
    Probe probe{port.at("localhost")};
    const auto result = probe.check();
    EXPECT_EQ(result.health, Health::healthy) << result.detail;
    EXPECT_EQ(result.detail, "connected to " + port.at("127.0.0.1"));
}

TEST(TcpProbe, ConnectsToIpv6) {
    const Port port{true, 16, AF_INET6};
    if (!port.usable()) GTEST_SKIP() << "no IPv6 here";
    Probe probe{port.at("[::1]")};
    EXPECT_EQ(probe.check().detail, "connected to " + port.at("[::1]"));
}

TEST(TcpProbe, UnknownNameIsDownAndSaysSo) {
    Probe probe{"no-such-host.invalid:80", 5s};
    const auto result = probe.check();
    EXPECT_EQ(result.health, Health::down);
    EXPECT_NE(result.detail.find("no-such-host.invalid"), std::string::npos) << result.detail;
}

TEST(TcpProbe, SilenceIsDownAtTheTimeoutAndNotBefore) {
    const SilentPort port;
    Probe probe{port.address(), 150ms};
    const auto began = monotonic_ns();
    const auto result = probe.check();
    const auto took = Duration{monotonic_ns() - began};
    EXPECT_EQ(result.health, Health::down);
    EXPECT_EQ(result.detail, "no answer from " + port.address() + " within 150ms");
    EXPECT_GE(took, 150ms);
    EXPECT_LT(took, 2s);
}

TEST(TcpProbe, AnotherTimeoutCountsForTheChecksThatBeginThen) {
    const SilentPort port;
    Probe probe{port.address(), 30s};
    probe.set_timeout(port.address(), 150ms);
    const auto result = probe.check();
    EXPECT_EQ(result.detail, "no answer from " + port.address() + " within 150ms");
}

TEST(TcpProbe, AnswersBeforeTheDeadlineOfTheHost) {
    const SilentPort port;
    Probe probe{port.address(), 60s};
    const auto deadline = monotonic_ns() + Duration{1s}.count();
    const auto result = probe.start(deadline).get();
    EXPECT_LT(monotonic_ns(), deadline);
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(result->health, Health::down);
}

TEST(TcpProbe, DeadlineThatHasPassedIsAnsweredAtOnce) {
    const Port port{true};
    Probe probe{port.at("127.0.0.1"), 60s};
    const auto result = probe.start(1).get();
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(result->health, Health::down);
    EXPECT_LT(result->latency, 1s);
}

TEST(TcpProbe, SixtyFourChecksRunAtOnceAndOneMoreIsRefused) {
    const SilentPort port;
    Probe probe{port.address(), 500ms};
    std::vector<Pending<ProbeResult>> open;
    for (int i = 0; i < 64; ++i) open.push_back(probe.start());
    const auto refused = probe.start().get();
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Errc::exhausted);
    for (const auto& pending : open) {
        const auto result = pending.get();
        ASSERT_TRUE(result.ok()) << result.error().message;
        EXPECT_EQ(result->health, Health::down);
    }
    const auto next = probe.start().get();
    EXPECT_TRUE(next.ok()) << "there is room again";
}

TEST(TcpProbe, StopAnswersWhatIsInFlightAndReturnsAtOnce) {
    const SilentPort port;
    Probe probe{port.address(), 60s};
    const auto first = probe.start();
    const auto second = probe.start();
    const auto began = monotonic_ns();
    EXPECT_TRUE(probe.stop().get().ok());
    EXPECT_LT(Duration{monotonic_ns() - began}, 5s);
    for (const auto& pending : {first, second}) {
        ASSERT_TRUE(pending.ready()) << "before stop() was answered";
        EXPECT_EQ(pending.get().error().code, Errc::closed);
    }
}

TEST(TcpProbe, LeavesNoDescriptorAndNoThreadBehind) {
    const Port up{true};
    const Port down{false};
    const auto count = [](const char* what) {
        return std::distance(fs::directory_iterator{what}, fs::directory_iterator{});
    };
    const auto round = [&] {
        for (const auto& address : {up.at("127.0.0.1"), down.at("127.0.0.1"), up.at("localhost")}) {
            Probe probe{address};
            for (int i = 0; i < 5; ++i) (void)probe.check();
        }
    };
    round();
    const auto descriptors = count("/proc/self/fd");
    const auto threads = count("/proc/self/task");
    for (int i = 0; i < 10; ++i) round();
    EXPECT_EQ(count("/proc/self/fd"), descriptors);
    EXPECT_EQ(count("/proc/self/task"), threads);
}

TEST(TcpProbe, OutOfDescriptorsIsAFailureOfTheProbeNotOfTheTarget) {
    const Port port{true};
    Probe probe{port.at("127.0.0.1")};
    rlimit was{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &was), 0);
    const rlimit none{0, was.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    const auto result = probe.start().get();
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &was), 0);
    ASSERT_FALSE(result.ok()) << result->detail;
    EXPECT_EQ(result.error().code, Errc::exhausted);
    EXPECT_EQ(probe.check().health, Health::healthy);
}

TEST(TcpProbe, AddressThatIsNoneIsRefusedAtCreation) {
    Probe probe{"127.0.0.1"};
    EXPECT_EQ(probe.instance().self(), nullptr);
    EXPECT_EQ(probe.instance().why().code, Errc::invalid);
    EXPECT_NE(probe.instance().why().message.find("\"127.0.0.1\""), std::string::npos);
}

}  // namespace
}  // namespace umbra::plugin_test
