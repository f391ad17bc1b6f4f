// The offline commands as processes, killed at every change of a file, in the middle of it. What
// was there is there, what is new is whole or not there, and the same command finishes it.

#include "integration/failpoint/failpoint.hpp"
#include "integration/offline/offline_fixture.hpp"
#include <umbra/instance/run.hpp>

#include <csignal>
#include <fstream>
#include <sys/stat.h>

namespace umbra::instance {
namespace {

namespace fs = std::filesystem;
using failpoint::How;

constexpr std::uint64_t calls_max = 2000;
constexpr const char* passphrase = "correct horse battery";

class OfflinePoints : public OfflineFixture {
protected:
    void SetUp() override {
        OfflineFixture::SetUp();
        fill("file", log);
        fs::create_directory(data_dir() / "transport");
        std::ofstream{data_dir() / "transport" / "curve.key"} << "a key";
        std::ofstream{secret()} << passphrase << "\n";
        ::chmod(secret().c_str(), 0600);
    }
    [[nodiscard]] fs::path secret() const { return dir / "passphrase"; }
    [[nodiscard]] fs::path kept() const { return dir / "alpha.backup"; }

    failpoint::Ended run(std::vector<std::string> arguments, std::uint64_t at = 0,
                         How how = How::torn) {
        arguments.insert(arguments.begin(), UMBRA_PROGRAM);
        return point_.run(arguments, dir.path().string(), at == 0 ? How::nothing : how, at);
    }
    /// The command killed at its first change, its second, and so on until a run comes to its end.
    /// @return How often it was killed.
    template <class Before, class After>
    std::uint64_t kill_everywhere(const std::vector<std::string>& command, Before before,
                                  After after) {
        for (std::uint64_t at = 1; at < calls_max; ++at) {
            before();
            const auto ended = run(command, at);
            SCOPED_TRACE("change " + std::to_string(at) + ", " + point_.where());
            if (!point_.struck()) {
                EXPECT_EQ(ended.status, 0);
                return at - 1;
            }
            EXPECT_EQ(ended.signal, SIGKILL) << ended.out;
            after();
            if (HasFailure()) return at;
        }
        ADD_FAILURE() << "the command never ended";
        return 0;
    }

