#include "integration/host/support.hpp"
#include <umbra/host/describe.hpp>

#include <gmock/gmock.h>

#include <unistd.h>

namespace umbra::host::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class DescribeTest : public ::testing::Test {
protected:
    Description of(const std::string& variant) {
        path = install(directory, variant);
        return describe(path, 5s);
    }
    TempDirectory directory;
    fs::path path;
};

TEST_F(DescribeTest, OptionsAndCapabilitiesAreTold) {
    path = install(directory, "good", "umbra-probe-manners.so");
    const auto d = describe(path);
    ASSERT_TRUE(d.loadable()) << d.refusal;
    EXPECT_EQ(d.identity->name, "manners");
    EXPECT_EQ(d.summary, "Ends in many ways.");
    EXPECT_EQ(d.license, "MIT");
    EXPECT_THAT(d.capabilities, ElementsAre("ipv6", "concurrent"));
    ASSERT_EQ(d.options.size(), 4u);
    EXPECT_TRUE(d.options[0].required);
    EXPECT_EQ(d.options[1].type, "duration");
    EXPECT_EQ(d.options[1].def, "\"2s\"");
    EXPECT_TRUE(d.options[1].live);
    EXPECT_TRUE(d.options[2].secret);
    EXPECT_THAT(d.options[3].choices, ElementsAre("red", "green"));
    EXPECT_EQ(d.mode, 0644u);
    EXPECT_EQ(d.size, fs::file_size(path));
}

TEST_F(DescribeTest, TextIsATable) {
    path = install(directory, "good", "umbra-probe-manners.so");
    auto d = describe(path);
    d.size = 276'480;
    d.owner = "root";
    EXPECT_EQ(to_text(d),
              path.string() +
                  "  270 KiB  owner root  mode 0644\n"
                  "  loadable      yes\n"
                  "  plugin        probe manners 0.3.0\n"
                  "  ABI           0.1 (this host: 0.1), SDK 0.1.0\n"
                  "  summary       Ends in many ways.\n"
                  "  license       MIT\n"
                  "  capabilities  ipv6, concurrent\n"
                  "\n"
                  "  OPTION   TYPE      DEFAULT   RANGE            LIVE  HELP\n"
                  "  mode     string    required                         How to end.\n"
                  "  timeout  duration  \"2s\"      \"10ms\" .. \"60s\"  yes   Gives up "
                  "after this long.\n"
                  "  token    string    -                                Not shown. "
                  "(secret)\n"
                  "  colour   enum      \"red\"     red|green              Just a "
                  "choice.\n");
}

TEST_F(DescribeTest, JsonHasTheSameFacts) {
    const auto d = of("good");
    EXPECT_EQ(to_json(d),
              "{\"file\":\"" + path.string() + "\",\"size\":" + std::to_string(d.size) +
                  ",\"owner\":\"" + d.owner +
                  "\",\"mode\":\"0644\",\"loadable\":true,\"reason\":null,\"host_abi\":"
                  "\"0.1\",\"abi\":\"0.1\",\"sdk\":\"0.1.0\",\"kind\":\"probe\",\"name\":"
                  "\"bare\",\"version\":\"2.1.0\",\"summary\":\"A probe in C.\","
                  "\"license\":\"MIT\",\"capabilities\":[],\"options\":[]}");
}

TEST_F(DescribeTest, OtherAbiIsToldWithoutALoad) {
    const auto d = of("other_abi");
    EXPECT_FALSE(d.loadable());
    EXPECT_THAT(to_text(d), HasSubstr("  loadable      no\n  reason        " + path.string() +
                                      ": plugin ABI 0.2 (SDK 0.1.0), this host speaks 0.1"));
    EXPECT_THAT(to_text(d), HasSubstr("  ABI           0.2 (this host: 0.1), SDK 0.1.0\n"));
    EXPECT_THAT(to_json(d), HasSubstr("\"loadable\":false,\"reason\":\"" + path.string()));
}

TEST_F(DescribeTest, RefusalOfTheLoadIsTold) {
    EXPECT_THAT(of("undefined").refusal, HasSubstr("zlibs::missing(int)"));
}

TEST_F(DescribeTest, CrashingConstructorIsReportedNotSuffered) {
    const auto d = of("crashes");
    EXPECT_EQ(d.refusal,
              path.string() +
                  ": crashed with SIGABRT (Aborted) while being loaded; its constructors are at "
                  "fault");
}

TEST_F(DescribeTest, HangingConstructorIsKilledAtTheLimit) {
    path = install(directory, "hangs");
    EXPECT_EQ(
        describe(path, 200ms).refusal,
        path.string() + ": hung for 200 ms while being loaded; its constructors are at fault");
}

TEST_F(DescribeTest, ConstructorThatEndsTheProcessIsReported) {
    const auto d = of("exits");
    EXPECT_EQ(d.refusal,
              path.string() +
                  ": ended the process with status 3 while being loaded; its constructors are at "
                  "fault");
}

TEST_F(DescribeTest, MissingFileHasNoFacts) {
    const auto d = describe(directory / "umbra-probe-gone.so");
    EXPECT_FALSE(d.exists);
    EXPECT_EQ(to_text(d), d.path.string() + "\n  loadable      no\n  reason        " +
                              d.path.string() +
                              ": does not exist; install the plugin or correct the path\n");
    EXPECT_THAT(to_json(d), HasSubstr("\"size\":null,\"owner\":null,\"mode\":null"));
}

TEST_F(DescribeTest, LibraryDoesNotStayInTheCallingProcess) {
    const auto d = of("good");
    ASSERT_TRUE(d.loadable());
    EXPECT_THAT(read_all("/proc/self/maps"), ::testing::Not(HasSubstr(path.string())));
}

}  // namespace
}  // namespace umbra::host::test
