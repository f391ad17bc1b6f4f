#include "contract_samples.hpp"
#include "sample_catalog.hpp"
#include <umbra/config/shared_config.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace umbra::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SharedConfigTest : public testing::Test {
protected:
    SharedLoad load(const std::string& text) const {
        return load_shared(Source::from_text(text, "s.toml"), catalog_);
    }
    std::vector<std::string> faults(const std::string& text) const {
        return told(load(text).problems);
    }
    /// Mappings of a tunnel that has all else it needs; they begin in line 4.
    std::vector<std::string> mapping_faults(const std::string& text) const {
        return faults("[tunnel.t]\nplugin=\"gateway\"\noptions.address=\"a:1\"\n" + text);
    }

    const SampleCatalog catalog_;
};

TEST_F(SharedConfigTest, TheSampleIsRead) {
    const SharedLoad loaded = load(shared_sample);
    ASSERT_THAT(told(loaded.problems), IsEmpty());
    const SharedConfig& config = *loaded.config;
    ASSERT_EQ(config.tunnels.size(), 1u);
    const TunnelConfig& tunnel = config.tunnels[0];
    EXPECT_EQ(tunnel.name, "main");
    EXPECT_EQ(tunnel.plugin, "gateway");
    EXPECT_EQ(tunnel.options.data()[1].integer, 2);
    EXPECT_THAT(
        tunnel.mappings,
        ElementsAre(Mapping{"crm", {"crm.cloud", 8080, 8080}, {{"127.0.0.1", 8000}}, "tcp", true}));
    EXPECT_THAT(tunnel.channels,
                ElementsAre(Channel{"db", {"127.0.0.1", 5433}, {"db.cloud", 5432}}));
    ASSERT_EQ(config.probes.size(), 1u);
    EXPECT_EQ(config.probes[0].name, "crm-backend");
    EXPECT_EQ(config.probes[0].every, std::chrono::seconds{2});
    EXPECT_EQ(config.takeover.on_tunnel_loss, std::chrono::seconds{5});
    EXPECT_EQ(config.takeover.grace_period, std::chrono::seconds{30});
    EXPECT_EQ(config.takeover.acknowledge, TakeoverConfig::Acknowledge::both);
}

TEST_F(SharedConfigTest, TheDocumentOfTheFileGivesTheSameConfiguration) {
    const SharedLoad from_file = load(shared_sample);
    ASSERT_TRUE(from_file.document);
    EXPECT_EQ(from_file.document->at("tunnel.main.options.address"), "\"127.0.0.1:7443\"");
    const SharedLoad from_document = read_shared(*from_file.document, catalog_);
    ASSERT_THAT(told(from_document.problems), IsEmpty());
    EXPECT_EQ(*from_document.config, *from_file.config);
    EXPECT_EQ(*load(to_toml(*from_file.document)).config, *from_file.config);
}

TEST_F(SharedConfigTest, NothingAtAllIsValid) {
    const SharedLoad loaded = read_shared({}, catalog_);
    ASSERT_TRUE(loaded.config);
    EXPECT_TRUE(loaded.config->tunnels.empty());
    EXPECT_EQ(loaded.config->takeover.on_tunnel_loss, std::chrono::seconds{5});
    EXPECT_EQ(loaded.config->takeover.grace_period, std::chrono::seconds{30});
}

