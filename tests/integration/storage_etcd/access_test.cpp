// Who is let in, and who is believed.

#include "integration/storage_etcd/etcd_fixture.hpp"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>

namespace umbra::plugin_test {
namespace {

using std::chrono::steady_clock;

class EtcdUsers : public EtcdTest {
protected:
    void SetUp() override {
        for (const char* step : {"user add root:secret", "role add writer",
                                 "role grant-permission writer readwrite --prefix=true /test/",
                                 "user add umbra:geheim", "user grant-role umbra writer",
                                 "user grant-role root root", "auth enable"})
            (void)server_.control(step);
    }
    [[nodiscard]] OptionValues as(const std::string& user, const std::string& password) const {
        return with(with(options_for(server_), "user", user), "password", password);
    }

    EtcdServer server_;
};

TEST_F(EtcdUsers, TheRightPasswordWorksAlsoAfterEtcdForgotItsTokens) {
    const auto opened = open(as("umbra", "geheim"));
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    ASSERT_TRUE(append(1, 3).ok());
    server_.kill();
    server_.start();
    const auto answer = append(4, 4);
    ASSERT_TRUE(answer.ok()) << answer.error().message;
    EXPECT_EQ(*storage().read(1, 9).get(), entries_of(1, 4));

    // Takes the tokens of the user away.
    (void)server_.control(
        "--user=root:secret user passwd umbra --interactive=false << END\ngeheim\nEND\n");
    const auto again = append(5, 5);
    ASSERT_TRUE(again.ok()) << again.error().message;

    const auto path = directory_.path() + "/password";
    std::ofstream{path} << "geheim\n";
    auto options = with(with(options_for(server_), "user", "umbra"), "password_file", path);
    EXPECT_EQ(open(options)->last.seq, 5u);
}

TEST_F(EtcdUsers, WhoMayNotIsToldAtOnce) {
    const auto began = steady_clock::now();
    expect_error(open(as("umbra", "wrong")), Errc::denied, "check the options user and password");
    expect_error(open(as("nobody", "geheim")), Errc::denied, "check the options user and password");
    expect_error(open(options_for(server_)), Errc::denied, "set the options user and password");
    expect_error(open(with(as("umbra", "geheim"), "prefix", "/other/")), Errc::denied,
                 "grant the user read and write access to the prefix");
    EXPECT_LT(steady_clock::now() - began, std::chrono::seconds{20}) << "patience is 30 s each";
}

TEST(EtcdWithoutUsers, APasswordForNothingIsToldAtOnce) {
    const EtcdServer server;
    const TemporaryDirectory directory;
    const PluginFile file{storage_under_test().file, UMBRA_KIND_STORAGE};
    StorageDriver storage{file,
                          directory.path(),
                          {{"endpoints", std::vector<std::string>{server.url()}},
                           {"user", "umbra"},
                           {"password", "geheim"}}};
    const auto opened = storage.open().get();
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code, Errc::denied) << opened.error().message;
}

class EtcdTls : public EtcdTest {
protected:
    EtcdServer server_{true};
    OptionValues trusted_ = with(options_for(server_), "ca_file", server_.ca_file());
};

TEST_F(EtcdTls, AMemberThatTheAuthorityVouchesForIsUsed) {
    const auto opened = open(trusted_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    ASSERT_TRUE(storage().append({entry_of(1, std::string(3'000'000, 't'))}).get().ok());
    server_.kill();
    server_.start();
    ASSERT_TRUE(append(2, 3).ok());
    EXPECT_EQ(open(trusted_)->last.seq, 3u);
}

TEST_F(EtcdTls, AMemberThatNobodyVouchesForIsRefusedAtOnce) {
    const auto began = steady_clock::now();
    expect_error(open(with(trusted_, "ca_file", server_.wrong_ca_file())), Errc::denied,
                 "its certificate is not accepted");
    expect_error(open(options_for(server_)), Errc::denied, "its certificate is not accepted");
    // The certificate is for 127.0.0.1.
    const std::vector<std::string> by_name{"https://localhost:" + server_.port()};
    expect_error(open(with(trusted_, "endpoints", by_name)), Errc::denied,
                 "its certificate is not accepted");
    EXPECT_LT(steady_clock::now() - began, std::chrono::seconds{20}) << "patience is 30 s each";
    EXPECT_EQ(server_.control("get --prefix / --keys-only"), "");
}

TEST_F(EtcdTls, PlainHttpIsNotSpokenToATlsPort) {
    const std::vector<std::string> plain{"http://127.0.0.1:" + server_.port()};
    const auto options = with(with(trusted_, "endpoints", plain), "patience", std::int64_t{0});
    EXPECT_FALSE(open(options).ok());
}

TEST_F(EtcdTls, FilesThatCannotBeReadAreNamed) {
    expect_error(open(with(trusted_, "ca_file", "/nonexistent/ca.pem")), Errc::invalid,
                 "ca_file /nonexistent/ca.pem");
}

TEST(EtcdOptions, MistakesAreRefusedBeforeAnythingIsAsked) {
    const PluginFile file{storage_under_test().file, UMBRA_KIND_STORAGE};
    const TemporaryDirectory directory;
    const OptionValues good{{"endpoints", std::vector<std::string>{"http://127.0.0.1:1"}}};
    const auto refused = [&](const std::string& name, const OptionValue& value) {
        auto options = good;
        options[name] = value;
        const PluginInstance instance{file, directory.path(), options};
        EXPECT_EQ(instance.self(), nullptr) << name;
        EXPECT_EQ(instance.why().code, Errc::invalid) << name;
        return instance.why().message;
    };
    using List = std::vector<std::string>;
    EXPECT_NE(refused("endpoints", List{"ftp://x"}).find("\"ftp://x\""), std::string::npos);
    (void)refused("endpoints", List{});
    (void)refused("endpoints", List(17, "http://127.0.0.1:1"));
    (void)refused("prefix", "");
    (void)refused("prefix", "with space");
    (void)refused("prefix", std::string(201, 'p'));
    (void)refused("user", "without a password");
    (void)refused("password", "without a user");
    (void)refused("cert_file", "/without/key");
    const PluginInstance fine{file, directory.path(), good};
    EXPECT_NE(fine.self(), nullptr);
    auto both = good;
    both["user"] = "u";
    both["password"] = "p";
    both["password_file"] = "/p";
    EXPECT_EQ((PluginInstance{file, directory.path(), both}.self()), nullptr);
}

}  // namespace
}  // namespace umbra::plugin_test
