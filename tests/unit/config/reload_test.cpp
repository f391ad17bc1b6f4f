// What a changed instance file means for a running instance, key by key.

#include "sample_catalog.hpp"
#include <umbra/config/instance_file.hpp>
#include <umbra/config/reload.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

namespace umbra::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// The catalogue of the samples, and a storage whose options are of every sort.
class ReloadCatalog : public PluginCatalog {
public:
    ReloadCatalog() {
        vault_options_ = {option("path", UMBRA_OPT_STRING, "\"kv\""),
                          option("password", UMBRA_OPT_STRING, nullptr, UMBRA_OPT_SECRET),
                          option("wait", UMBRA_OPT_DURATION, "\"1s\""),
                          option("hosts", UMBRA_OPT_STRING_LIST, "[\"a\"]"),
                          option("pace", UMBRA_OPT_STRING_LIST, "[\"x\"]", UMBRA_OPT_LIVE),
                          option("limit", UMBRA_OPT_SIZE, nullptr, UMBRA_OPT_LIVE)};
        vault_ = plugin(UMBRA_KIND_STORAGE, "vault", vault_options_.data(), vault_options_.size());
    }
    const umbra_plugin* find(umbra_kind kind, std::string_view name) const override {
        if (kind == UMBRA_KIND_STORAGE && name == "vault") return &vault_;
        return samples_.find(kind, name);
    }
    std::vector<std::string> names(umbra_kind kind) const override { return samples_.names(kind); }

private:
    SampleCatalog samples_;
    std::vector<umbra_option> vault_options_;
    umbra_plugin vault_{};
};

/// A file as its keys: `file["peer.permitted"] = "\"beta\""`; tables in between are made.
using File = std::map<std::string, std::string>;

const File usual_file{
    {"instance.name", "\"alpha\""},
    {"instance.role", "\"master\""},
    {"instance.data_dir", "\"/var/lib/umbra\""},
    {"peer.enabled", "true"},
    {"transport.plugin", "\"zeromq\""},
    {"transport.options.publish", "\"tcp://10.0.0.1:1\""},
    {"transport.options.respond", "\"tcp://10.0.0.1:2\""},
    {"transport.peer.publish", "\"tcp://10.0.0.2:1\""},
    {"transport.peer.respond", "\"tcp://10.0.0.2:2\""},
};

InstanceConfig read(const File& file) {
    static const ReloadCatalog catalog;
    std::string text;
    for (const auto& [key, value] : file) text += key + " = " + value + "\n";
    auto load = load_instance(Source::from_text(text, "u.toml", "/etc/umbra"),
                              [](const auto&) -> const PluginCatalog& { return catalog; });
    EXPECT_THAT(told(load.problems), IsEmpty()) << text;
    return load.config.value_or(InstanceConfig{});
}

InstanceConfig with(const File& changes) {
    File file = usual_file;
    for (const auto& [key, value] : changes) file[key] = value;
    return read(file);
}

std::vector<std::string> lines(const std::vector<ReloadChange>& changes) {
    std::vector<std::string> out;
    for (const auto& change : changes) {
        out.push_back(change.key + " " + change.from.value_or("-") + " " + change.to.value_or("-"));
    }
    return out;
}

/// Another valid value for each key of the schema, and how the change reads.
struct Sample {
    std::string value, line;
};
const std::map<std::string, Sample> samples{
    {"instance.name", {"\"gamma\"", "instance.name \"alpha\" \"gamma\""}},
    {"instance.role", {"\"shadow\"", "instance.role \"master\" \"shadow\""}},
    {"instance.data_dir", {"\"/x\"", "instance.data_dir \"/var/lib/umbra\" \"/x\""}},
    {"plugins.path",
     {"[\"/a\", \"/b\"]",
      "plugins.path [\"/usr/lib/umbra/plugins\"] "
      "[\"/a\", \"/b\"]"}},
    {"peer.enabled", {"false", "peer.enabled true false"}},
    {"peer.permitted", {"\"beta\"", "peer.permitted - \"beta\""}},
    {"peer.profile", {"\"fast\"", "peer.profile \"balanced\" \"fast\""}},
    {"peer.check_interval", {"\"90ms\"", "peer.check_interval \"100ms\" \"90ms\""}},
    {"peer.connect_timeout", {"\"900ms\"", "peer.connect_timeout \"500ms\" \"900ms\""}},
    {"peer.request_timeout", {"\"400ms\"", "peer.request_timeout \"500ms\" \"400ms\""}},
    {"peer.takeover_delay",
     {"\"2s\"",
      "peer.takeover_delay \"500ms\" (10s while no tunnel provider can arbitrate) \"2s\""}},
    {"transport.plugin", {"\"bare\"", "transport.plugin \"zeromq\" \"bare\""}},
    {"transport.options.publish",
     {"\"tcp://10.0.0.1:3\"",
      "transport.options.publish \"tcp://10.0.0.1:1\" \"tcp://10.0.0.1:3\""}},
    {"transport.peer.publish",
     {"\"tcp://10.0.0.3:1\"", "transport.peer.publish \"tcp://10.0.0.2:1\" \"tcp://10.0.0.3:1\""}},
    {"transport.peer.respond",
     {"\"tcp://10.0.0.3:2\"", "transport.peer.respond \"tcp://10.0.0.2:2\" \"tcp://10.0.0.3:2\""}},
    {"storage.plugin", {"\"vault\"", "storage.plugin \"file\" \"vault\""}},
    {"storage.options.path", {"\"kw\"", "storage.options.path \"kv\" \"kw\""}},
    {"admin.listen",
     {"\"unix:/a\"", "admin.listen [\"unix:/run/umbra/admin.sock\"] [\"unix:/a\"]"}},
    {"log.level", {"\"debug\"", "log.level \"info\" \"debug\""}},
    {"log.format", {"\"json\"", "log.format \"text\" \"json\""}},
    {"shared.initial", {"\"/s.toml\"", "shared.initial - \"/s.toml\""}},
};