TEST_F(SharedConfigTest, ManyMistakesAreReportedInOneRun) {
    EXPECT_THAT(
        faults(R"([tunnel.main]
plugin = "gatway"
[tunnel.main.mapping.crm]
virtual = "crm.cloud"
internl = "127.0.0.1:8000"
protocol = "udp"
[tunnel.two]
plugin = "gateway"
links = 2
options = { address = "127.0.0.1:7443", links = 9 }
[probe.x]
plugin = "tcp"
every = "1ms"
[probes.y]
[takeover]
acknowledge = "all"
)"),
        ElementsAre(
            "s.toml:2:10: error: there is no tunnel plugin \"gatway\": searched /plugins",
            "s.toml:3:1: error: [tunnel.main.mapping.crm] needs the key \"internal\", an endpoint "
            "\"host:port\" or \"host:first-last\", or a list of such",
            "s.toml:4:11: error: \"virtual\" must be an endpoint \"host:port\" or "
            "\"host:first-last\", found the string \"crm.cloud\": the port is missing",
            "s.toml:5:1: error: unknown key \"internl\" in [tunnel.main.mapping.crm]",
            "s.toml:6:12: error: \"protocol\" must be one of \"tcp\", \"tcp+tls\", \"http\", "
            "\"http+tls\", found the string \"udp\"",
            "s.toml:9:1: error: unknown key \"links\" in [tunnel.two]",
            "s.toml:10:49: error: \"links\" must be an integer from 1 to 8, found the integer 9",
            "s.toml:11:1: error: [probe.x.options] needs the key \"address\", an endpoint "
            "\"host:port\" (options of probe plugin \"tcp\")",
            "s.toml:13:9: error: \"every\" must be a duration such as \"150ms\" or \"2s\" from "
            "\"50ms\" to \"1h\", found the string \"1ms\"",
            "s.toml:14:2: error: unknown table [probes]",
            "s.toml:16:15: error: \"acknowledge\" must be one of \"both\", \"one\", found the "
            "string \"all\""));
    EXPECT_EQ(load("[tunnel.a]\nplugin = \"gatway\"").problems.list()[0].help,
              "did you mean \"gateway\"?");
}

TEST_F(SharedConfigTest, MistakesOfADocumentNameTheirKey) {
    const SharedLoad loaded = read_shared({{"tunnel.main.plugin", "\"gateway\""},
                                           {"tunnel.main.options.links", "\"two\""},
                                           {"tunnel.main.nonsense", "1"},
                                           {"tunnel.main.mapping.crm.virtual", "\"a:1\""},
                                           {"takeover", "5"}},
                                          catalog_);
    EXPECT_FALSE(loaded.config);
    EXPECT_FALSE(loaded.document);
    EXPECT_THAT(
        told(loaded.problems),
        ElementsAre(
            "takeover: error: \"takeover\" must be a table, found the integer 5",
            "tunnel.main.mapping.crm.internal: error: [tunnel.main.mapping.crm] needs the "
            "key \"internal\", an endpoint \"host:port\" or \"host:first-last\", or a list of such",
            "tunnel.main.nonsense: error: unknown key \"nonsense\" in [tunnel.main]",
            "tunnel.main.options.address: error: [tunnel.main.options] needs the key "
            "\"address\", an endpoint \"host:port\" (options of tunnel plugin "
            "\"gateway\")",
            "tunnel.main.options.links: error: \"links\" must be an integer from 1 to 8, "
            "found the string \"two\""));
}

TEST_F(SharedConfigTest, AMappingMayHaveSeveralBackendsTlsAndResources) {
    const SharedLoad loaded = load(R"([tunnel.t]
plugin = "gateway"
options.address = "a:1"
[tunnel.t.mapping.web]
virtual = "web.cloud:80"
internal = ["a.internal:8443", "b.internal:8443"]
protocol = "http+tls"
probes = ["a", "b"]
tls_ca_file = "/etc/umbra/ca.pem"
tls_server_name = "web.internal"
proxy_protocol = "v2"
rewrite_host = true
[tunnel.t.mapping.web.resource.api]
path = "/api"
sub_paths = true
methods = ["GET", "POST"]
[tunnel.t.mapping.web.resource.live]
path = "/live"
upgrade = true
active = false
[probe.a]
plugin = "tcp"
options.address = "a.internal:8443"
[probe.b]
plugin = "tcp"
options.address = "b.internal:8443"
)");
    ASSERT_THAT(told(loaded.problems), IsEmpty());
    EXPECT_THAT(loaded.config->tunnels[0].mappings,
                ElementsAre(Mapping{"web",
                                    {"web.cloud", 80, 80},
                                    {{"a.internal", 8443}, {"b.internal", 8443}},
                                    "http+tls",
                                    true,
                                    {"a", "b"},
                                    {"web.internal", "/etc/umbra/ca.pem", ""},
                                    true,
                                    true,
                                    {{"api", "/api", true, {"GET", "POST"}, false, true},
                                     {"live", "/live", false, {}, true, false}}}));
    EXPECT_EQ(*load(to_toml(*loaded.document)).config, *loaded.config);
}

