#include "mappings_file.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>

namespace umbra::exec_tunnel {
namespace {

TEST(MappingsFile, NothingIsAnEmptyList) {
    EXPECT_EQ(mappings_json("main", {"alpha", "1", 3, {}, {}}, 7),
              R"({"tunnel": "main", "instance": "alpha", "epoch": 7, "mappings": [], )"
              R"("channels": []})"
              "\n");
}

TEST(MappingsFile, EverythingThatWasConfiguredIsThere) {
    Mapping crm{"crm", "crm.cloud", 8080, 8081, "10.0.0.1", 8000, "http+tls", true};
    crm.backends = {{"10.0.0.1", 8000, true}, {"10.0.0.2", 8000}};
    crm.tls = {"crm.internal", "/ca.pem", "sha256:ab"};
    crm.proxy_v2 = true;
    crm.resources = {{"api", "/api", true, {"GET", "POST"}, true, false}};
    const Mapping plain{"erp", "erp.cloud", 80, 0, "::1", 81, "tcp", false};
    EXPECT_EQ(
        mappings_json("main", {"alpha", "1", 0, {crm, plain}, {{"db", "127.0.0.1:1", "db:2"}}}, 1),
        R"({"tunnel": "main", "instance": "alpha", "epoch": 1, "mappings": [)"
        R"({"name": "crm", "virtual_host": "crm.cloud", "virtual_port": 8080, )"
        R"("virtual_port_last": 8081, "internal_host": "10.0.0.1", "internal_port": 8000, )"
        R"("protocol": "http+tls", "active": true, "backends": [)"
        R"({"host": "10.0.0.1", "port": 8000, "down": true}, )"
        R"({"host": "10.0.0.2", "port": 8000, "down": false}], )"
        R"("tls": {"server_name": "crm.internal", "ca_file": "/ca.pem", "pin": "sha256:ab"}, )"
        R"("proxy_v2": true, "rewrite_host": false, "resources": [)"
        R"({"name": "api", "path": "/api", "sub_paths": true, "methods": ["GET", "POST"], )"
        R"("upgrade": true, "active": false}]}, )"
        R"({"name": "erp", "virtual_host": "erp.cloud", "virtual_port": 80, )"
        R"("virtual_port_last": 80, "internal_host": "::1", "internal_port": 81, )"
        R"("protocol": "tcp", "active": false, )"
        R"("backends": [{"host": "::1", "port": 81, "down": false}], )"
        R"("tls": {"server_name": "", "ca_file": "", "pin": ""}, "proxy_v2": false, )"
        R"("rewrite_host": false, "resources": []}], )"
        R"("channels": [{"name": "db", "listen": "127.0.0.1:1", "target": "db:2"}]})"
        "\n");
}

TEST(MappingsFile, TextIsEscaped) {
    const auto json = mappings_json("a\"b\\c\n\x1f", {}, 0);
    EXPECT_NE(json.find(R"("tunnel": "a\"b\\c\u000a\u001f")"), std::string::npos) << json;
}

TEST(MappingsFile, AFileIsReplacedAsAWholeAndForItsOwnerOnly) {
    std::string directory = std::filesystem::temp_directory_path() / "umbra-test-XXXXXX";
    ASSERT_NE(::mkdtemp(directory.data()), nullptr);
    const auto path = directory + "/mappings.json";
    EXPECT_TRUE(replace_file(path, "a longer text").ok());
    EXPECT_TRUE(replace_file(path, "short").ok());
    std::ifstream file{path};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    EXPECT_EQ(text, "short");
    struct stat found {};
    EXPECT_EQ(::stat(path.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0600u);
    EXPECT_FALSE(std::filesystem::exists(path + ".tmp"));
    const auto failed = replace_file(directory + "/none/mappings.json", "x");
    ASSERT_FALSE(failed.ok());
    EXPECT_NE(failed.error().message.find(directory + "/none/"), std::string::npos);
    std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace umbra::exec_tunnel
