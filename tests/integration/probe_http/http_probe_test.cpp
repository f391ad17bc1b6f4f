#include "integration/plugin/probe_driver.hpp"
#include "integration/plugin/sockets.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <filesystem>
#include <mutex>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace umbra::plugin_test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::StartsWith;

using Words = std::vector<std::string>;

std::int64_t monotonic_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

/// Says the same to everybody, and remembers what it was asked.
class Server {
public:
    /// @param closes  Ends the connection afterwards; else it stays open and silent.
    explicit Server(std::string answer, bool closes = true)
        : answer_(std::move(answer)), closes_(closes), thread_([this] { serve(); }) {}
    ~Server() {
        stopping_ = true;
        thread_.join();
    }
    [[nodiscard]] std::string url(const std::string& path = "/") const {
        return "http://127.0.0.1:" + std::to_string(listener_.port()) + path;
    }
    [[nodiscard]] std::string asked() const {
        const std::lock_guard lock{mutex_};
        return asked_;
    }

private:
    void serve() {
        std::vector<int> kept;
        while (!stopping_) {
            pollfd ready{listener_.fd(), POLLIN, 0};
            if (::poll(&ready, 1, 20) <= 0) continue;
            const int fd = ::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
            std::string request;
            std::array<char, 4096> bytes{};
            while (request.find("\r\n\r\n") == std::string::npos) {
                const auto got = ::recv(fd, bytes.data(), bytes.size(), 0);
                if (got <= 0) break;
                request.append(bytes.data(), static_cast<std::size_t>(got));
            }
            {
                const std::lock_guard lock{mutex_};
                asked_ = request;
            }
            (void)!::send(fd, answer_.data(), answer_.size(), MSG_NOSIGNAL);
            if (closes_) {
                ::close(fd);
            } else {
                kept.push_back(fd);
            }
        }
        for (const int fd : kept) ::close(fd);
    }

    const std::string answer_;
    const bool closes_;
    Listener listener_;
    mutable std::mutex mutex_;
    std::string asked_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

/// A real TLS server with a certificate of its own for localhost.
class TlsServer {
public:
    TlsServer() {
        const auto made =
            "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
            "-addext subjectAltName=DNS:localhost -keyout " +
            key() + " -out " + certificate() + " 2>/dev/null";
        if (std::system(made.c_str()) != 0) broken_interface("openssl makes no certificate");
        for (int i = 0; i < 20 && pid_ < 0; ++i) start();
        if (pid_ < 0) broken_interface("openssl s_server does not start");
    }
    ~TlsServer() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    [[nodiscard]] std::string url(const std::string& host) const {
        return "https://" + host + ":" + std::to_string(port_) + "/";
    }
    [[nodiscard]] std::string certificate() const { return directory_.path() + "/cert.pem"; }

private:
    [[nodiscard]] std::string key() const { return directory_.path() + "/key.pem"; }
    void start() {
        port_ = free_port();
        const auto address = "127.0.0.1:" + std::to_string(port_);
        const pid_t pid = ::fork();
        if (pid == 0) {
            const int null = ::open("/dev/null", O_RDWR);
            for (const int fd : {0, 1, 2}) ::dup2(null, fd);
            ::execlp("openssl", "openssl", "s_server", "-quiet", "-www", "-accept", address.c_str(),
                     "-key", key().c_str(), "-cert", certificate().c_str(), nullptr);
            ::_exit(127);
        }
        for (int i = 0; i < 2000; ++i) {
            if (Client{port_}.connected()) {
                pid_ = pid;
                return;
            }
            if (::waitpid(pid, nullptr, WNOHANG) == pid) return;
            std::this_thread::sleep_for(5ms);
        }
    }