TEST_F(SharedConfigTest, ContradictionsInAMappingAreReported) {
    const auto fault = [&](const std::string& keys, const std::string& rest = {}) {
        const auto all = mapping_faults("[tunnel.t.mapping.m]\nvirtual=\"h:1\"\n" + keys + rest);
        return all.size() == 1 ? all[0] : std::to_string(all.size()) + " problems";
    };
    const std::string one = "internal=\"x:1\"\n";
    EXPECT_THAT(fault(one + "protocol=\"http\"\n"),
                HasSubstr("s.toml:7:10: error: without a resource this mapping denies every"));
    EXPECT_THAT(fault(one + "protocol=\"http\"\nactive=false\n"), HasSubstr("0 problems"));
    EXPECT_THAT(fault(one, "[tunnel.t.mapping.m.resource.r]\npath=\"/\"\n"),
                HasSubstr("s.toml:7:1: error: [tunnel.t.mapping.m.resource.r] has no effect with "
                          "the protocol \"tcp\""));
    EXPECT_THAT(fault(one + "tls_pin=\"sha256:" + std::string(64, 'a') + "\"\n"),
                HasSubstr("s.toml:7:9: error: \"tls_pin\" has no effect with the protocol"));
    EXPECT_THAT(fault(one + "protocol=\"tcp+tls\"\ntls_pin=\"sha256:aa\"\n"),
                HasSubstr("\"tls_pin\" must be sha256: and 64"));
    EXPECT_THAT(fault(one + "protocol=\"tcp+tls\"\ntls_ca_file=\"/ca\"\ntls_pin=\"sha256:" +
                      std::string(64, 'a') + "\"\n"),
                HasSubstr("no effect beside \"tls_pin\""));
    EXPECT_THAT(fault(one + "protocol=\"tcp+tls\"\ntls_ca_file=\"ca.pem\"\n"),
                HasSubstr("it must be absolute here"));
    EXPECT_THAT(fault(one + "rewrite_host=true\n"), HasSubstr("\"rewrite_host\" has no effect"));
    EXPECT_THAT(fault("internal=[]\n"), HasSubstr("\"internal\" is an empty list"));
    EXPECT_THAT(fault("internal=[\"x:1\",\"X:1\"]\n"), HasSubstr("\"x:1\" is named twice"));
    EXPECT_THAT(fault("internal=[\"x:1\",\"y\"]\n"), HasSubstr("s.toml:6:17: error"));
    EXPECT_THAT(fault(one + "probes=[\"p\"]\n"), HasSubstr("there is no [probe.p]"));
    const std::string probe = "[probe.p]\nplugin=\"tcp\"\noptions.address=\"x:1\"\n";
    EXPECT_THAT(fault(one + "probes=[\"p\"]\n", probe), HasSubstr("0 problems"));
    EXPECT_THAT(fault(one + "probes=[\"p\",\"p\"]\n", probe),
                HasSubstr("\"probes\" has 2 names, but \"internal\" has 1 backends"));
    std::string many = "internal=[\"x:1\"";
    for (std::size_t i = 1; i < backends_max; ++i) many += ",\"x" + std::to_string(i) + ":1\"";
    EXPECT_THAT(fault(many + "]\n"), HasSubstr("0 problems"));
    EXPECT_THAT(fault(many + ",\"y:1\"]\n"), HasSubstr("there are 65 backends"));
}

TEST_F(SharedConfigTest, APathThatNoRequestCanHaveIsReported) {
    const auto fault = [&](const std::string& keys) {
        const auto all = mapping_faults(
            "[tunnel.t.mapping.m]\nvirtual=\"h:1\"\ninternal=\"x:1\"\n"
            "protocol=\"http\"\n[tunnel.t.mapping.m.resource.r]\n" +
            keys);
        return all.size() == 1 ? all[0] : std::to_string(all.size()) + " problems";
    };
    for (const char* path : {"/", "/a", "/a/", "/a/b.c/..d/%41", "/a;b=c"})
        EXPECT_THAT(fault("path='" + std::string(path) + "'\n"), HasSubstr("0 problems")) << path;
    for (const char* path :
         {"", "a", "/a/../b", "/a/.", "/..", "/a?b", "/a#b", "/a\\b", "/a b", "/ä", "/a/*"})
        EXPECT_THAT(fault("path='" + std::string(path) + "'\n"),
                    HasSubstr("s.toml:9:6: error: \"path\""))
            << path;
    EXPECT_THAT(fault("path='/'\nmethods=[]\n"), HasSubstr("which permits nothing"));
    EXPECT_THAT(fault("path='/'\nmethods=['get']\n"), HasSubstr("\"get\" is not a method"));
    EXPECT_THAT(fault("path='/'\nmethods=['CONNECT']\n"), HasSubstr("CONNECT is not served"));
    EXPECT_THAT(fault("path='/'\nupgrade=true\nmethods=['POST']\n"), HasSubstr("needs the method"));
}

