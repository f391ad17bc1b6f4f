#pragma once

#include "integration/plugin/storage_conformance.hpp"
#include "integration/plugin/storage_driver.hpp"
#include "integration/storage_etcd/etcd_server.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>

namespace umbra::plugin_test {

/// A storage on the cluster of one test.
class EtcdTest : public ::testing::Test {
protected:
    static constexpr std::int64_t second = 1'000'000'000;

    static const PluginFile& plugin() {
        static const PluginFile file{storage_under_test().file, UMBRA_KIND_STORAGE};
        return file;
    }
    [[nodiscard]] static OptionValues options_for(const EtcdServer& server) {
        return {{"endpoints", std::vector<std::string>{server.url()}}, {"prefix", "/test/"}};
    }
    static OptionValues with(OptionValues values, const std::string& name, OptionValue value) {
        values[name] = std::move(value);
        return values;
    }
    Result<StorageOpened> open(const OptionValues& options) {
        storage_.reset();
        storage_.emplace(plugin(), directory_.path(), options);
        return storage_->open().get();
    }
    Result<Done> append(std::uint64_t first, std::uint64_t last) {
        return storage_->append(entries_of(first, last)).get();
    }
    StorageDriver& storage() { return *storage_; }
    static void expect_error(const Result<Done>& answer, Errc code, const std::string& part) {
        ASSERT_FALSE(answer.ok());
        EXPECT_EQ(answer.error().code, code) << answer.error().message;
        EXPECT_NE(answer.error().message.find(part), std::string::npos) << answer.error().message;
    }
    static void expect_error(const Result<StorageOpened>& answer, Errc code,
                             const std::string& part) {
        ASSERT_FALSE(answer.ok());
        expect_error(Result<Done>{answer.error()}, code, part);
    }

    TemporaryDirectory directory_;
    std::optional<StorageDriver> storage_;
};

}  // namespace umbra::plugin_test
