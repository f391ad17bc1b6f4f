#include "attempt.hpp"
#include <umbra/threaded/checks.hpp>

#include <gtest/gtest.h>

namespace umbra::http_probe {
namespace {

using namespace std::chrono_literals;

Question question() {
    return {*parse_url("http://crm/"),
            false,
            *ExpectedStatus::parse("200-299"),
            "200-299",
            std::nullopt,
            std::nullopt,
            {}};
}

TEST(HttpJudge, AnExpectedStatusIsHealthy) {
    const auto result = judge(question(), {204, "No Content", "", false}, 5ms);
    EXPECT_EQ(result.health, Health::healthy);
    EXPECT_EQ(result.detail, "status 204 No Content");
    EXPECT_EQ(result.latency, Duration{5ms});
}

TEST(HttpJudge, AnotherStatusIsDown) {
    const auto result = judge(question(), {503, "Service Unavailable", "", false}, {});
    EXPECT_EQ(result.health, Health::down);
    EXPECT_EQ(result.detail, "status 503 Service Unavailable, expected 200-299");
}

TEST(HttpJudge, TheTextHasToBeThere) {
    auto asked = question();
    asked.contains = "\"ok\"";
    EXPECT_EQ(judge(asked, {200, "OK", R"({"state":"ok"})", false}, {}).health, Health::healthy);
    const auto result = judge(asked, {200, "OK", "{}", false}, {});
    EXPECT_EQ(result.health, Health::down);
    EXPECT_EQ(result.detail, "status 200 OK, but the answer does not contain \"\"ok\"\"");
    EXPECT_EQ(judge(asked, {200, "", "{}", true}, {}).detail,
              "status 200, but the first MiB of the answer does not contain \"\"ok\"\"");
}

TEST(HttpJudge, ASlowAnswerIsDegraded) {
    auto asked = question();
    asked.degraded_after = 100ms;
    EXPECT_EQ(judge(asked, {200, "OK", "", false}, 100ms).health, Health::healthy);
    const auto result = judge(asked, {200, "OK", "", false}, 101ms);
    EXPECT_EQ(result.health, Health::degraded);
    EXPECT_EQ(result.detail, "status 200 OK after 101ms, more than 100ms");
    EXPECT_EQ(judge(asked, {500, "", "", false}, 101ms).health, Health::down);
}

TEST(HttpJudge, TheDetailIsOneShortLine) {
    const auto detail =
        judge(question(), {200, std::string(1000, 'x') + "\n", "", false}, {}).detail;
    EXPECT_EQ(detail.size(), threaded::detail_max);
}

}  // namespace
}  // namespace umbra::http_probe