TEST_F(SharedConfigTest, AnEditIsJudgedWithWhatItCanMakeInvalid) {
    EXPECT_THAT(judged_with("tunnel.t.mapping.m.probes", false),
                ElementsAre("tunnel.t.mapping.m", "tunnel.t.plugin", "tunnel.t.options", "probe"));
    EXPECT_THAT(judged_with("tunnel.t.mapping.m.virtual", false),
                ElementsAre("tunnel", "probe", "takeover"))
        << "another mapping may have the same";
    EXPECT_THAT(judged_with("tunnel.t.mapping.m", true),
                ElementsAre("tunnel", "probe", "takeover"));
    EXPECT_THAT(judged_with("probe.p.every", false), ElementsAre("probe.p"));
    EXPECT_THAT(judged_with("probe.p", true), IsEmpty()) << "a mapping may name it";
    EXPECT_THAT(judged_with("takeover.grace_period", true), ElementsAre("takeover.grace_period"));
    EXPECT_THAT(judged_with("takeover.register", true), ElementsAre("takeover", "tunnel", "probe"));
}

TEST_F(SharedConfigTest, VirtualEndpointsOfATunnelMustNotOverlap) {
    EXPECT_THAT(mapping_faults("[tunnel.t.mapping]\n"
                               "b = { virtual = \"H:80\", internal = \"x:1\" }\n"
                               "a = { virtual = \"h:80\", internal = \"x:1\", active = false }\n"),
                ElementsAre("s.toml:6:17: error: virtual endpoint \"h:80\" is also served by "
                            "[tunnel.t.mapping.b] (\"h:80\")"));
    EXPECT_THAT(mapping_faults("[tunnel.t.mapping]\n"
                               "a = { virtual = \"h:1-100\", internal = \"x:1\" }\n"
                               "b = { virtual = \"h:2\", internal = \"x:1\" }\n"
                               "c = { virtual = \"h:100-101\", internal = \"x:1\" }\n"
                               "d = { virtual = \"h:102\", internal = \"x:1\" }\n"
                               "e = { virtual = \"g:2\", internal = \"x:1\" }\n"),
                ElementsAre(HasSubstr("s.toml:6:17: error: virtual endpoint \"h:2\" is also"),
                            HasSubstr("s.toml:7:17: error: virtual endpoint \"h:100-101\" is also "
                                      "served by [tunnel.t.mapping.a]")));
    // Another tunnel has another far end.
    EXPECT_THAT(faults("[tunnel.t]\nplugin=\"gateway\"\noptions.address=\"a:1\"\n"
                       "mapping.a = { virtual = \"h:80\", internal = \"x:1\" }\n"
                       "[tunnel.u]\nplugin=\"gateway\"\noptions.address=\"b:1\"\n"
                       "mapping.a = { virtual = \"h:80\", internal = \"x:1\" }\n"),
                IsEmpty());
}

TEST_F(SharedConfigTest, RangesMustFit) {
    const auto with = [&](const std::string& outer, const std::string& inner) {
        return mapping_faults("[tunnel.t.mapping]\na = { virtual = \"" + outer +
                              "\", internal = \"" + inner + "\" }\n");
    };
    EXPECT_THAT(with("h:1-10", "x:65526"), IsEmpty());
    EXPECT_THAT(with("h:1-10", "x:65527"),
                ElementsAre(HasSubstr("5:38: error: the range of \"virtual\" has 10 ports, which "
                                      "from 65527 on would go past port 65535")));
    EXPECT_THAT(with("h:1-10", "x:11-20"), IsEmpty());
    EXPECT_THAT(with("h:1-10", "x:11-21"),
                ElementsAre(HasSubstr("\"internal\" has 11 ports, but \"virtual\" has 10")));
}