void collect(const Table& table, const std::string& path, std::set<std::string>& keys) {
    const auto dotted = [&path](const std::string& name) {
        return path.empty() ? name : path + "." + name;
    };
    for (const Key& key : table.keys) keys.insert(dotted(key.name));
    for (const Table& inner : table.tables) collect(inner, dotted(inner.name), keys);
}

TEST(ReloadTest, EveryKeyOfTheSchemaIsDecidedAbout) {
    std::set<std::string> keys, decided;
    collect(instance_schema(), "", keys);
    for (const auto& decision : reload_decisions()) decided.emplace(decision.key);
    EXPECT_EQ(decided, keys) << "a key of the instance file needs a row in reload.cpp";
}

TEST(ReloadTest, EveryKeyIsFoundWhereItsDecisionSaysAndAlone) {
    for (const auto& [key, effect] : reload_decisions()) {
        SCOPED_TRACE(key);
        const bool options = key.ends_with(".options");
        auto sample = samples.lower_bound(std::string(key));
        ASSERT_TRUE(sample != samples.end() &&
                    (sample->first == key || (options && sample->first.starts_with(key))))
            << "no sample";
        // A profile stands for timers, so the rest is held still.
        File start;
        if (key == "peer.profile") {
            start = {{"peer.check_interval", "\"100ms\""},
                     {"peer.connect_timeout", "\"500ms\""},
                     {"peer.request_timeout", "\"500ms\""},
                     {"peer.takeover_delay", "\"1s\""}};
        } else if (key == "storage.options") {
            start = {{"storage.plugin", "\"vault\""}};
        }
        File end = start;
        end[sample->first] = sample->second.value;
        const ReloadPlan plan = plan_reload(with(start), with(end));
        const auto expected = ElementsAre(sample->second.line);
        const auto check = [&](const std::vector<ReloadChange>& changes, ReloadEffect one) {
            if (effect == one) {
                ASSERT_THAT(lines(changes), expected);
                EXPECT_EQ(changes.front().reason.empty(), effect == ReloadEffect::live);
            } else {
                EXPECT_THAT(lines(changes), IsEmpty());
            }
        };
        check(plan.live, ReloadEffect::live);
        check(plan.restart, ReloadEffect::restart);
        check(plan.ignored, ReloadEffect::first_start);
    }
}

TEST(ReloadTest, WhatIsAdoptedIsNoChangeAnyMore) {
    InstanceConfig running = with({});
    const InstanceConfig file = with({{"log.level", "\"debug\""},
                                      {"log.format", "\"json\""},
                                      {"peer.enabled", "false"},
                                      {"transport.peer.publish", "\"tcp://10.0.0.3:1\""},
                                      {"transport.peer.respond", "\"tcp://10.0.0.3:2\""},
                                      {"peer.permitted", "\"beta\""}});
    const ReloadPlan plan = plan_reload(running, file);
    EXPECT_EQ(plan.live.size(), 5u);
    for (const auto& change : plan.live) adopt(running, file, change.key);
    const ReloadPlan again = plan_reload(running, file);
    EXPECT_THAT(lines(again.live), IsEmpty());
    EXPECT_THAT(lines(again.restart), ElementsAre("peer.permitted - \"beta\""));
}

TEST(ReloadTest, AnEqualFileChangesNothing) {
    const ReloadPlan plan = plan_reload(with({}), with({{"log.level", "\"info\""}}));
    EXPECT_TRUE(plan.live.empty() && plan.restart.empty() && plan.ignored.empty());
}

TEST(ReloadTest, AProfileIsShownWithTheTimersThatItSets) {
    const ReloadPlan plan = plan_reload(with({}), with({{"peer.profile", "\"patient\""}}));
    EXPECT_THAT(lines(plan.restart), ElementsAre("peer.profile \"balanced\" \"patient\"",
                                                 "peer.check_interval \"100ms\" \"1s\"",
                                                 "peer.connect_timeout \"500ms\" \"2s\"",
                                                 "peer.request_timeout \"500ms\" \"3s\"",
                                                 HasSubstr("peer.takeover_delay \"500ms\"")));
}

