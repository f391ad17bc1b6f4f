#pragma once

#include "integration/plugin/storage_conformance.hpp"
#include "integration/plugin/storage_driver.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/mount.h>
#include <sys/stat.h>

namespace umbra::plugin_test {

/// Faults of real files and real calls under a storage that keeps files, seen through its shared
/// object. storage_faults.cpp has the tests that every such storage passes; it also puts fsync()
/// and fdatasync() in front of those of the C library, which needs a program with ENABLE_EXPORTS.

/// Where the log is, below the state directory. Defined by each test program.
[[nodiscard]] std::string storage_main_file();

/// Syncs that still succeed before one fails; negative: all succeed.
extern std::atomic<int> syncs_left;
/// Syncs that were asked for.
extern std::atomic<int> syncs;

/// Flips one bit of a file.
void flip(const std::string& path, std::uint64_t offset);

class StorageFaults : public ::testing::Test {
protected:
    static const PluginFile& file() {
        static const PluginFile file{storage_under_test().file, UMBRA_KIND_STORAGE};
        return file;
    }
    Result<StorageOpened> reopen(const OptionValues& options = {}) {
        storage_.reset();
        storage_.emplace(file(), directory(), options);
        return storage_->open().get();
    }
    StorageDriver& storage() { return *storage_; }
    Result<Done> append(std::uint64_t first, std::uint64_t last) {
        return storage().append(entries_of(first, last)).get();
    }
    void close() { storage_.reset(); }
    void TearDown() override {
        syncs_left = -1;
        close();
    }
    [[nodiscard]] virtual std::string directory() const { return directory_.path(); }
    [[nodiscard]] std::string main_file() const { return directory() + "/" + storage_main_file(); }

    TemporaryDirectory directory_;
    std::optional<StorageDriver> storage_;
};

/// On a file system of one mebibyte.
class StorageOnASmallDisk : public StorageFaults {
protected:
    void SetUp() override {
        ::mkdir(directory().c_str(), 0700);
        if (::mount("none", directory().c_str(), "tmpfs", 0, "size=1m,mode=0700") != 0)
            GTEST_SKIP() << "may not mount";
    }
    void TearDown() override {
        StorageFaults::TearDown();
        ::umount2(directory().c_str(), MNT_DETACH);
    }
    [[nodiscard]] std::string directory() const override { return directory_.path() + "/small"; }
    [[nodiscard]] std::string ballast() const { return directory() + "/ballast"; }
};

}  // namespace umbra::plugin_test
