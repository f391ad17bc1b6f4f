// Changes in etcd, told as they happen, also by a cluster that goes away and comes back.

#include "integration/storage_etcd/etcd_server.hpp"
#include <umbra/etcd/watch.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace umbra::plugin_test {
namespace {

class EtcdWatch : public ::testing::Test {
protected:
    void watch(std::vector<std::string> urls, const std::string& user = {}) {
        etcd::ClientSettings settings;
        for (const auto& url : urls) settings.endpoints.push_back(*etcd::parse_endpoint(url));
        settings.user = user;
        settings.password = "geheim";
        watch_ = std::make_unique<etcd::Watch>(settings, "/test/", "/test0",
                                               etcd::Watch::Events{
                                                   .on_key =
                                                       [this](const std::string& key) {
                                                           const std::lock_guard lock{mutex_};
                                                           keys_.push_back(key);
                                                           news_.notify_all();
                                                       },
                                                   .on_state =
                                                       [this](bool on) {
                                                           const std::lock_guard lock{mutex_};
                                                           states_.push_back(on);
                                                           news_.notify_all();
                                                       },
                                               });
        ASSERT_TRUE(watch_->start().ok());
    }
    template <class Condition>
    bool until(Condition condition) {
        std::unique_lock lock{mutex_};
        return news_.wait_for(lock, std::chrono::seconds{20}, condition);
    }
    bool states(std::vector<bool> wanted) {
        return until([&] { return states_ == wanted; });
    }
    bool keys(std::vector<std::string> wanted) {
        return until([&] { return keys_ == wanted; });
    }
    void control(const std::string& arguments) { (void)server_.control(arguments); }

    EtcdServer server_;
    std::mutex mutex_;
    std::condition_variable news_;
    std::vector<std::string> keys_;
    std::vector<bool> states_;
    std::unique_ptr<etcd::Watch> watch_;
};

TEST_F(EtcdWatch, WhatChangesInTheRangeIsToldAndNothingElse) {
    watch({server_.url()});
    ASSERT_TRUE(states({true}));
    control("put /other/a 1");
    control("put /test/a 1");
    control("put /test/b " + std::string(20'000, 'v'));
    control("del /test/a");
    EXPECT_TRUE(keys({"/test/a", "/test/b", "/test/a"}));
}

TEST_F(EtcdWatch, AClusterThatComesBackIsWatchedAgain) {
    watch({server_.url()});
    ASSERT_TRUE(states({true}));
    server_.kill();
    ASSERT_TRUE(states({true, false}));
    server_.start();
    ASSERT_TRUE(states({true, false, true}));
    control("put /test/a 1");
    EXPECT_TRUE(keys({"/test/a"}));
}

TEST_F(EtcdWatch, AMemberThatIsNotThereIsPassedOver) {
    watch({"http://127.0.0.1:1", server_.url()});
    ASSERT_TRUE(states({true}));
    control("put /test/a 1");
    EXPECT_TRUE(keys({"/test/a"}));
}

TEST_F(EtcdWatch, AUserThatMayReadIsTold) {
    for (const char* step :
         {"user add root:secret", "role add reader",
          "role grant-permission reader --prefix=true read /test/", "user add umbra:geheim",
          "user grant-role umbra reader", "user grant-role root root", "auth enable"})
        control(step);
    watch({server_.url()}, "umbra");
    ASSERT_TRUE(states({true}));
    control("--user=root:secret put /test/a 1");
    EXPECT_TRUE(keys({"/test/a"}));
}

TEST_F(EtcdWatch, ItsEndDoesNotWaitForACluster) {
    watch({server_.url()});
    ASSERT_TRUE(states({true}));
    server_.signal(SIGSTOP);
    watch_.reset();
    watch({server_.url()});
    watch_.reset();
    server_.signal(SIGCONT);
}

}  // namespace
}  // namespace umbra::plugin_test