TEST(ReloadTest, EqualOptionsInOtherWordsAreNoChange) {
    const File start{{"storage.plugin", "\"vault\""}, {"storage.options.wait", "\"1000ms\""}};
    EXPECT_THAT(plan_reload(with(start), with({{"storage.plugin", "\"vault\""}})).restart,
                IsEmpty());
}

TEST(ReloadTest, OptionsAreComparedOneByOneAndSecretsAreMasked) {
    const File start{{"storage.plugin", "\"vault\""}, {"storage.options.password", "\"old-word\""}};
    File end = start;
    end["storage.options.password"] = "\"new-word\"";
    end["storage.options.hosts"] = "[\"a\", \"b,c\"]";
    EXPECT_THAT(lines(plan_reload(with(start), with(end)).restart),
                ElementsAre("storage.options.hosts [\"a\"] [\"a\", \"b,c\"]",
                            "storage.options.password (secret) (secret)"));
    EXPECT_THAT(lines(plan_reload(with({{"storage.plugin", "\"vault\""}}), with(start)).restart),
                ElementsAre("storage.options.password - (secret)"));
}

TEST(ReloadTest, LiveOptionsChangeAtOnceAndTheOthersStayAsTheyAre) {
    const File start{{"storage.plugin", "\"vault\""}, {"storage.options.password", "\"word\""}};
    File end = start;
    end["storage.options.pace"] = "[\"y\", \"z\"]";
    end["storage.options.limit"] = "\"1MiB\"";
    end["storage.options.path"] = "\"kw\"";
    InstanceConfig running = with(start);
    {
        const InstanceConfig file = with(end);
        const ReloadPlan plan = plan_reload(running, file);
        EXPECT_THAT(lines(plan.live), ElementsAre("storage.options.limit - \"1MiB\"",
                                                  "storage.options.pace [\"x\"] [\"y\", \"z\"]"));
        EXPECT_THAT(lines(plan.restart), ElementsAre("storage.options.path \"kv\" \"kw\""));
        adopt(running, file, plan.live.front().key);
        EXPECT_THAT(plan_reload(running, file).live, IsEmpty());
        EXPECT_THAT(lines(plan_reload(running, file).restart),
                    ElementsAre("storage.options.path \"kv\" \"kw\""));
    }
    // What the plugin gets, with the file that it came from gone.
    const umbra_value* values = running.storage.options.data();
    ASSERT_EQ(running.storage.options.size(), 6u);
    EXPECT_EQ(std::string(values[0].text.ptr, values[0].text.len), "kv");
    EXPECT_EQ(std::string(values[1].text.ptr, values[1].text.len), "word");
    ASSERT_EQ(values[4].list_len, 2u);
    EXPECT_EQ(std::string(values[4].list[1].ptr, values[4].list[1].len), "z");
    EXPECT_EQ(values[5].present, 1u);
    EXPECT_EQ(values[5].integer, 1024 * 1024);
}

TEST(ReloadTest, AnotherPluginIsOneChangeWhateverItsOptionsAre) {
    const ReloadPlan plan = plan_reload(
        with({}), with({{"storage.plugin", "\"vault\""}, {"storage.options.path", "\"x\""}}));
    EXPECT_THAT(lines(plan.restart), ElementsAre("storage.plugin \"file\" \"vault\""));
}

TEST(ReloadTest, APeerThatIsEnabledWithItsTransportWaitsForARestart) {
    const File bare{{"instance.name", "\"alpha\""},
                    {"instance.role", "\"master\""},
                    {"instance.data_dir", "\"/var/lib/umbra\""}};
    const ReloadPlan plan = plan_reload(read(bare), with({}));
    EXPECT_THAT(plan.live, IsEmpty());
    EXPECT_THAT(lines(plan.restart),
                ElementsAre("peer.enabled false true", "transport.plugin - \"zeromq\"",
                            "transport.peer.publish - \"tcp://10.0.0.2:1\"",
                            "transport.peer.respond - \"tcp://10.0.0.2:2\""));
    EXPECT_THAT(plan.restart.front().reason, HasSubstr("[transport]"));
    // Off is possible at once, whatever becomes of the transport.
    EXPECT_THAT(lines(plan_reload(with({}), read(bare)).live),
                ElementsAre("peer.enabled true false"));
}

TEST(ReloadTest, EndpointsOfThePeerWaitForTheirPlugin) {
    const ReloadPlan plan =
        plan_reload(with({}), with({{"transport.plugin", "\"bare\""},
                                    {"transport.peer.publish", "\"tcp://10.0.0.3:1\""}}));
    EXPECT_THAT(plan.live, IsEmpty());
    EXPECT_EQ(plan.restart.size(), 2u);
}

}  // namespace
}  // namespace umbra::config