TEST_F(SharedConfigTest, ChannelsOfAllTunnelsListenOnPortsOfTheirOwn) {
    EXPECT_THAT(faults("[tunnel.t]\nplugin=\"gateway\"\noptions.address=\"a:1\"\n"
                       "channel.a = { listen = \"h:80\", target = \"x:1\" }\n"
                       "channel.b = { listen = \"h:0\", target = \"x:1\" }\n"
                       "channel.c = { listen = \"h:0\", target = \"x:1\" }\n"
                       "[tunnel.u]\nplugin=\"gateway\"\noptions.address=\"b:1\"\n"
                       "channel.a = { listen = \"h:80\", target = \"x:1\" }\n"),
                ElementsAre("s.toml:10:24: error: [tunnel.t.channel.a] already listens on "
                            "\"h:80\""));
}

TEST_F(SharedConfigTest, PathsMustBeAbsoluteBecauseBothInstancesReadThem) {
    EXPECT_THAT(faults("[probe.a]\nplugin = \"all\"\noptions.file = \"/etc/key.pem\""), IsEmpty());
    EXPECT_THAT(faults("[probe.a]\nplugin = \"all\"\noptions.file = \"key.pem\""),
                ElementsAre("s.toml:3:16: error: \"file\" must be a path, found the string "
                            "\"key.pem\": it must be absolute here, because both instances read "
                            "it"));
}

TEST_F(SharedConfigTest, NumbersAreLimited) {
    const auto probes = [&](std::size_t count) {
        std::string text;
        for (std::size_t i = 0; i < count; ++i) {
            text += "[probe.p" + std::to_string(i) + "]\nplugin = \"all\"\n";
        }
        return faults(text);
    };
    EXPECT_THAT(probes(probes_max), IsEmpty());
    EXPECT_THAT(probes(probes_max + 1),
                ElementsAre(HasSubstr("there are 1025 of [probe.NAME], but at most 1024")));
    const auto mappings = [&](std::size_t count) {
        std::string text = "[tunnel.t.mapping]\n";
        for (std::size_t i = 0; i < count; ++i) {
            text += "m" + std::to_string(i) + " = { virtual = \"h:" + std::to_string(i + 1) +
                    "\", internal = \"x:1\" }\n";
        }
        return mapping_faults(text);
    };
    EXPECT_THAT(mappings(mappings_max), IsEmpty());
    EXPECT_THAT(mappings(mappings_max + 1),
                ElementsAre(HasSubstr("there are 4097 of [tunnel.t.mapping.NAME], but at most")));
}

/// A file that was cut while it was copied must never pass for another one.
TEST_F(SharedConfigTest, ATruncatedFileIsRefusedOrHoldsOnlyWhatItSays) {
    const std::string whole = shared_sample;
    const core::Document all = *load(whole).document;
    std::size_t accepted = 0;
    for (std::size_t length = 0; length < whole.size(); ++length) {
        const SharedLoad cut = load(whole.substr(0, length));
        EXPECT_EQ(cut.config.has_value(), cut.problems.empty());
        if (!cut.document) continue;
        ++accepted;
        // Every key that is there is there unharmed.
        EXPECT_TRUE(
            std::includes(all.begin(), all.end(), cut.document->begin(), cut.document->end()))
            << whole.substr(0, length);
        // Sections that were begun are complete.
        EXPECT_EQ(read_shared(*cut.document, catalog_).config, cut.config);
    }
    EXPECT_LT(accepted, 60u);
}

