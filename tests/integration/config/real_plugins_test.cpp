#include <umbra/config/check_file.hpp>
#include <umbra/config/instance_file.hpp>
#include <umbra/config/options.hpp>
#include <umbra/host/registry.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <sys/wait.h>

namespace umbra::config {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

const std::filesystem::path examples = UMBRA_EXAMPLES;
const std::filesystem::path plugins = UMBRA_PLUGINS;

/// The examples against the plugins of this tree, loaded as `umbra` loads them.
class RealPluginsTest : public testing::Test {
protected:
    const host::Registry registry_{{plugins}};
    const OpenCatalog open_ = [this](const auto&) -> const PluginCatalog& { return registry_; };
};

TEST_F(RealPluginsTest, EveryExampleIsValid) {
    for (const char* name : {"pair-alpha.toml", "pair-beta.toml", "shared.toml", "shared-ssh.toml",
                             "shared-mappings.toml"}) {
        EXPECT_EQ(check_file(examples / name, open_, {plugins}).problems.render(), "") << name;
    }
}

TEST_F(RealPluginsTest, TheExampleOfTheGatewayPassesItsOwnCheck) {
    const std::string command =
        std::string(UMBRA_GATEWAY) + " check " + (examples / "gateway.toml").string();
    const int status = std::system(command.c_str());
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

TEST_F(RealPluginsTest, EveryPluginDeclaresItsOptionsSoundly) {
    std::size_t seen = 0;
    for (const umbra_kind kind :
         {UMBRA_KIND_TRANSPORT, UMBRA_KIND_STORAGE, UMBRA_KIND_PROBE, UMBRA_KIND_TUNNEL}) {
        for (const std::string& name : registry_.names(kind)) {
            const umbra_plugin* plugin = registry_.find(kind, name);
            ASSERT_NE(plugin, nullptr) << name;
            std::vector<std::string> faults;
            for (const Key& key : option_keys(*plugin, faults)) {
                EXPECT_FALSE(key.help.empty()) << name << " " << key.name;
            }
            EXPECT_THAT(faults, IsEmpty()) << name;
            ++seen;
        }
    }
    EXPECT_GE(seen, 4u);
}

TEST_F(RealPluginsTest, AMissingPluginIsSearchedForWhereTheMessageSays) {
    const auto load = load_instance(
        Source::from_text("[instance]\nname = \"a\"\nrole = \"master\"\ndata_dir = \"d\"\n"
                          "[storage]\nplugin = \"fiel\"\n",
                          "u.toml"),
        open_);
    ASSERT_EQ(load.problems.count(), 1u);
    const Problem& problem = load.problems.list()[0];
    EXPECT_EQ(problem.at, (Position{6, 10}));
    EXPECT_THAT(problem.text, HasSubstr("there is no storage plugin \"fiel\""));
    EXPECT_THAT(problem.text, HasSubstr(plugins.string()));
    EXPECT_EQ(problem.help, "did you mean \"file\"?");
}

}  // namespace
}  // namespace umbra::config