    const TemporaryDirectory directory_;
    std::uint16_t port_ = 0;
    pid_t pid_ = -1;
};

OptionValues options(const std::string& url, Duration timeout = 30s) {
    return {{"url", url}, {"method", "GET"}, {"expect", "200-299"}, {"timeout", timeout.count()}};
}

ProbeResult result_of(const OptionValues& values) {
    ProbeUnderTest probe{values};
    EXPECT_NE(probe.instance().self(), nullptr) << probe.instance().why().message;
    if (probe.instance().self() == nullptr) return {};
    const auto result = probe.check();
    EXPECT_TRUE(result.ok()) << result.error().message;
    return result.ok() ? *result : ProbeResult{};
}

const std::string ok_answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

TEST(HttpProbe, AsksAndIsHealthy) {
    const Server server{ok_answer};
    auto values = options(server.url("/health?deep=1"));
    values["headers"] = Words{"Authorization: Bearer token"};
    const auto result = result_of(values);
    EXPECT_EQ(result.health, Health::healthy);
    EXPECT_EQ(result.detail, "status 200 OK");
    EXPECT_GT(result.latency, Duration::zero());
    EXPECT_THAT(server.asked(), StartsWith("GET /health?deep=1 HTTP/1.1\r\n"));
    EXPECT_THAT(server.asked(), HasSubstr("\r\nAuthorization: Bearer token\r\n"));
    EXPECT_THAT(server.asked(), HasSubstr("\r\nHost: 127.0.0.1:"));
}

TEST(HttpProbe, HeadNeedsNoBody) {
    const Server server{"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"};
    auto values = options(server.url());
    values["method"] = "HEAD";
    EXPECT_EQ(result_of(values).health, Health::healthy);
    EXPECT_THAT(server.asked(), StartsWith("HEAD / HTTP/1.1\r\n"));
}

TEST(HttpProbe, TheStatusAloneNeedsNoWholeBody) {
    const Server server{"HTTP/1.1 200 OK\r\nContent-Length: 50000000000\r\n\r\nhello", false};
    EXPECT_EQ(result_of(options(server.url())).health, Health::healthy);
}

TEST(HttpProbe, AnErrorOfTheTargetIsDown) {
    const Server server{"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"};
    const auto result = result_of(options(server.url()));
    EXPECT_EQ(result.health, Health::down);
    EXPECT_EQ(result.detail, "status 503 Service Unavailable, expected 200-299");
}

TEST(HttpProbe, NoRedirectIsFollowed) {
    const Server server{"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n"};
    EXPECT_EQ(result_of(options(server.url())).detail, "status 302 Found, expected 200-299");
}

TEST(HttpProbe, LooksIntoTheAnswer) {
    const Server server{ok_answer};
    auto values = options(server.url());
    values["contains"] = "ell";
    EXPECT_EQ(result_of(values).health, Health::healthy);
    values["contains"] = "ready";
    EXPECT_EQ(result_of(values).detail, "status 200 OK, but the answer does not contain \"ready\"");
}

TEST(HttpProbe, AnAnswerOfTheLimitIsReadAndOneByteMoreIsNot) {
    const auto answer = [](std::size_t size) {
        return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
               std::string(size - 3, '.') + "end";
    };
    constexpr std::size_t mib = std::size_t{1} << 20;
    const Server fits{answer(mib)};
    auto values = options(fits.url());
    values["contains"] = "end";
    EXPECT_EQ(result_of(values).health, Health::healthy);
    const Server longer{answer(mib + 1)};
    values["url"] = longer.url();
    EXPECT_THAT(result_of(values).detail, HasSubstr("the first MiB of the answer does not"));
}

TEST(HttpProbe, WhatIsNoHttpIsDown) {
    const Server noise{"SSH-2.0-OpenSSH_9.2\r\n\r\n"};
    EXPECT_THAT(result_of(options(noise.url())).detail, HasSubstr("no whole answer"));
    const Server nothing{""};
    EXPECT_EQ(result_of(options(nothing.url())).detail,
              "the server ended the connection without an answer");
}

TEST(HttpProbe, NobodyThereIsDown) {
    const auto port = std::to_string(free_port());
    const auto result = result_of(options("http://127.0.0.1:" + port + "/"));
    EXPECT_EQ(result.health, Health::down);
    EXPECT_EQ(result.detail, "connection refused by 127.0.0.1 port " + port);
    EXPECT_THAT(result_of(options("http://no-such-host.invalid/")).detail,
                HasSubstr("cannot resolve \"no-such-host.invalid\""));
}

TEST(HttpProbe, ASilentServerIsDownInTime) {
    const Server server{"HTTP/1.1 200 OK\r\n", false};
    const auto result = result_of(options(server.url(), 200ms));
    EXPECT_EQ(result.health, Health::down);
    EXPECT_THAT(result.detail, HasSubstr(" within 200ms"));
    ProbeUnderTest probe{options(server.url())};
    const auto deadline = monotonic_ns() + Duration{1s}.count();
    EXPECT_TRUE(probe.start(deadline).get().ok());
    EXPECT_LT(monotonic_ns(), deadline) << "before the deadline of the host";
}

TEST(HttpProbe, StopAnswersWhatIsInFlight) {
    const Server server{"", false};
    ProbeUnderTest probe{options(server.url())};
    const auto open = probe.start();
    EXPECT_TRUE(probe.stop().get().ok());
    ASSERT_TRUE(open.ready());
    EXPECT_EQ(open.get().error().code, Errc::closed);
}

TEST(HttpProbe, SixtyFourChecksRunAtOnceAndOneMoreIsRefused) {
    const Listener silent;
    ProbeUnderTest probe{options("http://127.0.0.1:" + std::to_string(silent.port()) + "/", 1s)};
    std::vector<Pending<ProbeResult>> open;
    for (int i = 0; i < 64; ++i) open.push_back(probe.start());
    EXPECT_EQ(probe.check().error().code, Errc::exhausted);
    for (const auto& pending : open) EXPECT_TRUE(pending.get().ok());
    EXPECT_TRUE(probe.check().ok()) << "there is room again";
}

TEST(HttpProbe, ACertificateIsVerifiedAgainstTheAuthorityAndTheName) {
    const TlsServer server;
    auto values = options(server.url("localhost"));
    values["ca_file"] = server.certificate();
    EXPECT_EQ(result_of(values).health, Health::healthy);
    values["url"] = server.url("127.0.0.1");
    EXPECT_THAT(result_of(values).detail, HasSubstr("the certificate of 127.0.0.1"));
    values = options(server.url("localhost"));
    const auto unknown = result_of(values);
    EXPECT_EQ(unknown.health, Health::down);
    EXPECT_THAT(unknown.detail, HasSubstr("the certificate of localhost is not accepted: "));
}

TEST(HttpProbe, OptionsThatCannotWorkAreRefusedAtCreation) {
    const auto why = [](const std::string& key, const OptionValue& value) {
        auto values = options("http://127.0.0.1/");
        values[key] = value;
        if (key == "contains") values["method"] = "HEAD";
        return ProbeUnderTest{values}.instance().why().message;
    };
    EXPECT_THAT(why("url", "tcp://127.0.0.1:1"), HasSubstr("is no URL to probe"));
    EXPECT_THAT(why("expect", "ok"), HasSubstr("is no list of status codes"));
    EXPECT_THAT(why("headers", Words{"token"}), HasSubstr("is not \"Name: value\""));
    EXPECT_THAT(why("contains", "x"), HasSubstr("an answer to HEAD has no body"));
    EXPECT_THAT(why("ca_file", "/nonexistent.pem"),
                HasSubstr("cannot read authorities from /nonexistent.pem"));
}

TEST(HttpProbe, LeavesNoDescriptorAndNoThreadBehind) {
    const Server server{ok_answer};
    const auto count = [](const char* what) {
        return std::distance(std::filesystem::directory_iterator{what}, {});
    };
    (void)result_of(options(server.url()));
    const auto descriptors = count("/proc/self/fd");
    const auto threads = count("/proc/self/task");
    for (int i = 0; i < 5; ++i) (void)result_of(options(server.url()));
    EXPECT_EQ(count("/proc/self/fd"), descriptors);
    EXPECT_EQ(count("/proc/self/task"), threads);
}

}  // namespace
}  // namespace umbra::plugin_test
