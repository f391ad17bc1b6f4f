#include "integration/plugin/storage_conformance.hpp"
#include "integration/plugin/storage_driver.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <random>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace umbra::plugin_test {
namespace {

/// The writer as a process of its own, and the pipe it reports to.
class Writer {
public:
    Writer(const StorageUnderTest& storage, const std::string& state_dir, std::uint64_t seed) {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) broken_interface("pipe");
        reports_ = ends[0];
        posix_spawn_file_actions_t actions;
        ::posix_spawn_file_actions_init(&actions);
        ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        std::vector<std::string> texts{storage.crash_writer, storage.file, state_dir,
                                       std::to_string(seed)};
        for (auto& option : to_arguments(storage.options)) texts.push_back(std::move(option));
        std::vector<char*> arguments;
        for (auto& text : texts) arguments.push_back(text.data());
        arguments.push_back(nullptr);
        if (::posix_spawn(&pid_, arguments[0], &actions, nullptr, arguments.data(), environ) != 0)
            broken_interface("cannot start the crash writer");
        ::posix_spawn_file_actions_destroy(&actions);
        ::close(ends[1]);
    }
    ~Writer() { ::close(reports_); }

    /// @return What was acknowledged last. Waits for `reports` of them.
    std::uint64_t wait_for(int reports) {
        std::uint64_t last = 0;
        for (int i = 0; i < reports; ++i) {
            pollfd ready{reports_, POLLIN, 0};
            if (::poll(&ready, 1, 60'000) <= 0 || !next(last)) {
                ADD_FAILURE() << "the writer reports nothing";
                break;
            }
        }
        return last;
    }
    /// Kills it; @return what it had reported until then.
    std::uint64_t kill(std::uint64_t last) {
        ::kill(pid_, SIGKILL);
        int status = 0;
        ::waitpid(pid_, &status, 0);
        EXPECT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself: " << WEXITSTATUS(status);
        while (next(last)) continue;
        return last;
    }

private:
    bool next(std::uint64_t& last) {
        std::uint64_t value = 0;
        // Eight bytes in a pipe come whole or not at all.
        if (::read(reports_, &value, sizeof value) != sizeof value) return false;
        last = value;
        return true;
    }
    pid_t pid_ = -1;
    int reports_ = -1;
};

TEST(StorageCrash, KilledAtAnyMomentItHasEverythingThatWasAcknowledged) {
    const auto under_test = storage_under_test();
    const PluginFile file{under_test.file, UMBRA_KIND_STORAGE};
    TemporaryDirectory directory;
    std::mt19937 random{20240611};
    std::uint64_t before = 0;
    int torn = 0;
    for (int round = 0; round < under_test.crash_rounds; ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        Writer writer{under_test, directory.path(), static_cast<std::uint64_t>(round)};
        auto acknowledged = writer.wait_for(1 + static_cast<int>(random() % 60));
        ::usleep(static_cast<useconds_t>(random() % 2000));
        acknowledged = writer.kill(acknowledged);

        StorageDriver storage{file, directory.path(), under_test.options};
        const auto opened = storage.open().get();
        ASSERT_TRUE(opened.ok()) << opened.error().message;
        EXPECT_GE(opened->last.seq, acknowledged);
        EXPECT_GE(acknowledged, before);
        if (!opened->detail.empty()) ++torn;
        const auto entries = storage.read(1, SIZE_MAX).get();
        ASSERT_TRUE(entries.ok()) << entries.error().message;
        EXPECT_TRUE(*entries == entries_of(opened->snapshot.seq + 1, opened->last.seq));
        before = opened->last.seq;
    }
    RecordProperty("torn_tails", torn);
    EXPECT_GT(before, 0u);
}

}  // namespace
}  // namespace umbra::plugin_test
