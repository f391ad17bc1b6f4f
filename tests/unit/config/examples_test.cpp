#include "sample_catalog.hpp"
#include <umbra/config/check_file.hpp>
#include <umbra/config/instance_file.hpp>
#include <umbra/config/shared_config.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace umbra::config {
namespace {

using testing::IsEmpty;

const std::filesystem::path examples = UMBRA_EXAMPLES;

class ExamplesTest : public testing::Test {
protected:
    const SampleCatalog catalog_;
};

TEST_F(ExamplesTest, TheTwoOfThePairFitTogether) {
    const InstanceLoad alpha = load_instance_file(examples / "pair-alpha.toml", catalog_);
    const InstanceLoad beta = load_instance_file(examples / "pair-beta.toml", catalog_);
    ASSERT_THAT(told(alpha.problems), IsEmpty());
    ASSERT_THAT(told(beta.problems), IsEmpty());
    EXPECT_EQ(alpha.config->role, core::Role::master);
    EXPECT_EQ(beta.config->role, core::Role::shadow);
    EXPECT_EQ(alpha.config->peer.permitted, beta.config->name);
    EXPECT_EQ(beta.config->peer.permitted, alpha.config->name);
    const auto port = [](const std::string& url) { return url.substr(url.rfind(':')); };
    EXPECT_EQ(port(alpha.config->transport.peer_publish), port(beta.config->transport.own_publish));
    EXPECT_EQ(port(alpha.config->transport.peer_respond), port(beta.config->transport.own_respond));
    EXPECT_EQ(port(beta.config->transport.peer_publish), port(alpha.config->transport.own_publish));
    EXPECT_EQ(port(beta.config->transport.peer_respond), port(alpha.config->transport.own_respond));
    EXPECT_EQ(alpha.config->shared_initial, examples / "shared.toml");
    EXPECT_FALSE(beta.config->shared_initial);
}

TEST_F(ExamplesTest, TheCommentedTimersAreTheDefaults) {
    Problems problems;
    const auto source = Source::read(examples / "pair-alpha.toml", problems);
    ASSERT_TRUE(source);
    std::string text = source->text();
    for (const char* key :
         {"check_interval", "connect_timeout", "request_timeout", "takeover_delay"}) {
        const std::size_t at = text.find("# " + std::string(key) + " =");
        ASSERT_NE(at, std::string::npos) << key;
        text.erase(at, 2);
    }
    const auto with =
        load_instance(Source::from_text(text, "alpha"),
                      [this](const auto&) -> const PluginCatalog& { return catalog_; });
    const auto without = load_instance_file(examples / "pair-alpha.toml", catalog_);
    ASSERT_THAT(told(with.problems), IsEmpty());
    EXPECT_TRUE(with.config->peer.takeover_delay_given);
    EXPECT_FALSE(without.config->peer.takeover_delay_given);
    EXPECT_EQ(with.config->peer.check_interval, without.config->peer.check_interval);
    EXPECT_EQ(with.config->peer.connect_timeout, without.config->peer.connect_timeout);
    EXPECT_EQ(with.config->peer.request_timeout, without.config->peer.request_timeout);
    EXPECT_EQ(with.config->peer.takeover_delay, without.config->peer.takeover_delay);
}

TEST_F(ExamplesTest, AllPassTheCheck) {
    const OpenCatalog open = [this](const auto&) -> const PluginCatalog& { return catalog_; };
    for (const char* name : {"pair-alpha.toml", "pair-beta.toml", "shared.toml",
                             "shared-gateways.toml", "shared-mappings.toml"}) {
        EXPECT_THAT(told(check_file(examples / name, open, {}).problems), IsEmpty());
    }
    EXPECT_EQ(check_file(examples / "gateway.toml", open, {}).kind, FileKind::gateway);
    const SharedLoad shared = load_shared_file(examples / "shared.toml", catalog_);
    ASSERT_TRUE(shared.config);
    EXPECT_EQ(shared.config->tunnels.at(0).mappings.size(), 1u);
    EXPECT_EQ(shared.config->tunnels.at(0).channels.size(), 1u);
    EXPECT_EQ(shared.config->probes.size(), 1u);
    const SharedLoad two = load_shared_file(examples / "shared-gateways.toml", catalog_);
    ASSERT_TRUE(two.config);
    EXPECT_EQ(two.config->takeover.register_of_record, "main");
}

}  // namespace
}  // namespace umbra::config
