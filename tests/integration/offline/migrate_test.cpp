// Storages of every kind, really there, and what can be between them.

#include "integration/offline/offline_fixture.hpp"

#include <chrono>
#include <thread>

namespace umbra::instance {
namespace {

class MigrateTest : public OfflineFixture {
protected:
    Result<std::string> migrate(const std::string& from, const std::string& to) const {
        return migrate_storage({file(), from, to, options_of(to)});
    }
    std::vector<std::string> command(const std::string& from, const std::string& to) const {
        std::vector<std::string> words{"storage", "migrate", "--config", file().string(),
                                       "--from",  from,      "--to",     to};
        for (const auto& word : options_of(to)) words.insert(words.end(), {"--set", word});
        return words;
    }
    [[nodiscard]] bool unfinished() const {
        return std::filesystem::exists(data_dir() / migration_mark());
    }
    static const char* migration_mark() { return "migration.json"; }
    /// Waits until a migration has begun to write.
    [[nodiscard]] bool wait_until_begun() const {
        const auto until = std::chrono::steady_clock::now() + plugin_test::patience;
        while (!unfinished() && std::chrono::steady_clock::now() < until) {
            std::this_thread::sleep_for(std::chrono::milliseconds{1});
        }
        return unfinished();
    }
};

TEST_F(MigrateTest, BetweenAnyTwoWhateverIsInThem) {
    const StoredLog logs[] = {make_log(0), make_log(1), make_log(5000), make_log(7, 7),
                              make_log(3000, 20)};
    for (const std::string from : kinds) {
        for (const std::string to : kinds) {
            if (from == to || !has(from) || !has(to)) continue;
            for (const StoredLog& log : logs) {
                SCOPED_TRACE(from + " to " + to + ", " + log.describe());
                std::filesystem::remove_all(data_dir() / "storage");
                if (from == "etcd" || to == "etcd") (void)etcd().control("del --prefix ''");
                write_instance_file(from, inline_options_of(from));
                fill(from, log);
                const auto done = migrate(from, to);
                ASSERT_TRUE(done.ok()) << done.error().message;
                EXPECT_THAT(*done, HasSubstr("copied " + log.describe() + ", from " + from));
                EXPECT_THAT(*done, HasSubstr("in place of line 8 (plugin)"));
                EXPECT_THAT(*done, HasSubstr("plugin = \"" + to + "\""));
                EXPECT_EQ(stored(to), log);
                EXPECT_EQ(stored(from), log) << "the source is as it was";
                EXPECT_FALSE(unfinished());
            }
        }
    }
}

TEST_F(MigrateTest, TheSourceIsNotTouched) {
    fill("file", make_log(50, 10));
    const auto before = tree(data_dir() / "storage").at("config.log");
    ASSERT_TRUE(migrate("file", "sqlite").ok());
    EXPECT_EQ(tree(data_dir() / "storage").at("config.log"), before);
}

TEST_F(MigrateTest, TheFileMayNameTheTargetAlready) {
    write_instance_file("sqlite", "file = \"new.db\"");
    fill("file", make_log(3));
    const auto done = migrate_storage({file(), "file", "sqlite", {}});
    ASSERT_TRUE(done.ok()) << done.error().message;
    EXPECT_THAT(*done, HasSubstr("names sqlite already"));
    EXPECT_TRUE(std::filesystem::exists(data_dir() / "storage" / "new.db"));
}

TEST_F(MigrateTest, FromOnePlaceOfAKindToAnother) {
    write_instance_file("sqlite");
    fill("sqlite", make_log(3));
    const auto done = migrate_storage({file(), "sqlite", "sqlite", {"file=other.db"}});
    ASSERT_TRUE(done.ok()) << done.error().message;
    EXPECT_THAT(*done, HasSubstr("options = { file = \"other.db\" }"));
    const auto other = open("sqlite", {"file=other.db"});
    ASSERT_TRUE(other.ok());
    EXPECT_EQ((*other)->read().value(), make_log(3));
}

TEST_F(MigrateTest, WhatCannotBeMeantIsRefused) {
    const auto refused = [&](const std::string& from, const std::string& to,
                             std::vector<std::string> set = {}) {
        const auto done = migrate_storage({file(), from, to, std::move(set)});
        EXPECT_FALSE(done.ok());
        return done.ok() ? Error{} : done.error();
    };
    EXPECT_THAT(refused("file", "file").message, HasSubstr("the same storage"));
    EXPECT_THAT(refused("sqlite", "etcd").message, HasSubstr("[storage] plugin = \"file\""));
    EXPECT_THAT(refused("file", "sqlit").message, HasSubstr("sqlit"));
    EXPECT_THAT(refused("file", "sqlite", {"fil=x"}).message, HasSubstr("did you mean \"file\"?"));
    EXPECT_THAT(refused("file", "sqlite", {"file"}).message, HasSubstr("KEY=VALUE"));
    EXPECT_THAT(refused("file", "etcd").message, HasSubstr("endpoints"));
    EXPECT_FALSE(unfinished());
}

TEST_F(MigrateTest, ATargetThatIsNotEmptyIsLeftAlone) {
    fill("sqlite", make_log(3));
    fill("file", make_log(5));
    const auto done = migrate("file", "sqlite");
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, Errc::conflict);
    EXPECT_THAT(done.error().message, HasSubstr("sqlite in " + (data_dir() / "storage").string() +
                                                " is not empty: it holds a configuration up to "
                                                "revision 1.3"));
    EXPECT_EQ(stored("sqlite"), make_log(3));
    EXPECT_FALSE(unfinished());
}

TEST_F(MigrateTest, ATargetThatForgetsIsNotTrusted) {
    fill("file", make_log(5));
    const auto done = migrate("file", "memory");  // As long as it is open.
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, Errc::data_loss);
    EXPECT_THAT(done.error().message,
                HasSubstr("storage memory gives back something else than was written: an empty "
                          "log, instead of 5 entries"));
    EXPECT_THAT(done.error().message, HasSubstr("file is untouched and stays in use"));
    EXPECT_TRUE(unfinished());
}

