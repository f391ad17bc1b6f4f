#include <umbra/base/log.hpp>

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

namespace umbra::base {
namespace {

using namespace std::chrono_literals;

class LogTest : public ::testing::Test {
protected:
    void SetUp() override { testing::internal::CaptureStderr(); }
    void TearDown() override { log_configure(LogLevel::info, LogFormat::text); }
    static std::string lines() { return testing::internal::GetCapturedStderr(); }
};

TEST_F(LogTest, TextLineHasTimeLevelRoomAndText) {
    info("instance", "role {} -> {}, epoch {}", "shadow", "master", 4);
    const std::string line = lines();
    EXPECT_TRUE(std::regex_match(
        line, std::regex(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z info  \[instance\] )"
                         R"(role shadow -> master, epoch 4\n)")))
        << line;
}

TEST_F(LogTest, JsonLineReadsBackWhateverTheTextHolds) {
    log_configure(LogLevel::info, LogFormat::json);
    const std::string nasty = "a \"quote\", a \\ and a \t, \x01, \x7f, \n and ü";
    warn("ho\"st", "{}", nasty);
    const std::string line = lines();
    EXPECT_EQ(line.find('\n'), line.size() - 1) << "one event, one line";
    const auto value = boost::json::parse(line).as_object();
    EXPECT_EQ(value.at("level").as_string(), "warn");
    EXPECT_EQ(value.at("room").as_string(), "ho\"st");
    EXPECT_EQ(value.at("text").as_string(), boost::json::string{nasty});
}

TEST_F(LogTest, TextOfAStrangerCannotForgeASecondLineOrDriveTheTerminal) {
    info("host", "peer calls itself {}", "x\n2026 error [core] all is lost\x1b[2J");
    const std::string line = lines();
    EXPECT_EQ(line.find('\n'), line.size() - 1);
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
    EXPECT_NE(line.find("x\\n2026 error"), std::string::npos) << line;
}

TEST_F(LogTest, LevelsBelowTheThresholdAreSilent) {
    log_configure(LogLevel::warn, LogFormat::text);
    trace("a", "1");
    debug("a", "2");
    info("a", "3");
    EXPECT_FALSE(log_enabled(LogLevel::info));
    EXPECT_TRUE(log_enabled(LogLevel::warn));
    warn("a", "4");
    error("a", "5");
    const std::string text = lines();
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
    EXPECT_NE(text.find("] 4\n"), std::string::npos);
    EXPECT_NE(text.find("] 5\n"), std::string::npos);
}

TEST_F(LogTest, OverlongTextIsCutAndSaysSo) {
    info("a", "{}", std::string(8192, 'x'));
    info("a", "{}", std::string(8193, 'y'));
    const std::string text = lines();
    EXPECT_NE(text.find("x\n"), std::string::npos) << "at the limit it is whole";
    EXPECT_NE(text.find("y [cut]\n"), std::string::npos);
    EXPECT_EQ(std::count(text.begin(), text.end(), 'y'), 8192);
}

TEST(LogNamesTest, LevelsAndFormatsReadBackAndOthersDoNot) {
    for (const char* name : {"trace", "debug", "info", "warn", "error"}) {
        const auto level = log_level_of(name);
        ASSERT_TRUE(level) << name;
        EXPECT_EQ(to_string(*level), name);
    }
    EXPECT_FALSE(log_level_of("warning"));
    EXPECT_EQ(log_format_of("json"), LogFormat::json);
    EXPECT_FALSE(log_format_of("JSON"));
}

TEST(RateLimitTest, FirstPassesThenOncePerIntervalWithACountOfTheOthers) {
    RateLimit limit{1s};
    const Instant start{5s};
    EXPECT_EQ(limit.pass(start), 0u);
    EXPECT_EQ(limit.pass(start + 1ms), std::nullopt);
    EXPECT_EQ(limit.pass(start + 999ms), std::nullopt);
    EXPECT_EQ(limit.pass(start + 1s), 2u);
    EXPECT_EQ(limit.pass(start + 2s), 0u);
}

}  // namespace
}  // namespace umbra::base
