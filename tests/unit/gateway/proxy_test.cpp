// Which proxy leads to the gateway, and what is said to it.

#include "proxy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace umbra::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const Endpoint gateway{"gw.example", 7443};

/// "" = none; else "host:port", with "user@" if there is one.
std::string chosen(const ProxyOptions& options, const ProxyEnvironment& environment = {}) {
    const auto proxy = choose_proxy(options, environment, gateway);
    if (!proxy) return "wrong: " + proxy.error().message;
    if (!*proxy) return "";
    return ((*proxy)->user.empty() ? "" : (*proxy)->user + "@") + to_text((*proxy)->at);
}

TEST(ProxyTest, AnOptionNamesIt) {
    EXPECT_EQ(chosen({}), "");
    EXPECT_EQ(chosen({"10.0.0.1:3128", {}, {}}), "10.0.0.1:3128");
    EXPECT_EQ(chosen({"http://proxy:8080/", {}, {}}), "proxy:8080");
    EXPECT_EQ(chosen({"http://[2001:db8::1]:8080", {}, {}}), "[2001:db8::1]:8080");
    EXPECT_EQ(chosen({"http://joe%40corp@proxy:8080", {}, {}}), "joe@corp@proxy:8080");
    EXPECT_EQ(chosen({"proxy:8080", "joe", "/secret"}), "joe@proxy:8080");
    EXPECT_EQ(chosen({"proxy", {}, {}}), "proxy:1080") << "as curl has it";
}

TEST(ProxyTest, WrongOptionsAreToldWithoutPasswords) {
    const auto wrong = [](const ProxyOptions& options, const std::string& sentence) {
        EXPECT_THAT(chosen(options), HasSubstr("wrong: " + sentence));
        EXPECT_THAT(chosen(options), Not(HasSubstr("geheim")));
    };
    wrong({"http://joe:geheim@proxy:1", {}, {}}, "the option proxy holds a password");
    wrong({"socks5://proxy:1", {}, {}}, "the option proxy names a proxy of the kind socks5");
    wrong({"https://proxy:1", {}, {}}, "the option proxy names a proxy of the kind https");
    wrong({"proxy:99999", {}, {}}, "the option proxy has to be host:port");
    wrong({"", {}, {}}, "the option proxy has to be host:port");
    wrong({"http://a%0d%0ab@proxy:1", {}, {}}, "the option proxy holds a user that cannot");
    wrong({"http://a%4@proxy:1", {}, {}}, "the option proxy holds a user that cannot");
    wrong({"proxy:1", "a:b", {}}, "the option proxy_user holds a user that cannot");
    wrong({"http://joe@proxy:1", "ann", {}}, "the option proxy_user contradicts");
    wrong({"proxy:1", {}, "/secret"}, "the option proxy_password_file needs proxy_user");
    wrong({"none", "joe", {}}, "the option proxy is \"none\"");
}

TEST(ProxyTest, WithoutTheOptionTheEnvironmentDecides) {
    const ProxyEnvironment environment{"http://joe:geheim@proxy:8080", "https_proxy", ""};
    const auto proxy = choose_proxy({}, environment, gateway);
    ASSERT_TRUE(proxy && *proxy);
    EXPECT_EQ((*proxy)->at, (Endpoint{"proxy", 8080}));
    EXPECT_EQ((*proxy)->password, "geheim");
    EXPECT_EQ((*proxy)->origin, "the environment variable https_proxy");
    EXPECT_EQ(chosen({"none", {}, {}}, environment), "");
    EXPECT_EQ(chosen({"other:1", {}, {}}, environment), "other:1");
    EXPECT_EQ(chosen({}, {"proxy:1", "ALL_PROXY", "example"}), "") << "NO_PROXY covers the gateway";
    EXPECT_EQ(chosen({"other:1", {}, {}}, {"", "", "*"}), "other:1") << "an option is an order";
    EXPECT_THAT(chosen({}, {"socks5://proxy:1", "ALL_PROXY", ""}),
                HasSubstr("wrong: the environment variable ALL_PROXY names a proxy of the kind"));
}

TEST(ProxyTest, TheEnvironmentIsReadAsCurlReadsIt) {
    const auto variables = {"https_proxy", "HTTPS_PROXY", "all_proxy",
                            "ALL_PROXY",   "no_proxy",    "NO_PROXY"};
    for (const char* name : variables) ::unsetenv(name);
    EXPECT_EQ(ProxyEnvironment::of_process().proxy, "");
    ::setenv("ALL_PROXY", "d:1", 1);
    EXPECT_EQ(ProxyEnvironment::of_process().name, "ALL_PROXY");
    ::setenv("HTTPS_PROXY", "b:1", 1);
    EXPECT_EQ(ProxyEnvironment::of_process().proxy, "b:1");
    ::setenv("https_proxy", "a:1", 1);
    EXPECT_EQ(ProxyEnvironment::of_process().proxy, "a:1");
    ::setenv("https_proxy", "", 1);
    EXPECT_EQ(ProxyEnvironment::of_process().name, "HTTPS_PROXY");
    ::setenv("NO_PROXY", "x", 1);
    EXPECT_EQ(ProxyEnvironment::of_process().no_proxy, "x");
    for (const char* name : variables) ::unsetenv(name);
}