TEST_F(MigrateTest, ADamagedSourceIsNotCopied) {
    fill("file", make_log(50));
    const auto path = data_dir() / "storage" / "config.log";
    auto bytes = base::read_file(path, 1'000'000).value();
    bytes[bytes.size() / 2] ^= 1;
    ASSERT_TRUE(base::replace_file(path, bytes).ok());
    const auto done = migrate("file", "sqlite");
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, Errc::data_loss) << done.error().message;
    EXPECT_FALSE(unfinished());
    EXPECT_FALSE(std::filesystem::exists(data_dir() / "storage" / "config.db"));
}

TEST_F(MigrateTest, ASourceWhoseEntriesDoNotFollowEachOtherIsNotCopied) {
    auto log = make_log(50);
    log.entries[20].body.back() ^= 1;  // Its own checksum is that of the damaged body.
    fill("file", log);
    const auto done = migrate("file", "sqlite");
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, Errc::data_loss);
    EXPECT_THAT(done.error().message, HasSubstr("entry 21 "));
}

TEST_F(MigrateTest, AnEtcdThatLostAnEntryIsNotCopied) {
    if (!has("etcd")) GTEST_SKIP() << "etcd is not installed";
    write_instance_file("etcd", inline_options_of("etcd"));
    fill("etcd", make_log(5));
    (void)etcd().control("del " + dir.path().filename().string() + "/entry/00000000000000000003");
    const auto done = migrate("etcd", "file");
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, Errc::data_loss) << done.error().message;
}

TEST_F(MigrateTest, AnInstanceThatRunsAndAStorageThatIsInUseAreLeftAlone) {
    fill("file", make_log(5));
    {
        const auto held = DataDirLock::take(data_dir());
        ASSERT_TRUE(held.ok());
        const auto done = migrate("file", "sqlite");
        ASSERT_FALSE(done.ok());
        EXPECT_EQ(done.error().code, Errc::conflict);
        EXPECT_THAT(done.error().message, HasSubstr("stop it first"));
    }
    const auto storage = open("file", {});
    ASSERT_TRUE(storage.ok());
    const auto done = migrate("file", "sqlite");
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, Errc::conflict) << done.error().message;
}

