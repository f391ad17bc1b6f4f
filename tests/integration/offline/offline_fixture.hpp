#pragma once

#include "integration/cli/program.hpp"
#include "integration/storage_etcd/etcd_server.hpp"
#include "offline_instance.hpp"
#include "offline_storage.hpp"
#include "unit/base/temp_directory.hpp"
#include "unit/instance/offline_log.hpp"
#include <umbra/base/durable_file.hpp>
#include <umbra/instance/offline.hpp>

#include <gmock/gmock.h>

#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace umbra::instance {

using testing::HasSubstr;

/// The data directory of an instance that was run once, with real storages, and the program.
class OfflineFixture : public testing::Test {
protected:
    static constexpr const char* kinds[] = {"file", "sqlite", "etcd"};

    void SetUp() override {
        ASSERT_TRUE(base::make_private_directory(data_dir()).ok());
        InstanceState state;
        state.name = "alpha";
        state.incarnation = "the first disk";
        state.persistent = {.role = core::Role::master, .epoch = 7, .ha_enabled = true};
        state.peer = PinnedPeer{"beta", "its key", "tcp://b:1", "tcp://b:2"};
        ASSERT_TRUE(save_state(data_dir(), state).ok());
        write_instance_file("file");
    }
    static void TearDownTestSuite() { etcd_.reset(); }

    [[nodiscard]] std::filesystem::path data_dir() const { return dir / "data"; }
    [[nodiscard]] std::filesystem::path file() const { return dir / "umbra.toml"; }
    void write_instance_file(const std::string& plugin, const std::string& options = "") const {
        std::ofstream{file()} << "[instance]\nname = \"alpha\"\nrole = \"master\"\ndata_dir = \""
                              << data_dir().string() << "\"\n[plugins]\npath = [\""
                              << UMBRA_TEST_PLUGINS << "\", \"" << UMBRA_TEST_BAD_PLUGINS
                              << "\"]\n[storage]\nplugin = \"" << plugin << "\"\n"
                              << (options.empty() ? "" : "options = { " + options + " }\n")
                              << "[admin]\nlisten = \"unix:" << (dir / "a.sock").string() << "\"\n";
    }

    /// Where etcd is not installed only what needs it is skipped.
    static bool has(const std::string& kind) { return kind != "etcd" || *UMBRA_TEST_ETCD != '\0'; }
    static plugin_test::EtcdServer& etcd() {
        if (!etcd_) etcd_ = std::make_unique<plugin_test::EtcdServer>();
        return *etcd_;
    }
    /// A prefix of this test's own.
    [[nodiscard]] std::vector<std::string> options_of(const std::string& kind) const {
        if (kind != "etcd") return {};
        return {"endpoints=[\"" + etcd().url() + "\"]",
                "prefix=\"" + dir.path().filename().string() + "/\""};
    }
    /// The same as they stand in a file.
    [[nodiscard]] std::string inline_options_of(const std::string& kind) const {
        std::string text;
        for (const auto& word : options_of(kind)) text += (text.empty() ? "" : ", ") + word;
        return text;
    }

    [[nodiscard]] Result<std::unique_ptr<OfflineStorage>> open(
        const std::string& kind, const std::vector<std::string>& options) {
        instance_ = std::make_unique<OfflineInstance>(read_instance(file()).value());
        const auto values = storage_options(*instance_, kind, nullptr, options);
        if (!values) return values.error();
        return OfflineStorage::open(loop_, *instance_->registry,
                                    {"alpha", kind, *values, data_dir() / "storage"});
    }
    void fill(const std::string& kind, const StoredLog& log) {
        const auto storage = open(kind, options_of(kind));
        ASSERT_TRUE(storage.ok()) << storage.error().message;
        const auto written = (*storage)->replace_by(log);
        ASSERT_TRUE(written.ok()) << written.error().message;
    }
    StoredLog stored(const std::string& kind) {
        const auto storage = open(kind, options_of(kind));
        EXPECT_TRUE(storage.ok()) << storage.error().message;
        if (!storage) return {};
        const auto log = (*storage)->read();
        EXPECT_TRUE(log.ok()) << log.error().message;
        return log.ok() ? *log : StoredLog{};
    }

    /// Everything below a directory, by path.
    static std::map<std::string, std::string> tree(const std::filesystem::path& top) {
        std::map<std::string, std::string> found;
        for (const auto& entry : std::filesystem::recursive_directory_iterator{top}) {
            const auto name = entry.path().lexically_relative(top).string();
            found[name] = entry.is_regular_file()
                              ? base::read_file(entry.path(), 100'000'000).value()
                              : "(no file)";
        }
        return found;
    }

    test::TempDirectory dir;
    OfflineLoop loop_;

private:
    std::unique_ptr<OfflineInstance> instance_;
    static inline std::unique_ptr<plugin_test::EtcdServer> etcd_;
};

}  // namespace umbra::instance
