#include "reload.hpp"
#include "settings.hpp"
#include "unit/base/temp_directory.hpp"
#include "ways_in.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace umbra::gateway {
namespace {

using ::testing::HasSubstr;

SettingsLoad load(const std::string& more) {
    const test::TempDirectory directory;
    const auto path = directory.path() / "gateway.toml";
    std::ofstream(path) << "[gateway]\nname = \"g\"\ndata_dir = \"/g\"\nlisten = \"127.0.0.1:1\"\n"
                        << more;
    return load_settings(path);
}

TEST(GatewaySettingsTest, WhoMayComeIn) {
    const auto read = load(
        "[gateway.clients]\nallow = [\"10.0.0.0/8\"]\ntotal = 5000\nper_source = 50\n"
        "[listener.crm]\naddress = \"0.0.0.0:9000-9010\"\nvirtual = \"crm.cloud:8000-8010\"\n"
        "allow = [\"192.0.2.1\", \"::1/128\"]\nclients = 7\nclients_per_source = 3\n"
        "proxy_from = [\"10.0.0.5\"]\n");
    ASSERT_TRUE(read.settings) << read.problems.render();
    EXPECT_EQ(to_text(read.settings->clients.allow), "10.0.0.0/8");
    EXPECT_EQ(read.settings->clients.total, 5000u);
    EXPECT_EQ(read.settings->clients.per_source, 50u);
    const auto& listener = read.settings->listeners.front();
    EXPECT_EQ(to_text(listener.rules.allow), "192.0.2.1/32, ::1/128");
    EXPECT_EQ(listener.rules.clients, 7u);
    EXPECT_EQ(listener.rules.per_source, 3u);
    EXPECT_EQ(to_text(listener.proxy_from), "10.0.0.5/32");
    const auto doors = doors_of(listener);
    ASSERT_EQ(doors.size(), 11u);
    EXPECT_EQ(doors.back(), (NewDoor{"listener crm:9010", {"0.0.0.0", 9010}, "crm"}));
}

TEST(GatewaySettingsTest, MistakesInWhoMayComeInAreNamed) {
    const auto said = [](const std::string& lines) {
        const auto read = load("[listener.crm]\n" + lines);
        EXPECT_FALSE(read.settings) << lines;
        return read.problems.render();
    };
    const std::string ports = "address = \"0.0.0.0:1-2\"\nvirtual = \"a.b:1-2\"\n";
    EXPECT_THAT(said(ports + "allow = [\"10.1.0.0/8\"]\n"), HasSubstr("\"10.1.0.0/8\" is no net"));
    EXPECT_THAT(said(ports + "allow = []\n"), HasSubstr("would let nobody in"));
    EXPECT_THAT(said(ports + "proxy_from = [\"lb.cloud\"]\n"), HasSubstr("\"lb.cloud\" is no net"));
    EXPECT_THAT(said("address = \"0.0.0.0:1-3\"\nvirtual = \"a.b:1-2\"\n"),
                HasSubstr("address has 3 ports, virtual has 2"));
    EXPECT_THAT(said("address = \"127.0.0.1:1-2\"\nvirtual = \"a.b:1-2\"\n"),
                HasSubstr("address 127.0.0.1:1 is taken by gateway.listen"));
    EXPECT_THAT(said("address = \"0.0.0.0:0-2\"\nvirtual = \"a.b:1-2\"\n"), HasSubstr("port 0"));
    EXPECT_THAT(said(ports + "clients = -1\n"), HasSubstr("from 0 to 1000000"));
}

TEST(GatewaySettingsTest, ARangeHasAsManyPortsAsItsLimitAndNotOneMore) {
    const auto range = [](std::size_t count) {
        const auto last = std::to_string(10000 + count - 1);
        return load("[listener.crm]\naddress = \"0.0.0.0:10000-" + last +
                    "\"\nvirtual = \"a.b:10000-" + last + "\"\n");
    };
    EXPECT_TRUE(range(listener_ports_max).settings);
    EXPECT_THAT(range(listener_ports_max + 1).problems.render(), HasSubstr("the limit is 1024"));
}

TEST(GatewaySettingsTest, SomeOfTheFilesAreKeptForWhatIsNoClient) {
    EXPECT_EQ(places_for(64), 32u);
    EXPECT_EQ(places_for(1024), 512u);
    EXPECT_EQ(places_for(65536), 57344u);
}

TEST(GatewaySettingsTest, AChannelLeadsToItsTargetOrToAnAddress) {
    const auto read = load(
        "[channel.db]\ntarget = \"DB.cloud:5432\"\n"
        "[channel.mail]\ntarget = \"mail.cloud:25\"\naddress = \"10.0.0.5:2525\"\npair = \"two\"\n"
        "[channel.other]\ntarget = \"db.cloud:5432\"\npair = \"two\"\n");
    ASSERT_TRUE(read.settings) << read.problems.render();
    EXPECT_EQ(
        read.settings->channels,
        (std::vector<ChannelSettings>{{"db", {"db.cloud", 5432}, {"db.cloud", 5432}, "default"},
                                      {"mail", {"mail.cloud", 25}, {"10.0.0.5", 2525}, "two"},
                                      {"other", {"db.cloud", 5432}, {"db.cloud", 5432}, "two"}}));
}

TEST(GatewaySettingsTest, ATargetOfAPairLeadsToOneService) {
    const auto read = load(
        "[channel.a]\ntarget = \"db.cloud:1\"\n"
        "[channel.b]\ntarget = \"db.cloud:1\"\naddress = \"10.0.0.5:1\"\n");
    EXPECT_FALSE(read.settings);
    EXPECT_THAT(read.problems.render(), HasSubstr("target db.cloud:1 is that of [channel.a], too"));
    EXPECT_FALSE(load("[channel.a]\naddress = \"10.0.0.5:1\"\n").settings);
}

}  // namespace
}  // namespace umbra::gateway
