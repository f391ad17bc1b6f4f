// [gateway.register] of gateway.toml.

#include "settings.hpp"
#include "unit/base/temp_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace umbra::gateway {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

class RegisterSettingsTest : public ::testing::Test {
protected:
    SettingsLoad load(const std::string& table) {
        const auto path = directory.path() / "gateway.toml";
        std::ofstream(path) << "[gateway]\nname = \"g\"\ndata_dir = \"/g\"\n"
                            << "listen = \"127.0.0.1:1\"\n[gateway.register]\n"
                            << table;
        return load_settings(path);
    }
    std::string mistakes(const std::string& table) { return load(table).problems.render(); }

    test::TempDirectory directory;
};

TEST_F(RegisterSettingsTest, AFileIsTheDefault) {
    EXPECT_FALSE(load("").settings->shared);
    EXPECT_FALSE(load("store = \"file\"\n").settings->shared);
}

TEST_F(RegisterSettingsTest, EtcdIsReadWithItsPassword) {
    std::ofstream(directory.path() / "password") << "secret\nmore";
    const auto read = load(
        "store = \"etcd\"\nendpoints = [\"https://e-1:1\", \"http://e-2\"]\nprefix = \"/x\"\n"
        "user = \"u\"\npassword_file = \"password\"\nhold = \"8s\"\n");
    ASSERT_TRUE(read.settings) << read.problems.render();
    const auto& shared = *read.settings->shared;
    EXPECT_EQ(shared.client.endpoints.size(), 2u);
    EXPECT_EQ(shared.endpoints, "https://e-1:1, http://e-2");
    EXPECT_EQ(shared.prefix, "/x/");
    EXPECT_EQ(shared.client.password, "secret");
    EXPECT_EQ(shared.hold, Duration(8s));
    EXPECT_EQ(shared.client.request_timeout, Duration(2s));
}

TEST_F(RegisterSettingsTest, TheExampleIsValid) {
    const auto example = load_settings(UMBRA_EXAMPLES "/gateway-etcd.toml");
    ASSERT_TRUE(example.settings) << example.problems.render();
    EXPECT_EQ(example.settings->shared->client.endpoints.size(), 3u);
}

TEST_F(RegisterSettingsTest, EveryMistakeIsNamed) {
    EXPECT_THAT(mistakes("store = \"ectd\"\n"), HasSubstr("\"etcd\""));
    EXPECT_THAT(mistakes("store = \"etcd\"\n"), HasSubstr("needs endpoints"));
    EXPECT_THAT(mistakes("endpoints = [\"http://e\"]\n"), HasSubstr("of no use with store"));
    EXPECT_THAT(mistakes("store = \"etcd\"\nendpoints = [\"e:1\", \"ftp://e\"]\nprefix = \"a b\"\n"
                         "cert_file = \"/c\"\nuser = \"u\"\nhold = \"1s\"\n"),
                AllOf(HasSubstr("\"e:1\" is not the address"), HasSubstr("\"ftp://e\" is not"),
                      HasSubstr("\"a b\" cannot begin a key"), HasSubstr("cert_file and key_file"),
                      HasSubstr("user and password_file"), HasSubstr("shorter than two leases")));
    EXPECT_THAT(mistakes("store = \"etcd\"\nendpoints = [\"http://e\"]\nuser = \"u\"\n"
                         "password_file = \"/nowhere/p\"\n"),
                HasSubstr("cannot read a password from /nowhere/p"));
    EXPECT_EQ(mistakes("store = \"etcd\"\nendpoints = [\"http://e\"]\nhold = \"1200ms\"\n"), "");
}

}  // namespace
}  // namespace umbra::gateway