TEST(ProxyTest, HostsThatNeedNoProxy) {
    EXPECT_TRUE(bypasses_proxy("*", "gw.example"));
    for (const char* list : {"gw.example", "a, gw.example", "a b gw.example", "example", ".example",
                             "EXAMPLE", "gw.example."})
        EXPECT_TRUE(bypasses_proxy(list, "gw.example")) << list;
    for (const char* list : {"", ",", "ample", "w.example", "gw", "x.gw.example", "10.0.0.0/8"})
        EXPECT_FALSE(bypasses_proxy(list, "gw.example")) << list;
    EXPECT_TRUE(bypasses_proxy("10.0.0.0/8", "10.1.2.3"));
    EXPECT_TRUE(bypasses_proxy("10.1.2.3", "10.1.2.3"));
    EXPECT_TRUE(bypasses_proxy("2001:db8::/32", "2001:db8::5"));
    EXPECT_TRUE(bypasses_proxy("[2001:db8::5]", "2001:db8::5"));
    for (const char* list : {"10.0.0.0/16", "1.2.3", "2001:db8::/32", "10.1.2.3.4"})
        EXPECT_FALSE(bypasses_proxy(list, "10.1.2.3")) << list;
}

TEST(ProxyTest, TheRequestCarriesTheLogin) {
    EXPECT_EQ(connect_request(gateway, {{"proxy", 1}}, ""),
              "CONNECT gw.example:7443 HTTP/1.1\r\nHost: gw.example:7443\r\n\r\n");
    // RFC 7617, section 2.
    EXPECT_EQ(connect_request({"2001:db8::1", 443}, {{"proxy", 1}, "Aladdin"}, "open sesame"),
              "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n"
              "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
}

std::string answered(std::string_view bytes, const std::string& user = "") {
    ConnectAnswer answer(gateway, {{"proxy", 1}, user, "", "", "the option proxy"});
    for (std::size_t i = 0; i < bytes.size(); ++i)
        if (const auto told = answer.feed(bytes.substr(i, 1)))
            return *told ? "ok" : told->error().message;
    return "";
}

TEST(ProxyTest, TheAnswerDecides) {
    EXPECT_EQ(answered("HTTP/1.1 200 OK\r\n\r\n"), "ok");
    EXPECT_EQ(answered("HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n"), "ok");
    EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nVia: x\r\n"), "") << "more is to come";
    EXPECT_EQ(answered("HTTP/1.1 403 Not\x1b here\r\n\r\n"),
              "the proxy proxy:1 (of the option proxy) does not connect to gw.example:7443: 403 "
              "Not? here");
    EXPECT_THAT(answered("HTTP/1.1 407 Auth\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n"),
                HasSubstr("wants a user and a password: set proxy_user and proxy_password_file"));
    EXPECT_THAT(answered("HTTP/1.1 407 A\r\nProxy-Authenticate: basic realm=x\r\n\r\n", "joe"),
                HasSubstr("does not accept the password of user joe"));
    EXPECT_THAT(answered("HTTP/1.1 407 A\r\nProxy-Authenticate: NTLM\r\n"
                         "proxy-authenticate: Negotiate\r\n\r\n"),
                HasSubstr("wants a login by NTLM, Negotiate, this version knows Basic"));
    EXPECT_THAT(answered("HTTP/1.1 401 Unauthorized\r\n\r\n", "joe"),
                HasSubstr("does not accept the password of user joe"));
    EXPECT_THAT(answered("HTTP/1.1 401 Unauthorized\r\n\r\n"), HasSubstr(": 401 Unauthorized"));
    for (const char* other : {"SSH-2.0-OpenSSH\r\n", "HTTP/2 200\r\n\r\n",
                              "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1200 OK\r\n\r\n", "\r\n\r\n"})
        EXPECT_THAT(answered(other), HasSubstr("does not answer like an HTTP proxy")) << other;
}

TEST(ProxyTest, AHeadIsReadUpToItsLimit) {
    const auto of_size = [](std::size_t size) {
        std::string head = "HTTP/1.1 200 OK\r\nX: ";
        return head + std::string(size - head.size() - 4, 'x') + "\r\n\r\n";
    };
    const auto at_once = [](const std::string& head) {
        ConnectAnswer answer(gateway, {{"proxy", 1}});
        const auto told = answer.feed(head);
        return told.has_value() && told->ok();
    };
    EXPECT_EQ(answered(of_size(proxy_head_max)), "ok");
    EXPECT_TRUE(at_once(of_size(proxy_head_max)));
    EXPECT_THAT(answered(of_size(proxy_head_max + 1)), HasSubstr("does not answer like"));
    EXPECT_FALSE(at_once(of_size(proxy_head_max + 1)));
}

TEST(ProxyTest, BytesBehindTheAnswerAreNotTheGateways) {
    ConnectAnswer answer(gateway, {{"proxy", 1}});
    const auto told = answer.feed("HTTP/1.1 200 OK\r\n\r\nX");
    ASSERT_TRUE(told);
    EXPECT_FALSE(told->ok());
}

TEST(ProxyTest, APasswordIsTheFirstLineOfItsFile) {
    const std::string path =
        ::testing::TempDir() + "umbra-proxy-password-" + std::to_string(::getpid());
    const auto read = [&](const std::string& content) {
        std::ofstream(path) << content;
        auto got = read_proxy_password(path);
        return got ? *got : "wrong: " + got.error().message;
    };
    EXPECT_EQ(read("geheim\n"), "geheim");
    EXPECT_EQ(read("geheim\r\nmore"), "geheim");
    EXPECT_EQ(read("ge heim"), "ge heim");
    EXPECT_EQ(read(std::string(proxy_password_max, 'x')), std::string(proxy_password_max, 'x'));
    EXPECT_THAT(read(std::string(proxy_password_max + 1, 'x')), HasSubstr("longer than 1024"));
    EXPECT_THAT(read("\n"), HasSubstr("is empty"));
    ::unlink(path.c_str());
    EXPECT_EQ(read_proxy_password(path).error().code, Errc::unavailable);
}

}  // namespace
}  // namespace umbra::gateway
