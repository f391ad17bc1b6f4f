#include "contract_samples.hpp"
#include "sample_catalog.hpp"
#include <umbra/config/instance_file.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace umbra::config {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class InstanceFileTest : public testing::Test {
protected:
    InstanceLoad load(const std::string& text) const {
        return load_instance(Source::from_text(text, "u.toml", "/etc/umbra"),
                             [this](const auto&) -> const PluginCatalog& { return catalog_; });
    }
    std::vector<std::string> faults(const std::string& text) const {
        return told(load(text).problems);
    }
    /// The smallest file, four lines, and more.
    static std::string with(const std::string& more) {
        return "[instance]\nname = \"alpha\"\nrole = \"master\"\ndata_dir = \"d\"\n" + more;
    }
    /// The sample with one text replaced by another.
    static std::string sample_with(const std::string& from, const std::string& to) {
        std::string text = instance_sample;
        const std::size_t at = text.find(from);
        EXPECT_NE(at, std::string::npos) << from;
        return text.replace(at, from.size(), to);
    }

    const SampleCatalog catalog_;
};

TEST_F(InstanceFileTest, TheSampleIsRead) {
    const InstanceLoad loaded = load(instance_sample);
    ASSERT_THAT(told(loaded.problems), IsEmpty());
    const InstanceConfig& config = *loaded.config;
    EXPECT_EQ(config.file, "u.toml");
    EXPECT_EQ(config.name, "alpha");
    EXPECT_EQ(config.role, core::Role::master);
    EXPECT_EQ(config.data_dir, "/var/lib/umbra");
    EXPECT_THAT(config.plugin_path, ElementsAre("/usr/lib/umbra/plugins"));
    EXPECT_TRUE(config.peer.enabled);
    EXPECT_EQ(config.peer.permitted, "beta");
    EXPECT_EQ(config.transport.plugin, "zeromq");
    EXPECT_EQ(config.transport.own_publish, "tcp://127.0.0.1:7401");
    EXPECT_EQ(config.transport.own_respond, "tcp://127.0.0.1:7402");
    EXPECT_EQ(config.transport.peer_publish, "tcp://127.0.0.1:7411");
    EXPECT_EQ(config.transport.peer_respond, "tcp://127.0.0.1:7412");
    EXPECT_EQ(config.transport.options.size(), 3u);
    EXPECT_EQ(config.storage.plugin, "file");
    EXPECT_THAT(config.admin_listen, ElementsAre(ListenAddress{"/run/umbra/admin.sock", {}}));
    EXPECT_EQ(config.log_level, "info");
    EXPECT_EQ(config.log_format, "text");
    EXPECT_EQ(config.shared_initial, "/etc/umbra/shared.toml");
}

TEST_F(InstanceFileTest, DefaultsAreThoseOfTheSample) {
    const InstanceLoad loaded = load(with(""));
    ASSERT_THAT(told(loaded.problems), IsEmpty());
    const InstanceConfig& config = *loaded.config;
    EXPECT_EQ(config.data_dir, "/etc/umbra/d");
    EXPECT_THAT(config.plugin_path, ElementsAre("/usr/lib/umbra/plugins"));
    EXPECT_FALSE(config.peer.enabled);
    EXPECT_FALSE(config.peer.permitted);
    EXPECT_EQ(config.peer.profile, "balanced");
    EXPECT_EQ(config.transport.plugin, "");
    EXPECT_EQ(config.storage.plugin, "file");
    EXPECT_THAT(config.admin_listen, ElementsAre(ListenAddress{"/run/umbra/admin.sock", {}}));
    EXPECT_FALSE(config.shared_initial);
}

TEST_F(InstanceFileTest, ProfilesSetTheTimersAndEachMayBeSetByItself) {
    const auto peer = [&](const std::string& text) {
        return load(with("[peer]\n" + text)).config->peer;
    };
    const PeerConfig fast = peer("profile = \"fast\"");
    EXPECT_EQ(fast.check_interval, milliseconds{50});
    EXPECT_EQ(fast.connect_timeout, milliseconds{200});
    EXPECT_EQ(fast.request_timeout, milliseconds{200});
    EXPECT_EQ(fast.takeover_delay, milliseconds{250});
    const PeerConfig balanced = peer("");
    EXPECT_EQ(balanced.check_interval, milliseconds{100});
    EXPECT_EQ(balanced.connect_timeout, milliseconds{500});
    EXPECT_EQ(balanced.request_timeout, milliseconds{500});
    EXPECT_EQ(balanced.takeover_delay, milliseconds{500});
    const PeerConfig patient = peer("profile = \"patient\"\nrequest_timeout = \"4s\"");
    EXPECT_EQ(patient.check_interval, seconds{1});
    EXPECT_EQ(patient.connect_timeout, seconds{2});
    EXPECT_EQ(patient.request_timeout, seconds{4});
    EXPECT_EQ(patient.takeover_delay, seconds{5});
}