TEST_F(MigrateTest, ADirectoryThatNoInstanceHasUsedIsNamed) {
    std::filesystem::remove(data_dir() / "state.json");
    const auto done = migrate("file", "sqlite");
    ASSERT_FALSE(done.ok());
    EXPECT_THAT(done.error().message, HasSubstr("no instance has used"));
    EXPECT_FALSE(std::filesystem::exists(data_dir() / "storage"));
}

TEST_F(MigrateTest, KilledAtAnyTimeItIsBegunAnew) {
    const auto log = make_log(20'000, 3);
    fill("file", log);
    int caught = 0;
    for (int delay_ms = 0; delay_ms < 400; delay_ms += 40) {
        SCOPED_TRACE(delay_ms);
        {
            // It is killed where the object ends.
            const test::Program program{UMBRA_PROGRAM, command("file", "sqlite")};
            ASSERT_TRUE(wait_until_begun());
            std::this_thread::sleep_for(std::chrono::milliseconds{delay_ms});
        }
        if (!unfinished()) break;
        ++caught;
        EXPECT_EQ(stored("file"), log) << "the source is untouched";
    }
    ASSERT_GT(caught, 0);
    if (unfinished()) {
        const auto again = test::Program{UMBRA_PROGRAM, command("file", "sqlite")}.finish();
        EXPECT_EQ(again.status, 0) << again.err;
    }
    EXPECT_EQ(stored("sqlite"), log);
    EXPECT_FALSE(unfinished());
}

class MigrateToEtcdTest : public MigrateTest {
protected:
    void SetUp() override {
        if (!has("etcd")) GTEST_SKIP() << "etcd is not installed";
        MigrateTest::SetUp();
        (void)etcd();
        fill("file", log);
    }
    void TearDown() override {
        if (has("etcd")) etcd().signal(SIGCONT);
    }
    /// What an etcd that does not answer has of the copy, an instance must not run with.
    void finish_after_interruption() {
        ASSERT_TRUE(unfinished());
        write_instance_file("etcd", inline_options_of("etcd"));
        const auto run = test::Program{UMBRA_PROGRAM, {"run", file().string()}}.finish();
        EXPECT_EQ(run.status, 1);
        EXPECT_THAT(run.err, HasSubstr("was not finished, file still holds it"));
        write_instance_file("file");
        const auto again = migrate("file", "etcd");
        ASSERT_TRUE(again.ok()) << again.error().message;
        EXPECT_EQ(stored("etcd"), log);
        EXPECT_EQ(stored("file"), log);
        EXPECT_FALSE(unfinished());
    }
    const StoredLog log = make_log(20'000);
};

TEST_F(MigrateToEtcdTest, KilledInTheMiddleItIsBegunAnew) {
    {
        const test::Program program{UMBRA_PROGRAM, command("file", "etcd")};
        ASSERT_TRUE(wait_until_begun());
        etcd().signal(SIGSTOP);  // So that it cannot come to its end.
    }
    etcd().signal(SIGCONT);
    finish_after_interruption();
}

TEST_F(MigrateToEtcdTest, ASignalEndsItWithWhatToDo) {
    test::Program program{UMBRA_PROGRAM, command("file", "etcd")};
    ASSERT_TRUE(wait_until_begun());
    etcd().signal(SIGSTOP);
    program.signal(SIGTERM);
    const auto ran = program.finish();
    EXPECT_EQ(ran.status, 1);
    EXPECT_THAT(ran.err, HasSubstr("umbra: interrupted by a signal\n"));
    EXPECT_THAT(ran.err, HasSubstr("file is untouched and stays in use; the same command begins"));
    etcd().signal(SIGCONT);
    finish_after_interruption();
}

TEST_F(MigrateToEtcdTest, APrefixOfAnotherInstanceIsLeftAlone) {
    {
        const auto theirs = open("etcd", options_of("etcd"));
        ASSERT_TRUE(theirs.ok());
        ASSERT_TRUE((*theirs)->replace_by(make_log(3)).ok());
    }
    std::filesystem::remove(data_dir() / "storage" / "owner");  // As of another directory.
    const auto done = migrate("file", "etcd");
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, Errc::conflict) << done.error().message;
    EXPECT_FALSE(unfinished());
}

}  // namespace
}  // namespace umbra::instance
