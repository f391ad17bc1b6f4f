// What needs no running instance.

#include "integration/cli/program.hpp"

#include <gmock/gmock.h>

namespace umbra {
namespace {

using test::Program;
using test::Ran;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

Ran umbra(std::vector<std::string> arguments) {
    return Program{UMBRA_PROGRAM, std::move(arguments)}.finish();
}

TEST(UsageTest, VersionAndHelpGoToStdout) {
    const Ran version = umbra({"--version"});
    EXPECT_EQ(version.status, 0);
    EXPECT_THAT(version.out, StartsWith("umbra 0."));
    const Ran help = umbra({"--help"});
    EXPECT_EQ(help.status, 0);
    EXPECT_THAT(help.out, HasSubstr("status"));
    EXPECT_THAT(umbra({"config", "set", "--help"}).out, HasSubstr("KEY=VALUE"));
}

TEST(UsageTest, MistakesAreTwoAndNameTheCommandToAsk) {
    const std::pair<std::vector<std::string>, const char*> mistakes[] = {
        {{}, "see umbra --help"},
        {{"nonsense"}, "see umbra --help"},
        {{"--nonsense"}, "see umbra --help"},
        {{"config"}, "see umbra config --help"},
        {{"config", "set"}, "see umbra config set --help"},
        {{"status", "--nonsense"}, "see umbra status --help"},
        {{"status", "extra"}, "see umbra status --help"},
        {{"peer", "join"}, "see umbra peer join --help"},
        {{"config", "show", "--json", "--toml"}, "see umbra config show --help"},
        {{"config", "history", "--max", "many"}, "see umbra config history --help"},
    };
    for (const auto& [arguments, remedy] : mistakes) {
        const Ran ran = umbra(arguments);
        EXPECT_EQ(ran.status, 2);
        EXPECT_THAT(ran.err, StartsWith("umbra: "));
        EXPECT_THAT(ran.err, HasSubstr(remedy));
        EXPECT_THAT(ran.out, IsEmpty());
    }
}

TEST(UsageTest, MisspelledCommandGetsTheNearestName) {
    EXPECT_THAT(umbra({"confg", "show"}).err,
                StartsWith("umbra: there is no command \"confg\": did you mean \"config\"?"));
    EXPECT_THAT(umbra({"peer", "conect"}).err, HasSubstr("did you mean \"connect\"?"));
    EXPECT_THAT(umbra({"--vresion"}).err, HasSubstr("--vresion"));
}

TEST(UsageTest, WithoutAnAddressThePackagedSocketIsAsked) {
    const Ran ran = umbra({"status"});
    EXPECT_EQ(ran.status, 3);
    EXPECT_THAT(ran.err, HasSubstr("unix:/run/umbra/admin.sock"));
}

}  // namespace
}  // namespace umbra
