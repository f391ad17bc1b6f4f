#include "integration/host/support.hpp"
#include <umbra/host/registry.hpp>

#include <gmock/gmock.h>

namespace umbra::host::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RegistryTest : public ::testing::Test {
protected:
    TempDirectory first, second;
};

TEST_F(RegistryTest, PluginsAreFoundByKindAndNameAcrossDirectories) {
    (void)install(first, "good");
    (void)install(first, "good", "umbra-tunnel-echo.so");
    (void)install(second, "good", "umbra-transport-echo.so");
    (void)first.write("README", "not a plugin");
    (void)first.write("other.so", "not ours");
    const Registry registry({first.path(), second.path()});
    ASSERT_NE(registry.find(UMBRA_KIND_PROBE, "bare"), nullptr);
    EXPECT_STREQ(registry.find(UMBRA_KIND_TUNNEL, "echo")->summary, "Tells what it was asked.");
    EXPECT_STREQ(registry.find(UMBRA_KIND_TRANSPORT, "echo")->summary, "Hands everything back.");
    EXPECT_EQ(registry.find(UMBRA_KIND_PROBE, "bare"), registry.find(UMBRA_KIND_PROBE, "bare"));
    EXPECT_THAT(registry.names(UMBRA_KIND_PROBE), ElementsAre("bare"));
    EXPECT_THAT(registry.names(UMBRA_KIND_STORAGE), IsEmpty());
    EXPECT_EQ(registry.files().size(), 3u);
    EXPECT_EQ(registry.why_missing(UMBRA_KIND_PROBE, "bare"), "");
}

TEST_F(RegistryTest, MissingPluginNamesTheFileAndWhereItWasSearched) {
    const Registry registry({first.path(), second / "absent"});
    EXPECT_EQ(registry.find(UMBRA_KIND_PROBE, "tcp"), nullptr);
    EXPECT_EQ(registry.why_missing(UMBRA_KIND_PROBE, "tcp"),
              "no file umbra-probe-tcp.so in " + first.path().string() + ", " +
                  (second / "absent").string() +
                  " (No such file or directory); install the plugin or correct [plugins] path");
    EXPECT_THAT(Registry({}).why_missing(UMBRA_KIND_PROBE, "tcp"),
                HasSubstr("in any directory, none is named;"));
}

TEST_F(RegistryTest, ScanRunsNothingAndGivesEveryFileAVerdict) {
    ::setenv("UMBRA_TEST_MARK", (second / "ran").c_str(), 1);
    (void)install(first, "crashes");
    (void)first.write("umbra-probe-text.so", "hello");
    (void)first.write("umbra-tunnel-abi.so", read_all(built("other_abi")));
    const Registry registry({first.path()});
    ::unsetenv("UMBRA_TEST_MARK");
    EXPECT_FALSE(fs::exists(second / "ran"));
    ASSERT_EQ(registry.files().size(), 3u);
    EXPECT_TRUE(registry.files()[0].usable());
    EXPECT_EQ(registry.files()[0].identity->version, "2.1.0");
    EXPECT_THAT(registry.files()[1].refusal, HasSubstr("umbra-probe-text.so: is not an ELF file"));
    EXPECT_FALSE(registry.files()[1].identity);
    EXPECT_THAT(registry.files()[2].refusal, HasSubstr("umbra-tunnel-abi.so: plugin ABI 0.2"));
    EXPECT_EQ(registry.files()[2].identity->abi_minor, UMBRA_ABI_MINOR + 1);
}

TEST_F(RegistryTest, RefusedFileIsTheReasonWhyItsPluginIsMissing) {
    (void)first.write("umbra-probe-text.so", "hello");
    const Registry registry({first.path()});
    EXPECT_EQ(registry.find(UMBRA_KIND_PROBE, "text"), nullptr);
    EXPECT_THAT(registry.why_missing(UMBRA_KIND_PROBE, "text"),
                HasSubstr("umbra-probe-text.so: is not an ELF file"));
}

TEST_F(RegistryTest, RefusalAtTheLoadIsTheReasonToo) {
    (void)install(first, "undefined");
    const Registry registry({first.path()});
    EXPECT_THAT(registry.names(UMBRA_KIND_PROBE), ElementsAre("bare"));
    EXPECT_EQ(registry.find(UMBRA_KIND_PROBE, "bare"), nullptr);
    EXPECT_THAT(registry.why_missing(UMBRA_KIND_PROBE, "bare"), HasSubstr("zlibs::missing(int)"));
}

TEST_F(RegistryTest, TwoFilesWithOneIdentityAreBothRefusedAndBothNamed) {
    const auto one = install(first, "good"), two = install(second, "good");
    const Registry registry({first.path(), second.path()});
    const std::string text = one.string() + " (2.1.0) and " + two.string() +
                             " (2.1.0) both are the probe plugin \"bare\"; remove one of them";
    EXPECT_EQ(registry.find(UMBRA_KIND_PROBE, "bare"), nullptr);
    EXPECT_EQ(registry.why_missing(UMBRA_KIND_PROBE, "bare"), text);
    EXPECT_EQ(registry.files()[0].refusal, text);
    EXPECT_EQ(registry.files()[1].refusal, text);
    EXPECT_THAT(registry.names(UMBRA_KIND_PROBE), IsEmpty());
}

TEST_F(RegistryTest, FileThatMayNotBeUsedDoesNotHideTheOneThatMay) {
    (void)install(first, "other_abi");
    (void)install(second, "good");
    const Registry registry({first.path(), second.path()});
    EXPECT_NE(registry.find(UMBRA_KIND_PROBE, "bare"), nullptr);
    EXPECT_FALSE(registry.files()[0].usable());
}

TEST_F(RegistryTest, DirectoryNamedTwiceCountsOnce) {
    (void)install(first, "good");
    fs::create_directory_symlink(first.path(), second / "same");
    const Registry registry({first.path(), first / ".", second / "same"});
    EXPECT_EQ(registry.files().size(), 1u);
    EXPECT_NE(registry.find(UMBRA_KIND_PROBE, "bare"), nullptr);
}

}  // namespace
}  // namespace umbra::host::test