/// Beside reading everything, which is right and slow.
TEST_F(SharedConfigTest, AnUpdateComesToWhatTheWholeDocumentSays) {
    const auto before = load(
        "[tunnel.a]\nplugin=\"gateway\"\noptions.address=\"a:1\"\n"
        "mapping.crm={virtual=\"crm:80\", internal=\"h:1\"}\n"
        "mapping.erp={virtual=\"erp:80\", internal=\"h:2\", probes=[\"p\"]}\n"
        "[tunnel.b]\nplugin=\"gateway\"\noptions.address=\"b:1\"\n"
        "mapping.crm={virtual=\"crm:81\", internal=\"h:1\"}\n"
        "[probe.p]\nplugin=\"all\"\n[probe.q]\nplugin=\"all\"\n"
        "[takeover]\nregister=\"b\"\ngrace_period=\"3s\"\n");
    ASSERT_TRUE(before.document) << testing::PrintToString(told(before.problems));
    using Changes = std::vector<core::Change>;
    const auto updated = [&](const Changes& changes) -> std::optional<SharedUpdate> {
        core::Document document = *before.document;
        std::vector<std::string_view> keys;
        for (const auto& [key, literal] : changes) {
            if (literal) {
                document[key] = *literal;
            } else {
                document.erase(key);
            }
            keys.push_back(key);
        }
        SharedConfig config = *before.config;
        const auto update = update_shared(config, document, keys, catalog_);
        EXPECT_EQ(config, update ? read_shared(document, catalog_).config : before.config)
            << changes.front().key;
        return update;
    };
    const Changes read_alone[] = {
        {{"takeover.grace_period", "\"9s\""}},
        {{"takeover.grace_period", std::nullopt}},
        {{"takeover.acknowledge", "\"one\""}, {"takeover.on_tunnel_loss", "\"1s\""}},
        {{"probe.p.every", "\"9s\""}},
        {{"probe.q.plugin", std::nullopt}},
        {{"probe.aa.plugin", "\"all\""}, {"probe.z.plugin", "\"all\""}},
        {{"tunnel.a.mapping.crm.active", "false"}},
        {{"tunnel.a.mapping.erp.virtual", "\"erp:81\""}, {"tunnel.b.mapping.crm.active", "false"}},
        {{"tunnel.a.mapping.erp.probes", "[\"q\"]"}, {"probe.q.every", "\"1s\""}},
        {{"tunnel.a.mapping.crm.virtual", std::nullopt},
         {"tunnel.a.mapping.crm.internal", std::nullopt}},
        {{"tunnel.b.mapping.aa.virtual", "\"aa:1\""}, {"tunnel.b.mapping.aa.internal", "\"h:3\""}},
    };
    for (const auto& changes : read_alone) EXPECT_TRUE(updated(changes)) << changes.front().key;
    const Changes not_alone[] = {
        {{"takeover.register", "\"a\""}},
        {{"tunnel.a.options.address", "\"c:1\""}},
        {{"tunnel.c.plugin", "\"plain\""}, {"tunnel.c.mapping.crm.active", "false"}},
        {{"tunnel.c.mapping.crm.virtual", "\"x:1\""}},
        {{"tunnel.a.channel.db.listen", "\"h:1\""}},
        {{"probe.p.every", "\"never\""}},
        {{"takeover.grace_period", "\"9s\""}, {"tunnel.b.plugin", std::nullopt}},
    };
    for (const auto& changes : not_alone) EXPECT_FALSE(updated(changes)) << changes.front().key;
    const auto update = updated({{"probe.p.every", "\"9s\""}, {"takeover.acknowledge", "\"one\""}});
    ASSERT_TRUE(update);
    EXPECT_TRUE(update->probes && update->takeover && !update->tunnels);
    EXPECT_TRUE(updated({{"tunnel.a.mapping.crm.active", "false"}})->tunnels);
}

TEST_F(SharedConfigTest, TheRegisterOfRecordIsATunnelThatFences) {
    const std::string tunnels =
        "[tunnel.main]\nplugin=\"gateway\"\noptions.address=\"a:1\"\n"
        "[tunnel.backup]\nplugin=\"gateway\"\noptions.address=\"b:1\"\n"
        "[tunnel.other]\nplugin=\"plain\"\n[takeover]\n";
    const auto loaded = load(tunnels + "register=\"backup\"\n");
    ASSERT_THAT(told(loaded.problems), IsEmpty());
    EXPECT_EQ(loaded.config->takeover.register_of_record, "backup");
    EXPECT_EQ(load(tunnels).config->takeover.register_of_record, "");
    EXPECT_THAT(faults(tunnels + "register=\"mian\"\n"),
                ElementsAre("s.toml:10:10: error: there is no [tunnel.mian]"));
    EXPECT_THAT(load(tunnels + "register=\"mian\"\n").problems.render(),
                HasSubstr("did you mean \"main\""));
    EXPECT_THAT(faults(tunnels + "register=\"other\"\n"),
                ElementsAre(HasSubstr("the provider of [tunnel.other] cannot fence")));
    EXPECT_THAT(faults("[takeover]\nregister=\"main\"\n"),
                ElementsAre(HasSubstr("there is no [tunnel.main]")));
}

}  // namespace
}  // namespace umbra::config
