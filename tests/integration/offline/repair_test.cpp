// `umbra config repair`: an edit without an instance, kept for the next start.

#include "integration/offline/offline_fixture.hpp"
#include "repair_file.hpp"
#include "sha256.hpp"

namespace umbra::instance {
namespace {

class RepairTest : public OfflineFixture {
protected:
    static core::Entry entry_of(std::vector<core::Change> changes) {
        core::Entry entry;
        entry.op_id = "op";
        entry.author = "ann";
        entry.changes = std::move(changes);
        return entry;
    }
    /// A log of two edits, as it is stored. @param compact  The first is in a snapshot.
    static StoredLog real_log(bool compact = false) {
        core::Log log(&sha256);
        log.append(1, entry_of({{"takeover.grace_period", "\"30s\""}}));
        log.append(2, entry_of({{"takeover.on_tunnel_loss", "\"5s\""}}));
        StoredLog stored;
        if (compact) stored.snapshot = LogEntry{of(*log.position_at(1)), log.snapshot_at(1)};
        for (std::uint64_t seq = compact ? 2 : 1; seq <= 2; ++seq) {
            stored.entries.push_back({of(log.at(seq)->position), log.at(seq)->body});
        }
        return stored;
    }
    static LogPosition of(const core::Position& p) {
        return {p.revision.seq, p.revision.epoch, p.hash};
    }
    Result<std::string> repair(std::vector<core::Change> changes) {
        return repair_configuration({file(), "bob", std::move(changes)});
    }
    void expect_refused(Errc code, const std::string& words, std::vector<core::Change> changes) {
        const auto before = stored("file");
        const auto done = repair(std::move(changes));
        ASSERT_FALSE(done.ok());
        EXPECT_EQ(done.error().code, code) << done.error().message;
        EXPECT_THAT(done.error().message, HasSubstr(words));
        EXPECT_EQ(stored("file"), before);
        EXPECT_FALSE(load_repair(data_dir()).value());
    }
};

TEST_F(RepairTest, IsKeptForTheNextStartAndTheLogStays) {
    for (const std::string kind : kinds) {
        if (!has(kind)) continue;
        for (const bool compact : {false, true}) {
            write_instance_file(kind, inline_options_of(kind));
            fill(kind, real_log(compact));
            const auto done = repair({{"takeover.grace_period", "40s"}});
            ASSERT_TRUE(done.ok()) << done.error().message;
            EXPECT_THAT(*done, HasSubstr("+ takeover.grace_period = \"40s\""));
            EXPECT_EQ(stored(kind), real_log(compact)) << "a revision needs a granted epoch";
            const auto kept = load_repair(data_dir()).value();
            ASSERT_TRUE(kept);
            EXPECT_EQ(kept->author, "bob");
            EXPECT_EQ(kept->message, "repair of alpha, which did not run");
            EXPECT_EQ(kept->changes, (std::vector<core::Change>{{"takeover.grace_period", "40s"}}));
            EXPECT_EQ(kept->op_id.size(), 32U);
        }
    }
    ASSERT_TRUE(repair({{"takeover.grace_period", "50s"}}).ok());
    EXPECT_EQ(load_repair(data_dir()).value()->changes[0].literal, "50s") << "in its place";
    remove_repair(data_dir());
    EXPECT_FALSE(load_repair(data_dir()).value());
    std::ofstream{data_dir() / "repair.json"} << "{\"version\":2}";
    EXPECT_EQ(load_repair(data_dir()).error().code, Errc::data_loss);
}

TEST_F(RepairTest, IsJudgedLikeAnyOtherEdit) {
    fill("file", real_log());
    expect_refused(Errc::invalid,
                   "takeover.grace_period: error:", {{"takeover.grace_period", "x"}});
    expect_refused(Errc::invalid, "unknown table [nothing]", {{"nothing.here", "1"}});
    expect_refused(Errc::invalid, "twice",
                   {{"takeover.register", "a"}, {"takeover.register", "b"}});
    EXPECT_EQ(repair({{"takeover.grace_period", "30s"}}).value(), "nothing to change");
    EXPECT_EQ(stored("file"), real_log());
}

TEST_F(RepairTest, IsRefusedWhileTheInstanceRunsAndBeforeThereIsAnything) {
    expect_refused(Errc::conflict, "[shared] initial", {{"takeover.grace_period", "40s"}});
    fill("file", real_log());
    const auto held = DataDirLock::take(data_dir());
    ASSERT_TRUE(held.ok());
    expect_refused(Errc::conflict, "another process", {{"takeover.grace_period", "40s"}});
}

TEST_F(RepairTest, TheCommandSaysWhatItChangedAndWhatIsWrong) {
    fill("file", real_log());
    const auto run = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {"config", "repair", "--config", file().string()});
        return test::Program{UMBRA_PROGRAM, words}.finish();
    };
    const auto done = run({"takeover.grace_period=40s"});
    EXPECT_EQ(done.status, 0) << done.err;
    EXPECT_THAT(done.out, HasSubstr("- takeover.grace_period = \"30s\"\n"));
    const auto wrong = run({"takeover.grace_period=x"});
    EXPECT_EQ(wrong.status, 2);
    EXPECT_THAT(wrong.err, testing::StartsWith("umbra: the configuration would not be valid\n  "));
    EXPECT_EQ(run({"takeover.grace_period"}).status, 2);
    EXPECT_EQ(run({}).status, 2);
}

}  // namespace
}  // namespace umbra::instance
