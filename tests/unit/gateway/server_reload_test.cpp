// What a changed gateway file means for a running gateway, key by key.

#include "reload.hpp"
#include "settings.hpp"
#include "unit/base/temp_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>

namespace umbra::gateway {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

/// A file as its keys.
using File = std::map<std::string, std::string>;

const File usual_gateway{{"gateway.name", "\"cloud-1\""},
                         {"gateway.data_dir", "\"/g\""},
                         {"gateway.listen", "\"127.0.0.1:1\""},
                         {"gateway.socks5", "\"127.0.0.1:2\""},
                         {"listener.crm.address", "\"127.0.0.1:3\""},
                         {"listener.crm.virtual", "\"crm.cloud:80\""},
                         {"channel.db.target", "\"db.cloud:5432\""},
                         {"channel.db.address", "\"10.0.0.5:5432\""}};

/// What the other keys of the register need.
const File etcd_gateway{
    {"gateway.register.store", "\"etcd\""},   {"gateway.register.endpoints", "[\"http://e\"]"},
    {"gateway.register.user", "\"u\""},       {"gateway.register.password_file", "\"password\""},
    {"gateway.register.cert_file", "\"/c\""}, {"gateway.register.key_file", "\"/k\""}};

Settings settings_with(const File& changes, const File& also = {}) {
    File file = usual_gateway;
    file.insert(also.begin(), also.end());
    for (const auto& [key, value] : changes) {
        file[key] = value;
        if (value.empty()) file.erase(key);
    }
    const test::TempDirectory directory;
    for (const char* name : {"password", "other"}) std::ofstream{directory.path() / name} << "p";
    const auto path = directory.path() / "gateway.toml";
    std::ofstream out{path};
    for (const auto& [key, value] : file) out << key << " = " << value << "\n";
    out.close();
    const auto load = load_settings(path);
    EXPECT_TRUE(load.settings) << load.problems.render();
    return load.settings.value_or(Settings{});
}

struct Sample {
    std::string value, line;
    bool live = false;
};
const std::map<std::string, Sample> reload_samples{
    {"gateway.name", {"\"cloud-2\"", "gateway.name: cloud-1 -> cloud-2 ("}},
    {"gateway.data_dir", {"\"/h\"", "gateway.data_dir: /g -> /h ("}},
    {"gateway.listen", {"\"127.0.0.1:9\"", "gateway.listen: 127.0.0.1:1 -> 127.0.0.1:9 ("}},
    {"gateway.lease", {"\"1s\"", "gateway.lease: 600ms -> 1s ("}},
    {"gateway.threads", {"2", "gateway.threads: 0 -> 2 ("}},
    {"gateway.register.store", {"\"etcd\"", "gateway.register.store: file -> etcd ("}},
    {"gateway.register.endpoints", {"[\"http://f\"]", "gateway.register.endpoints: http://e -> "}},
    {"gateway.register.prefix", {"\"/y\"", "gateway.register.prefix: /umbra-gateway/ -> /y/ ("}},
    {"gateway.register.user", {"\"v\"", "gateway.register.user: u -> v ("}},
    {"gateway.register.password_file", {"\"other\"", "gateway.register.password_file: /"}},
    {"gateway.register.ca_file", {"\"/a\"", "gateway.register.ca_file: none -> /a ("}},
    {"gateway.register.cert_file", {"\"/d\"", "gateway.register.cert_file: /c -> /d ("}},
    {"gateway.register.key_file", {"\"/l\"", "gateway.register.key_file: /k -> /l ("}},
    {"gateway.register.hold", {"\"8s\"", "gateway.register.hold: 5s -> 8s ("}},
    {"gateway.park.time", {"\"5s\"", "gateway.park.time: 10s -> 5s", true}},
    {"gateway.park.clients", {"7", "gateway.park.clients: 1024 -> 7", true}},
    {"gateway.socks5", {"\"127.0.0.1:9\"", "gateway.socks5: 127.0.0.1:2 -> 127.0.0.1:9", true}},
    {"gateway.http_connect",
     {"\"127.0.0.1:9\"", "gateway.http_connect: none -> 127.0.0.1:9", true}},
    {"gateway.clients.allow",
     {"[\"10.0.0.0/8\"]", "gateway.clients.allow: everybody -> 10.0.0.0/8", true}},
    {"gateway.clients.total", {"7", "gateway.clients.total: none -> 7", true}},
    {"gateway.clients.per_source", {"7", "gateway.clients.per_source: none -> 7", true}},
    {"admin.listen", {"\"unix:/a\"", "admin.listen: unix:/run/umbra-gateway/admin.sock -> "}},
    {"listener.address",
     {"\"127.0.0.1:9\"", "listener.crm.address: 127.0.0.1:3 -> 127.0.0.1:9", true}},
    {"listener.virtual", {"\"erp.cloud:1\"", "listener.crm.virtual: crm.cloud:80 -> erp.", true}},
    {"listener.pair", {"\"two\"", "listener.crm.pair: default -> two", true}},
    {"listener.allow", {"[\"::1\"]", "listener.crm.allow: none -> ::1/128", true}},
    {"listener.clients", {"7", "listener.crm.clients: none -> 7", true}},
    {"listener.clients_per_source", {"7", "listener.crm.clients_per_source: none -> 7", true}},
    {"listener.proxy_from", {"[\"::1\"]", "listener.crm.proxy_from: none -> ::1/128", true}},
    {"channel.target", {"\"x.cloud:1\"", "channel.db.target: db.cloud:5432 -> x.cloud:1", true}},
    {"channel.address", {"\"10.0.0.6:1\"", "channel.db.address: 10.0.0.5:5432 -> 10.", true}},
    {"channel.pair", {"\"two\"", "channel.db.pair: default -> two", true}},
};

void collect(const config::Table& table, const std::string& path, std::set<std::string>& keys) {
    const std::string lead = path.empty() ? "" : path + ".";
    for (const auto& key : table.keys) keys.insert(lead + key.name);
    for (const auto& inner : table.tables) collect(inner, lead + inner.name, keys);
}

std::vector<std::string> doors(const std::vector<NewDoor>& open) {
    std::vector<std::string> out;
    for (const auto& door : open) out.push_back(door.what + " " + to_string(door.address));
    return out;
}

TEST(GatewayReloadTest, EveryKeyOfTheSchemaIsDecidedAbout) {
    std::set<std::string> keys;
    collect(settings_schema(), "", keys);
    const auto decided = reload_keys();
    EXPECT_EQ(std::set<std::string>(decided.begin(), decided.end()), keys)
        << "a key of the gateway file needs a row in reload.cpp";
}

TEST(GatewayReloadTest, EveryKeyIsFoundWhereItsDecisionSaysAndAlone) {
    for (std::string key : reload_keys()) {
        SCOPED_TRACE(key);
        ASSERT_TRUE(reload_samples.contains(key)) << "no sample";
        const Sample& sample = reload_samples.at(key);
        if (key.starts_with("listener.")) key.insert(9, "crm.");
        if (key.starts_with("channel.")) key.insert(8, "db.");
        if (key == "gateway.register.store") continue;  // Not alone: see below.
        const File also = key.starts_with("gateway.register.") ? etcd_gateway : File{};
        Settings running = settings_with({}, also),
                 file = settings_with({{key, sample.value}}, also);
        // Paths are relative to their file, and these are two.
        if (also.empty() || key != "gateway.register.password_file") {
            if (running.shared) file.shared->password_file = running.shared->password_file;
        }
        const auto plan = plan_reload(running, file);
        EXPECT_THAT(sample.live ? plan.live : plan.restart, ElementsAre(StartsWith(sample.line)));
        EXPECT_THAT(sample.live ? plan.restart : plan.live, IsEmpty());
        // What was taken over is no change any more; what waits is told again.
        const auto again = plan_reload(plan.next, file);
        EXPECT_THAT(again.live, IsEmpty());
        EXPECT_THAT(again.restart, SizeIs(sample.live ? 0 : 1));
    }
}

TEST(GatewayReloadTest, AnotherStoreWaitsForARestart) {
    const auto plan = plan_reload(settings_with({}), settings_with({}, etcd_gateway));
    EXPECT_THAT(plan.live, IsEmpty());
    EXPECT_THAT(plan.restart,
                Contains(StartsWith(reload_samples.at("gateway.register.store").line)));
    EXPECT_FALSE(plan.next.shared);
}

TEST(GatewayReloadTest, DoorsOpenAndCloseWithTheirKeys) {
    const auto plan =
        plan_reload(settings_with({}), settings_with({
                                           {"gateway.socks5", ""},
                                           {"gateway.http_connect", "\"127.0.0.1:5\""},
                                           {"listener.crm.address", ""},
                                           {"listener.crm.virtual", ""},
                                           {"listener.erp.address", "\"127.0.0.1:6\""},
                                           {"listener.erp.virtual", "\"erp.cloud:80\""},
                                       }));
    EXPECT_THAT(doors(plan.open),
                ElementsAre("http_connect 127.0.0.1:5", "listener erp:6 127.0.0.1:6"));
    EXPECT_THAT(plan.close, ElementsAre("socks5", "listener crm:3"));
    EXPECT_EQ(plan.next.listeners.size(), 1u);
}

TEST(GatewayReloadTest, OfARangeOnlyPortsThatAreNewOrGoneAreTouched) {
    const auto range = [](const char* ports) {
        return settings_with({{"listener.crm.address", "\"127.0.0.1:" + std::string(ports) + "\""},
                              {"listener.crm.virtual", "\"crm.cloud:1-3\""}});
    };
    const auto plan = plan_reload(range("8-10"), range("9-11"));
    EXPECT_THAT(doors(plan.open), ElementsAre("listener crm:11 127.0.0.1:11"));
    EXPECT_THAT(plan.close, ElementsAre("listener crm:8"));
}

TEST(GatewayReloadTest, AnotherVirtualHostNeedsNoOtherDoor) {
    const auto plan =
        plan_reload(settings_with({}), settings_with({{"listener.crm.virtual", "\"x.cloud:1\""}}));
    EXPECT_THAT(doors(plan.open), IsEmpty());
    EXPECT_THAT(plan.close, IsEmpty());
    EXPECT_EQ(plan.next.listeners.front().virtual_at.host, "x.cloud");
}

}  // namespace
}  // namespace umbra::gateway
