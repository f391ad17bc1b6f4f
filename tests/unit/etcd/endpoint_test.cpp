#include <umbra/etcd/endpoint.hpp>

#include <gtest/gtest.h>

namespace umbra::etcd {
namespace {

TEST(Endpoint, IsReadAndWritten) {
    EXPECT_EQ(*parse_endpoint("http://10.0.0.1:2379"), (Endpoint{false, "10.0.0.1", "2379"}));
    EXPECT_EQ(*parse_endpoint("https://etcd.example"), (Endpoint{true, "etcd.example", "2379"}));
    EXPECT_EQ(*parse_endpoint("https://etcd.example/"), (Endpoint{true, "etcd.example", "2379"}));
    EXPECT_EQ(*parse_endpoint("https://[::1]:1"), (Endpoint{true, "::1", "1"}));
    EXPECT_EQ(*parse_endpoint("https://[::1]"), (Endpoint{true, "::1", "2379"}));
    for (const char* url : {"http://10.0.0.1:2379", "https://[fe80::1]:65535"})
        EXPECT_EQ(to_string(*parse_endpoint(url)), url);
}

TEST(Endpoint, AnythingElseIsRefusedInItsOwnWords) {
    for (const char* url : {"", "http://", "https://", "10.0.0.1:2379", "ftp://x:1", "http://:2379",
                            "http://x:", "http://x:0", "http://x:65536", "http://x:2379x",
                            "http://x:1:2", "http://x/v3", "http://user@x:1", "http://[::1",
                            "http://[::1]x", "http://a b", "HTTP://x"}) {
        const auto endpoint = parse_endpoint(url);
        ASSERT_FALSE(endpoint.ok()) << url;
        EXPECT_EQ(endpoint.error().code, Errc::invalid);
        EXPECT_NE(endpoint.error().message.find('"' + std::string{url} + '"'), std::string::npos);
    }
}

}  // namespace
}  // namespace umbra::etcd