    const StoredLog log = make_log(40, 10);
    test::TempDirectory room_;  ///< Outside of what is watched.
    failpoint::Failpoint point_{UMBRA_TEST_FAILPOINT, room_.path().string()};
};

TEST_F(OfflinePoints, MigrationsLeaveTheSourceAndAreBegunAnew) {
    for (const auto& [from, to] : {std::pair{"file", "sqlite"}, std::pair{"sqlite", "file"}}) {
        SCOPED_TRACE(std::string{from} + " to " + to);
        const std::vector<std::string> command{"storage", "migrate", "--config", file().string(),
                                               "--from",  from,      "--to",     to};
        write_instance_file(from);
        const auto killed = kill_everywhere(
            command,
            [&, from = std::string{from}] {
                fs::remove_all(data_dir() / "storage");
                fs::remove(data_dir() / "migration.json");
                fill(from, log);
            },
            [&, from = std::string{from}, to = std::string{to}] {
                EXPECT_EQ(stored(from), log) << "the source is as it was";
                if (!fs::exists(data_dir() / "migration.json")) {
                    // Nothing says that it is half done, so it must not be.
                    const auto copy = stored(to);
                    EXPECT_TRUE(copy == log || copy == StoredLog{}) << copy.describe();
                    if (copy == log) return;
                }
                const auto again = run(command);
                EXPECT_EQ(again.status, 0) << again.out;
                EXPECT_EQ(stored(to), log);
                EXPECT_FALSE(fs::exists(data_dir() / "migration.json"));
            });
        EXPECT_GT(killed, 15u);
        EXPECT_EQ(stored(to), log);
    }
}

TEST_F(OfflinePoints, ABackupIsWholeOrNotThere) {
    const std::vector<std::string> command{"backup",          kept().string(), "--passphrase-file",
                                           secret().string(), "--config",      file().string()};
    const auto ask = []() -> Result<seal::Secret> { return seal::Secret{passphrase}; };
    const auto before = tree(data_dir());
    const auto killed = kill_everywhere(
        command, [&] { fs::remove(kept()); },
        [&] {
            EXPECT_EQ(tree(data_dir() / "transport"),
                      (std::map<std::string, std::string>{{"curve.key", "a key"}}));
            EXPECT_EQ(stored("file"), log);
            if (!fs::exists(kept())) return;
            const auto moved = data_dir().string() + ".moved";
            fs::rename(data_dir(), moved);
            const auto restored = restore_backup({kept(), file(), {}}, ask);
            EXPECT_TRUE(restored.ok()) << restored.error().message;
            EXPECT_EQ(stored("file"), log);
            fs::remove_all(data_dir());
            fs::rename(moved, data_dir());
        });
    EXPECT_GT(killed, 3u);
    EXPECT_EQ(tree(data_dir()).at("state.json"), before.at("state.json"));
}

TEST_F(OfflinePoints, ARestoreIsWholeOrNotThere) {
    const auto ask = []() -> Result<seal::Secret> { return seal::Secret{passphrase}; };
    const auto saved = write_backup({file(), kept(), seal::cost_min}, ask);
    ASSERT_TRUE(saved.ok()) << saved.error().message;
    const std::vector<std::string> command{"restore",         kept().string(), "--passphrase-file",
                                           secret().string(), "--config",      file().string()};
    const auto expect_whole = [&] {
        EXPECT_EQ(stored("file"), log);
        EXPECT_EQ(base::read_file(data_dir() / "transport" / "curve.key", 100).value(), "a key");
        const auto state = load_state(data_dir());
        ASSERT_TRUE(state.ok() && *state);
        EXPECT_EQ((*state)->persistent.role, core::Role::shadow);
        EXPECT_NE((*state)->incarnation, "the first disk");
    };
    const auto killed = kill_everywhere(
        command, [&] { fs::remove_all(data_dir()); },
        [&] {
            if (fs::exists(data_dir())) return expect_whole();
            const auto again = run(command);
            EXPECT_EQ(again.status, 0) << again.out;
            expect_whole();
            EXPECT_FALSE(fs::exists(data_dir().string() + ".restoring"));
        });
    EXPECT_GT(killed, 15u);
    expect_whole();
}

TEST_F(OfflinePoints, AFullDiskAtEveryWriteOfARestoreLeavesNothing) {
    const auto ask = []() -> Result<seal::Secret> { return seal::Secret{passphrase}; };
    ASSERT_TRUE(write_backup({file(), kept(), seal::cost_min}, ask).ok());
    const std::vector<std::string> command{"restore",         kept().string(), "--passphrase-file",
                                           secret().string(), "--config",      file().string()};
    int refused = 0;
    for (std::uint64_t at = 1; at < calls_max; ++at) {
        fs::remove_all(data_dir());
        const auto ended = run(command, at, How::full_on);
        SCOPED_TRACE("change " + std::to_string(at) + ", " + point_.where());
        if (at > point_.calls()) break;
        ASSERT_EQ(ended.signal, 0);
        if (ended.status == 0) continue;
        EXPECT_EQ(ended.status, 1);
        ++refused;
        EXPECT_FALSE(fs::exists(data_dir()));
        EXPECT_FALSE(fs::exists(data_dir().string() + ".restoring"));
    }
    EXPECT_GT(refused, 10);
    EXPECT_EQ(stored("file"), log);
}

TEST_F(OfflinePoints, ARoleIsTheOldOneOrTheNewOne) {
    const auto role = [&] {
        const auto state = load_state(data_dir());
        EXPECT_TRUE(state.ok() && *state) << "the state is there";
        return state.ok() && *state ? (*state)->persistent.role : core::Role::master;
    };
    const auto killed = kill_everywhere(
        {"role", "set", "shadow", "--data-dir", data_dir().string()},
        [&] { EXPECT_TRUE(order_role(data_dir(), core::Role::master).ok()); },
        [&] { (void)role(); });
    EXPECT_GT(killed, 3u);
    EXPECT_EQ(role(), core::Role::shadow);
}

}  // namespace
}  // namespace umbra::instance