TEST_F(InstanceFileTest, ACheckCanFailBeforeTheDelayThatItStartsIsOver) {
    const auto peer = [&](const std::string& text) {
        return load(with("[peer]\n" + text)).config->peer;
    };
    EXPECT_EQ(peer("takeover_delay = \"300ms\"").request_timeout, milliseconds{300})
        << "what was not given gives way";
    EXPECT_EQ(peer("request_timeout = \"700ms\"").takeover_delay, milliseconds{700});
    EXPECT_THAT(faults(with("[peer]\nrequest_timeout = \"500ms\"\ntakeover_delay = \"500ms\"")),
                IsEmpty());
    EXPECT_THAT(faults(with("[peer]\nrequest_timeout = \"501ms\"\ntakeover_delay = \"500ms\"")),
                ElementsAre("u.toml:6:19: error: request_timeout (501ms) must not be longer than "
                            "takeover_delay (500ms)"));
}

TEST_F(InstanceFileTest, WithoutAnArbiterTheTakeoverDelayIsTenSecondsUnlessItIsSet) {
    const auto peer = [&](const std::string& text) {
        return load(with("[peer]\n" + text)).config->peer;
    };
    EXPECT_EQ(peer("").takeover_delay_for(true), milliseconds{500});
    EXPECT_EQ(peer("").takeover_delay_for(false), seconds{10});
    EXPECT_EQ(peer("profile = \"patient\"").takeover_delay_for(false), seconds{10});
    EXPECT_EQ(peer("takeover_delay = \"1s\"").takeover_delay_for(false), seconds{1});
    EXPECT_EQ(peer("takeover_delay = \"1s\"").takeover_delay_for(true), seconds{1});
}

TEST_F(InstanceFileTest, TheTakeoverDelayCoversTwoChecks) {
    EXPECT_THAT(faults(with("[peer]\ncheck_interval = \"250ms\"")), IsEmpty());
    EXPECT_THAT(faults(with("[peer]\ncheck_interval = \"251ms\"")),
                ElementsAre("u.toml:6:18: error: takeover_delay (500ms, from profile \"balanced\") "
                            "must be at least 2 x check_interval (251ms), 502ms"));
    EXPECT_THAT(faults(with("[peer]\ntakeover_delay = \"200ms\"")), IsEmpty());
    EXPECT_THAT(faults(with("[peer]\ntakeover_delay = \"199ms\"")),
                ElementsAre("u.toml:6:18: error: takeover_delay (199ms) must be at least 2 x "
                            "check_interval (100ms, from profile \"balanced\"), 200ms"));
}

TEST_F(InstanceFileTest, ManyMistakesAreReportedInOneRun) {
    EXPECT_THAT(
        faults(R"([instance]
name = "Alpha One"
rol = "master"
[peer]
enabled = "yes"
profile = "quick"
check_interval = 100
[transport]
plugin = "zeromk"
peer = { publish = "127.0.0.1:1" }
[storage]
plugin = "sqlite"
[admin]
listen = ["unix:relative", "https://:1"]
[log]
level = "verbose"
[shard]
initial = "shared.toml"
)"),
        ElementsAre(
            "u.toml:1:1: error: [instance] needs the key \"data_dir\", a path",
            "u.toml:1:1: error: [instance] needs the key \"role\", one of \"master\", \"shadow\"",
            "u.toml:2:8: error: \"name\" must be a name, found the string \"Alpha One\": a name "
            "consists of a-z, 0-9 and '-'",
            "u.toml:3:1: error: unknown key \"rol\" in [instance]",
            "u.toml:5:11: error: \"enabled\" must be true or false, found the string \"yes\"",
            "u.toml:6:11: error: \"profile\" must be one of \"fast\", \"balanced\", \"patient\", "
            "found the string \"quick\"",
            "u.toml:7:18: error: \"check_interval\" must be a duration such as \"150ms\" or \"2s\" "
            "from \"10ms\" to \"1h\", found the integer 100",
            "u.toml:8:1: error: [transport.options] needs the key \"publish\", a URL such as "
            "\"tcp://127.0.0.1:7401\"",
            "u.toml:8:1: error: [transport.options] needs the key \"respond\", a URL such as "
            "\"tcp://127.0.0.1:7401\"",
            "u.toml:9:10: error: there is no transport plugin \"zeromk\": searched /plugins",
            "u.toml:10:8: error: [transport.peer] needs the key \"respond\", a URL such as "
            "\"tcp://127.0.0.1:7401\"",
            "u.toml:10:20: error: \"publish\" must be a URL such as \"tcp://127.0.0.1:7401\", "
            "found the string \"127.0.0.1:1\"",
            "u.toml:12:10: error: there is no storage plugin \"sqlite\": searched /plugins",
            "u.toml:14:11: error: \"listen\" must be one or a list of \"unix:/path\" and "
            "\"https://host:port\", found the string \"unix:relative\": unix: must be followed by "
            "an absolute path of a socket",
            "u.toml:16:9: error: \"level\" must be one of \"trace\", \"debug\", \"info\", "
            "\"warn\", \"error\", found the string \"verbose\"",
            "u.toml:17:2: error: unknown table [shard]"));
}

