#include <umbra/tcp_probe/attempt.hpp>

#include <gtest/gtest.h>

#include <netinet/in.h>
#include <sys/socket.h>
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

/// A port of the ephemeral range meets itself when the system gives it to the dialling socket.
TEST(Attempt, ConnectionToItselfIsARefusal) {
    auto addresses = numeric_addresses({"127.0.0.1", "1"});
    ASSERT_EQ(addresses.size(), 1u);
    int met_itself = 0;
    // Some 28,000 ports are open to chance; every other one of them is tried.
    for (int port = 32'768; port < 60'999; port += 2) {
        reinterpret_cast<sockaddr_in&>(addresses[0].raw).sin_port =
            htons(static_cast<std::uint16_t>(port));
        Attempt attempt{addresses, start + 1s, 1s};
        const auto verdict = attempt.advance(start);
        if (!verdict || !verdict->ok() || (*verdict)->health != Health::healthy) continue;
        // Somebody else may really listen there; then a second look agrees.
        Attempt again{addresses, start + 1s, 1s};
        const auto second = again.advance(start);
        if (!second || !second->ok() || (*second)->health != Health::healthy) ++met_itself;
    }
    EXPECT_EQ(met_itself, 0);
}

}  // namespace
}  // namespace umbra::tcp_probe
