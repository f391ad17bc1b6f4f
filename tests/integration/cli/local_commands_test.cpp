// Commands that read files and need no running instance.

#include "integration/cli/program.hpp"
#include "unit/base/temp_directory.hpp"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>

#include <fstream>
#include <sys/stat.h>

namespace umbra {
namespace {

using test::Program;
using test::Ran;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class LocalCommandsTest : public ::testing::Test {
protected:
    static Ran umbra(std::vector<std::string> arguments) {
        return Program{UMBRA_PROGRAM, std::move(arguments)}.finish();
    }
    std::string write(const std::string& name, const std::string& text) {
        std::ofstream{dir / name} << text;
        return (dir / name).string();
    }
    test::TempDirectory dir;
};

TEST_F(LocalCommandsTest, CheckTellsEveryMistakeWithItsPlace) {
    const std::string file =
        write("umbra.toml", "[instance]\nnam = \"a\"\n[peer]\nenabld = true\n");
    const Ran ran = umbra({"check", file});
    EXPECT_EQ(ran.status, 2);
    EXPECT_THAT(ran.err, StartsWith("umbra: "));
    EXPECT_THAT(ran.err, HasSubstr(" mistakes in " + file + "\n"));
    EXPECT_THAT(ran.err, HasSubstr(file + ":2:1: error: unknown key \"nam\""));
    EXPECT_THAT(ran.err, HasSubstr(file + ":4:1: error: unknown key \"enabld\""));
    EXPECT_THAT(ran.out, IsEmpty());
}

TEST_F(LocalCommandsTest, CheckOfAValidSharedConfigurationSaysSo) {
    const std::string file = write("site.toml", "[takeover]\ngrace_period = \"10s\"\n");
    const Ran ran = umbra({"check", file});
    EXPECT_EQ(ran.status, 0) << ran.err;
    EXPECT_EQ(ran.out, file + " is valid: a shared configuration\n");
}

TEST_F(LocalCommandsTest, CheckOfAFileThatIsNotThereIsTwo) {
    const Ran ran = umbra({"check", (dir / "none.toml").string()});
    EXPECT_EQ(ran.status, 2);
    EXPECT_THAT(ran.err, HasSubstr("none.toml"));
}

TEST_F(LocalCommandsTest, PluginThatIsNoneIsRefusedByName) {
    const std::string file = write("umbra-probe-fake.so", "not a library");
    ::chmod(file.c_str(), 0644);
    const Ran ran = umbra({"plugin", "inspect", file});
    EXPECT_EQ(ran.status, 1);
    EXPECT_THAT(ran.err, StartsWith("umbra: " + file));
    const Ran json = umbra({"plugin", "inspect", file, "--json"});
    EXPECT_EQ(json.status, 1);
    EXPECT_TRUE(boost::json::parse(json.out).is_object());

    const Ran list = umbra({"plugin", "list", "--plugins", dir.path().string()});
    EXPECT_EQ(list.status, 0);
    EXPECT_THAT(list.out, HasSubstr(file));
    const Ran listed = umbra({"plugin", "list", "--plugins", dir.path().string(), "--json"});
    const auto plugins = boost::json::parse(listed.out).at("plugins");
    ASSERT_EQ(plugins.as_array().size(), 1u);
    EXPECT_EQ(plugins.at(0).at("usable"), false);
}

TEST_F(LocalCommandsTest, EmptyPluginDirectoryIsNamed) {
    const Ran ran = umbra({"plugin", "list", "--plugins", dir.path().string()});
    EXPECT_EQ(ran.status, 0);
    EXPECT_EQ(ran.out, "no plugins in " + dir.path().string() + "\n");
}

}  // namespace
}  // namespace umbra