TEST_F(InstanceFileTest, TheFourEndpointsAreDifferentPlaces) {
    EXPECT_THAT(faults(sample_with("tcp://127.0.0.1:7402", "tcp://127.0.0.1:7401")),
                ElementsAre("u.toml:16:57: error: transport.options.respond is the same endpoint "
                            "as transport.options.publish, \"tcp://127.0.0.1:7401\""));
    EXPECT_THAT(faults(sample_with("tcp://127.0.0.1:7411", "tcp://127.0.0.1:7401")),
                ElementsAre(HasSubstr("u.toml:17:23: error: transport.peer.publish is the same "
                                      "endpoint as transport.options.publish")));
    std::string free_ports = sample_with("tcp://127.0.0.1:7401", "tcp://127.0.0.1:0");
    free_ports.replace(free_ports.find("tcp://127.0.0.1:7402"), 20, "tcp://127.0.0.1:0");
    EXPECT_THAT(faults(free_ports), IsEmpty());
}

TEST_F(InstanceFileTest, OwnEndpointsAreCheckedOnceWhetherThePluginDeclaresThemOrNot) {
    for (const char* plugin : {"zeromq", "bare"}) {
        std::string text = sample_with("\"zeromq\"", "\"" + std::string(plugin) + "\"");
        const InstanceLoad good = load(text);
        ASSERT_THAT(told(good.problems), IsEmpty()) << plugin;
        EXPECT_EQ(good.config->transport.own_publish, "tcp://127.0.0.1:7401");
        text.replace(text.find("publish"), 7, "publsh");
        const InstanceLoad bad = load(text);
        ASSERT_THAT(told(bad.problems),
                    ElementsAre(HasSubstr("u.toml:16:11: error: [transport.options] needs the key "
                                          "\"publish\""),
                                HasSubstr("u.toml:16:13: error: unknown key \"publsh\" in "
                                          "[transport.options]")))
            << plugin;
        EXPECT_EQ(bad.problems.list()[1].help, "did you mean \"publish\"?") << plugin;
    }
}

TEST_F(InstanceFileTest, APairNeedsATransportAndAShadowAPair) {
    EXPECT_THAT(faults(with("[peer]\nenabled = true")),
                ElementsAre("u.toml:6:11: error: high availability is enabled, but there is no "
                            "[transport]"));
    EXPECT_THAT(faults("[instance]\nname = \"a\"\nrole = \"shadow\"\ndata_dir = \"d\""),
                ElementsAre("u.toml:3:8: error: a shadow needs high availability, which is off"));
    EXPECT_THAT(faults(sample_with("\"beta\"", "\"alpha\"")),
                ElementsAre("u.toml:11:13: error: \"permitted\" is this instance itself"));
    EXPECT_THAT(faults(with("[admin]\nlisten = []")),
                ElementsAre("u.toml:6:10: error: \"listen\" is empty, so nobody could administer"));
}

TEST_F(InstanceFileTest, ThePluginsAreSearchedWhereTheFileSays) {
    std::vector<std::filesystem::path> asked;
    const InstanceLoad loaded = load_instance(
        Source::from_text(with("[plugins]\npath = [\"/a\", \"b\"]"), "u.toml", "/etc/umbra"),
        [&](const auto& directories) -> const PluginCatalog& {
            asked = directories;
            return catalog_;
        });
    EXPECT_THAT(asked, ElementsAre("/a", "/etc/umbra/b"));
}

TEST_F(InstanceFileTest, AFileThatIsNotThereIsAProblem) {
    const InstanceLoad loaded = load_instance_file("/nonexistent/umbra.toml", catalog_);
    EXPECT_FALSE(loaded.config);
    EXPECT_THAT(told(loaded.problems), ElementsAre(HasSubstr("cannot open the file")));
}

/// A file that was cut while it was copied must never pass for another one.
TEST_F(InstanceFileTest, ATruncatedFileIsRefusedOrHoldsOnlyWhatItSays) {
    const std::string whole = instance_sample;
    for (std::size_t length = 0; length < whole.size(); ++length) {
        const InstanceLoad cut = load(whole.substr(0, length));
        ASSERT_EQ(cut.config.has_value(), cut.problems.empty());
        if (!cut.config) continue;
        const InstanceConfig& config = *cut.config;
        EXPECT_EQ(config.name, "alpha");
        EXPECT_EQ(config.role, core::Role::master);
        EXPECT_EQ(config.data_dir, "/var/lib/umbra");
        EXPECT_THAT(config.plugin_path, ElementsAre("/usr/lib/umbra/plugins"));
        EXPECT_EQ(config.peer.profile, "balanced");
        EXPECT_TRUE(!config.peer.permitted || *config.peer.permitted == "beta");
        // With high availability on, nothing before the end of [transport] is a whole file.
        EXPECT_EQ(config.peer.enabled, config.transport.plugin == "zeromq");
        EXPECT_TRUE(!config.shared_initial || *config.shared_initial == "/etc/umbra/shared.toml");
    }
}

}  // namespace
}  // namespace umbra::config
