#include <umbra/etcd/json_text.hpp>

#include <gtest/gtest.h>

namespace umbra::etcd {
namespace {

TEST(JsonText, RequestsAreThoseOfTheGateway) {
    EXPECT_EQ(range_request("a", "", 1), R"({"key":"YQ==","limit":"1"})");
    EXPECT_EQ(range_request("a/", "a0", 0, true),
              R"({"key":"YS8=","range_end":"YTA=","count_only":true})");
    EXPECT_EQ(authenticate_request("u", "p\"\\\n"), R"({"name":"u","password":"p\"\\\n"})");
    Transaction transaction{"head", 7};
    transaction.put("k", std::string("\0\xff", 2));
    transaction.erase("a", "b");
    EXPECT_EQ(transaction.operations(), 2u);
    EXPECT_EQ(
        transaction.request(),
        R"({"compare":[{"key":"aGVhZA==","target":"MOD","result":"EQUAL","mod_revision":"7"}],)"
        R"("success":[{"request_put":{"key":"aw==","value":"AP8="}},)"
        R"({"request_delete_range":{"key":"YQ==","range_end":"Yg=="}}],)"
        R"("failure":[{"request_range":{"key":"aGVhZA=="}}]})");
    Transaction free;
    free.put("k", "");
    free.read("a/", "a0");
    free.read("k", "", 9);
    EXPECT_EQ(free.request(), R"({"success":[{"request_put":{"key":"aw==","value":""}},)"
                              R"({"request_range":{"key":"YS8=","range_end":"YTA="}},)"
                              R"({"request_range":{"key":"aw==","min_mod_revision":"9"}}]})");
    EXPECT_EQ(end_of_prefix("a/"), "a0");
    EXPECT_EQ(end_of_prefix("a\xff"), "b");
}

TEST(JsonText, AnswersAreRead) {
    const auto found = read_range(
        R"({"header":{"revision":"9"},"kvs":[{"key":"aw==","mod_revision":"8","value":"AP8="},)"
        R"({"key":"bA==","mod_revision":"9"}],"count":"12"})");
    ASSERT_TRUE(found.ok());
    EXPECT_EQ(found.value().count, 12u);
    EXPECT_EQ(found.value().pairs,
              (std::vector<KeyValue>{{"k", std::string("\0\xff", 2), 8}, {"l", "", 9}}));
    EXPECT_TRUE(read_range(R"({"header":{}})").value().pairs.empty());

    const auto done = read_outcome(R"({"header":{"revision":"10"},"succeeded":true})");
    ASSERT_TRUE(done.ok());
    EXPECT_TRUE(done.value().succeeded);
    EXPECT_EQ(done.value().revision, 10u);
    const auto lost = read_outcome(R"({"header":{"revision":"11"},"responses":[{"response_range":)"
                                   R"({"kvs":[{"key":"aw==","mod_revision":"6"}]}}]})");
    ASSERT_TRUE(lost.ok());
    EXPECT_FALSE(lost.value().succeeded);
    EXPECT_EQ(lost.value().found.pairs.at(0).mod_revision, 6u);
    const auto both = read_outcome(
        R"({"header":{"revision":"12"},"succeeded":true,"responses":[{"response_put":{}},)"
        R"({"response_range":{"kvs":[{"key":"aw==","mod_revision":"12"}]}},{"response_range":{}}]})");
    ASSERT_TRUE(both.ok());
    ASSERT_EQ(both.value().reads.size(), 2u);
    EXPECT_EQ(both.value().reads.at(0).pairs.at(0).mod_revision, 12u);
    EXPECT_TRUE(both.value().reads.at(1).pairs.empty());
    EXPECT_EQ(*read_token(R"({"token":"t.1"})"), "t.1");
}

TEST(JsonText, WhatIsNoAnswerIsAnError) {
    for (const char* text :
         {"", "nonsense", "[]", "{", R"({"kvs":1})", R"({"kvs":[1]})", R"({"kvs":[{"key":1}]})",
          R"({"kvs":[{"key":"x"}]})", R"({"kvs":[{"key":"????"}]})", R"({"kvs":[{"key":"===="}]})",
          R"({"kvs":[{"key":"YQ="}]})"})
        EXPECT_FALSE(read_range(text).ok()) << text;
    for (const char* text :
         {"", "{}", R"({"header":{}})", R"({"header":1,"succeeded":true})",
          R"({"header":{},"responses":[]})", R"({"header":{},"responses":[{}]})",
          R"({"header":{},"succeeded":true,"responses":[1]})",
          R"({"header":{},"succeeded":true,"responses":[{"response_range":{"kvs":1}}]})"})
        EXPECT_FALSE(read_outcome(text).ok()) << text;
    for (const char* text : {"", "{}", R"({"token":1})"}) EXPECT_FALSE(read_token(text).ok());
    const std::string deep(100'000, '[');
    EXPECT_FALSE(read_range(deep).ok());
}

TEST(JsonText, RefusalsKeepTheWordsOfEtcd) {
    const auto refusal = read_refusal(
        R"({"error":"etcdserver: no leader","message":"etcdserver: no leader","code":14})");
    EXPECT_EQ(refusal.code, 14);
    EXPECT_EQ(refusal.message, "etcdserver: no leader");
    EXPECT_EQ(read_refusal("<html>").code, -1);
    EXPECT_EQ(read_refusal("<html>").message, "<html>");
    EXPECT_EQ(read_refusal(std::string(10'000, 'x')).message.size(), 300u);
}

TEST(JsonText, AWatchSaysWhatChanged) {
    EXPECT_EQ(watch_request("/a/", "/a0"),
              R"({"create_request":{"key":"L2Ev","range_end":"L2Ew"}})");
    const auto begun = read_watch(R"({"result":{"header":{"revision":"7"},"created":true}})");
    ASSERT_TRUE(begun.ok());
    EXPECT_TRUE(begun->created && !begun->canceled && begun->keys.empty());
    const auto news = read_watch(
        R"({"result":{"events":[{"kv":{"key":"L2Ev","value":"eA=="}},{"type":"DELETE","kv":{"key":"L2Ew"}}]}})");
    ASSERT_TRUE(news.ok());
    EXPECT_EQ(news->keys, (std::vector<std::string>{"/a/", "/a0"}));
    EXPECT_TRUE(read_watch(R"({"result":{"canceled":true}})")->canceled);
    for (const char* bad : {"", "[]", "{}", R"({"error":{"code":3}})", R"({"result":[]})",
                            R"({"result":{"events":{}}})", R"({"result":{"events":[{}]}})",
                            R"({"result":{"events":[{"kv":{"key":"?"}}]}})"})
        EXPECT_FALSE(read_watch(bad).ok()) << bad;
}

}  // namespace
}  // namespace umbra::etcd
