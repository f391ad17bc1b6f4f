// A backup and what becomes of it, with real storages and the real program.

#include "integration/offline/offline_fixture.hpp"

#include <chrono>
#include <pty.h>
#include <sys/stat.h>
#include <unistd.h>

namespace umbra::instance {
namespace {

constexpr const char* good_passphrase = "correct horse battery";

AskPassphrase says(const std::string& passphrase) {
    return [passphrase]() -> Result<seal::Secret> { return seal::Secret{passphrase}; };
}
Result<seal::Secret> nobody() {
    ADD_FAILURE() << "asked although it is refused anyway";
    return Error{Errc::canceled, "not asked"};
}

class BackupTest : public OfflineFixture {
protected:
    void SetUp() override {
        OfflineFixture::SetUp();
        fill("file", log);
        for (const char* name :
             {"transport/curve.key", "tunnel/main/key.pem", "divergence/1.2-abcdabcd.json"}) {
            std::filesystem::create_directories((data_dir() / name).parent_path());
            std::ofstream{data_dir() / name} << "the content of " << name;
        }
    }
    [[nodiscard]] std::filesystem::path kept() const { return dir / "alpha.backup"; }
    Result<std::string> backup(const AskPassphrase& ask = says(good_passphrase)) const {
        return write_backup({file(), kept(), seal::cost_min}, ask);
    }
    Result<std::string> restore(const AskPassphrase& ask = says(good_passphrase),
                                std::vector<std::string> set = {}) const {
        return restore_backup({kept(), file(), std::move(set)}, ask);
    }
    void lose_disk() const { std::filesystem::remove_all(data_dir()); }

    /// A refusal says one sentence and leaves everything as it is, with nothing beside it.
    void expect_refused(Errc code, const std::string& text,
                        const AskPassphrase& ask = says(good_passphrase)) {
        const auto before = tree(dir.path());
        const auto done = restore(ask);
        ASSERT_FALSE(done.ok());
        EXPECT_EQ(done.error().code, code) << done.error().message;
        EXPECT_THAT(done.error().message, HasSubstr(text));
        EXPECT_EQ(tree(dir.path()), before);
    }

    const StoredLog log = make_log(50, 10);
};

TEST_F(BackupTest, WhatIsRestoredIsTheInstanceAsANewcomer) {
    const auto before = tree(data_dir());
    const auto saved = backup();
    ASSERT_TRUE(saved.ok()) << saved.error().message;
    EXPECT_THAT(*saved, HasSubstr("saved alpha in " + kept().string() +
                                  ": 40 entries and a snapshot, up to revision 1.50, 4 files"));
    lose_disk();
    std::filesystem::remove(file());
    const auto done = restore();
    ASSERT_TRUE(done.ok()) << done.error().message;
    EXPECT_THAT(*done, HasSubstr("wrote the instance file " + file().string()));
    EXPECT_THAT(*done, HasSubstr("umbra role set master --data-dir " + data_dir().string()));

    auto after = tree(data_dir());
    for (const char* name :
         {"transport/curve.key", "tunnel/main/key.pem", "divergence/1.2-abcdabcd.json"}) {
        EXPECT_EQ(after[name], before.at(name));
    }
    EXPECT_EQ(stored("file"), log);
    const auto state = load_state(data_dir()).value();
    ASSERT_TRUE(state);
    EXPECT_NE(state->incarnation, "the first disk");
    EXPECT_EQ(state->incarnation.size(), 32u);
    EXPECT_EQ(state->persistent.role, core::Role::shadow);
    EXPECT_TRUE(state->persistent.yielded);
    EXPECT_EQ(state->persistent.epoch, 7u);
    EXPECT_EQ(state->peer->identity, "its key");
    EXPECT_FALSE(std::filesystem::exists(data_dir().string() + ".restoring"));
    struct stat about {};
    ASSERT_EQ(::stat(data_dir().c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777, 0700u);
}

TEST_F(BackupTest, TwoRestoresAreTwoIncarnations) {
    ASSERT_TRUE(backup().ok());
    lose_disk();
    ASSERT_TRUE(restore().ok());
    const auto first = load_state(data_dir()).value()->incarnation;
    lose_disk();
    ASSERT_TRUE(restore().ok());
    EXPECT_NE(load_state(data_dir()).value()->incarnation, first);
}

TEST_F(BackupTest, TheFileIsPrivateAndSaysNothing) {
    ASSERT_TRUE(backup().ok());
    struct stat about {};
    ASSERT_EQ(::stat(kept().c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 07777, 0600u);
    const auto bytes = base::read_file(kept(), 10'000'000).value();
    for (const char* word : {"alpha", "the content of", "curve.key", "[instance]"}) {
        EXPECT_EQ(bytes.find(word), std::string::npos) << word;
    }
}

TEST_F(BackupTest, NothingIsOverwritten) {
    std::ofstream{kept()} << "precious";
    const auto done = backup(nobody);
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, Errc::conflict);
    EXPECT_EQ(base::read_file(kept(), 100).value(), "precious");
    const auto inside = write_backup({file(), data_dir() / "x", seal::cost_min}, nobody);
    ASSERT_FALSE(inside.ok());
    EXPECT_THAT(inside.error().message, HasSubstr("is in the data directory"));
    EXPECT_FALSE(std::filesystem::exists(data_dir() / "x"));
}

TEST_F(BackupTest, AShortPassphraseIsRefused) {
    const std::string shortest(passphrase_bytes_min, 'p');
    const auto done = backup(says(shortest.substr(1)));
    ASSERT_FALSE(done.ok());
    EXPECT_THAT(done.error().message, HasSubstr("too short"));
    EXPECT_FALSE(std::filesystem::exists(kept()));
    EXPECT_TRUE(backup(says(shortest)).ok());
}

TEST_F(BackupTest, AnInstanceThatRunsIsNotSaved) {
    const auto held = DataDirLock::take(data_dir());
    ASSERT_TRUE(held.ok());
    const auto done = backup(nobody);
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, Errc::conflict);
    EXPECT_THAT(done.error().message, HasSubstr("stop it first"));
}

TEST_F(BackupTest, ADamagedStorageIsNotSaved) {
    const auto path = data_dir() / "storage" / "config.log";
    auto bytes = base::read_file(path, 1'000'000).value();
    bytes[bytes.size() / 2] ^= 1;
    ASSERT_TRUE(base::replace_file(path, bytes).ok());
    const auto done = backup(nobody);
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, Errc::data_loss);
}

TEST_F(BackupTest, WhatCannotBeOpenedTouchesNothing) {
    ASSERT_TRUE(backup().ok());
    lose_disk();
    expect_refused(Errc::denied, "does not open with this passphrase", says("correct horse"));
    const auto whole = base::read_file(kept(), 10'000'000).value();
    const auto with = [&](const std::string& bytes) {
        ASSERT_TRUE(base::replace_file(kept(), bytes).ok());
    };
    auto changed = whole;
    changed[changed.size() / 2] ^= 1;
    with(changed);
    expect_refused(Errc::data_loss, "is damaged or cut off, from byte 112 on");
    with(whole.substr(0, whole.size() - 1));
    expect_refused(Errc::data_loss, "is damaged or cut off");
    with(whole.substr(0, 100));
    expect_refused(Errc::data_loss, "ends after 100 bytes", nobody);
    changed = whole;
    changed[8] = 9;
    with(changed);
    expect_refused(Errc::unsupported, "has format 9", nobody);
    with("[instance]\n");
    expect_refused(Errc::invalid, "is not a file that \"umbra backup\" wrote", nobody);
    const auto nothing = seal::seal("x", seal::Secret{good_passphrase}, seal::cost_min);
    with(*nothing);
    expect_refused(Errc::data_loss, "was not written by");
    with(whole);
    EXPECT_TRUE(restore().ok());
}

TEST_F(BackupTest, ADirectoryThatIsNotEmptyIsLeftAlone) {
    ASSERT_TRUE(backup().ok());
    expect_refused(Errc::conflict, data_dir().string() + " is not empty");
    lose_disk();
    std::ofstream{data_dir()} << "a file";
    expect_refused(Errc::conflict, data_dir().string() + " is not empty");
    std::filesystem::remove(data_dir());
    std::filesystem::create_directory(data_dir());
    EXPECT_TRUE(restore().ok()) << "an empty one is taken";
}

TEST_F(BackupTest, TheInstanceFileThatIsThereIsKeptIfItIsOfTheInstance) {
    ASSERT_TRUE(backup().ok());
    lose_disk();
    auto text = base::read_file(file(), 10'000).value();
    std::ofstream{file()} << "# another machine\n" << text;
    const auto done = restore();
    ASSERT_TRUE(done.ok()) << done.error().message;
    EXPECT_THAT(*done, HasSubstr("which is not that of the backup"));
    EXPECT_EQ(base::read_file(file(), 10'000).value(), "# another machine\n" + text);
    lose_disk();
    text.replace(text.find("\"alpha\""), 7, "\"omega\"");
    std::ofstream{file()} << text;
    expect_refused(Errc::conflict, "the backup is of alpha, but");
    std::ofstream{file()} << "[instance]\n";
    expect_refused(Errc::invalid, "mistake");
}

TEST_F(BackupTest, AnotherStorageMayTakeTheLog) {
    ASSERT_TRUE(backup().ok());
    lose_disk();
    write_instance_file("sqlite", "file = \"there.db\"");
    const auto done = restore(says(good_passphrase), {"checkpoint_pages=100"});
    ASSERT_TRUE(done.ok()) << done.error().message;
    const auto storage = open("sqlite", {"file=there.db"});
    ASSERT_TRUE(storage.ok());
    EXPECT_EQ((*storage)->read().value(), log);
}

TEST_F(BackupTest, WhatAKillLeftIsNotInTheWay) {
    ASSERT_TRUE(backup().ok());
    lose_disk();
    const std::filesystem::path draft = data_dir().string() + ".restoring";
    std::filesystem::create_directories(draft / "storage");
    std::ofstream{draft / "storage" / "config.log"} << "half";
    std::ofstream{draft / "old secret"} << "x";
    {
        std::filesystem::permissions(draft, std::filesystem::perms::owner_all);
        const auto held = DataDirLock::take(draft);
        ASSERT_TRUE(held.ok());
        const auto done = restore();
        ASSERT_FALSE(done.ok());
        EXPECT_EQ(done.error().code, Errc::conflict) << "another restore is at work";
        EXPECT_TRUE(std::filesystem::exists(draft / "old secret"));
    }
    ASSERT_TRUE(restore().ok());
    EXPECT_FALSE(std::filesystem::exists(draft));
    EXPECT_FALSE(std::filesystem::exists(data_dir() / "old secret"));
    EXPECT_EQ(stored("file"), log);
}

TEST_F(BackupTest, ALinkToTheDirectoryStays) {
    ASSERT_TRUE(backup().ok());
    lose_disk();
    std::filesystem::create_directory(dir / "disk");
    std::filesystem::create_directory_symlink(dir / "disk", data_dir());
    const auto done = restore();
    ASSERT_TRUE(done.ok()) << done.error().message;
    EXPECT_TRUE(std::filesystem::is_symlink(data_dir()));
    EXPECT_TRUE(std::filesystem::exists(dir / "disk" / "state.json"));
}

/// Where the commands are root's, the files stay those of the service.
class BackupOfRootTest : public BackupTest {
protected:
    static constexpr uid_t service = 65534;

    void SetUp() override {
        if (::geteuid() != 0) GTEST_SKIP() << "only root can give files away";
        BackupTest::SetUp();
        ::chmod(dir.path().c_str(), 0755);
        give_away(data_dir());
    }
    static void give_away(const std::filesystem::path& top) {
        ASSERT_EQ(::chown(top.c_str(), service, service), 0);
        for (const auto& entry : std::filesystem::recursive_directory_iterator{top}) {
            ASSERT_EQ(::lchown(entry.path().c_str(), service, service), 0);
        }
    }
    void expect_given_away() const {
        struct stat about {};
        for (const auto& entry : std::filesystem::recursive_directory_iterator{data_dir()}) {
            ASSERT_EQ(::lstat(entry.path().c_str(), &about), 0);
            EXPECT_EQ(about.st_uid, service) << entry.path();
            EXPECT_EQ(about.st_gid, service) << entry.path();
        }
    }
};

TEST_F(BackupOfRootTest, WhatIsMadeBelongsToTheOwnerOfTheDirectory) {
    const auto migrated = migrate_storage({file(), "file", "sqlite", {}});
    ASSERT_TRUE(migrated.ok()) << migrated.error().message;
    EXPECT_TRUE(std::filesystem::exists(data_dir() / "storage" / "config.db"));
    expect_given_away();
    ASSERT_TRUE(backup().ok());
    expect_given_away();
    EXPECT_EQ(::geteuid(), 0u);
    EXPECT_EQ(::getegid(), ::getgid());
    struct stat about {};
    ASSERT_EQ(::stat(kept().c_str(), &about), 0);
    EXPECT_EQ(about.st_uid, 0u) << "the backup is root's";

    lose_disk();
    std::filesystem::remove(file());
    std::filesystem::create_directory(data_dir());
    give_away(data_dir());
    ASSERT_TRUE(restore().ok());
    expect_given_away();
    ASSERT_EQ(::stat(file().c_str(), &about), 0);
    EXPECT_EQ(about.st_uid, service);
}

TEST_F(BackupOfRootTest, SomebodyElseIsRefused) {
    ASSERT_EQ(::seteuid(service - 1), 0);
    const auto saved = write_backup({file(), "/tmp/never", seal::cost_min}, nobody);
    const auto migrated = migrate_storage({file(), "file", "sqlite", {}});
    ASSERT_EQ(::seteuid(0), 0);
    ASSERT_FALSE(saved.ok());
    EXPECT_EQ(saved.error().code, Errc::denied) << saved.error().message;
    ASSERT_FALSE(migrated.ok());
    EXPECT_EQ(migrated.error().code, Errc::denied) << migrated.error().message;
}

TEST_F(BackupTest, AHalfMigratedStorageIsNotSaved) {
    std::ofstream{data_dir() / "migration.json"}
        << R"({"version":1,"unfinished":[{"from":{"plugin":"sqlite","options":"a"},)"
        << R"("to":{"plugin":"file","options":"b"}}]})";
    const auto done = backup(nobody);
    ASSERT_FALSE(done.ok());
    EXPECT_THAT(done.error().message, HasSubstr("was not finished"));
}

class BackupInEtcdTest : public BackupTest {
protected:
    void SetUp() override {
        if (!has("etcd")) GTEST_SKIP() << "etcd is not installed";
        BackupTest::SetUp();
        write_instance_file("etcd", inline_options_of("etcd"));
        fill("etcd", log);
        ASSERT_TRUE(backup().ok());
        lose_disk();
    }
};

TEST_F(BackupInEtcdTest, TheOldOwnerIsAskedFor) { expect_refused(Errc::conflict, "adopt"); }

TEST_F(BackupInEtcdTest, WhatEtcdHasSinceIsKept) {
    ASSERT_TRUE(base::make_private_directory(data_dir()).ok());
    {
        auto options = options_of("etcd");
        options.push_back("adopt=true");
        const auto storage = open("etcd", options);
        ASSERT_TRUE(storage.ok()) << storage.error().message;
        ASSERT_TRUE((*storage)->replace_by(make_log(60, 55)).ok());
    }
    lose_disk();
    const auto done = restore(says(good_passphrase), {"adopt=true"});
    ASSERT_TRUE(done.ok()) << done.error().message;
    EXPECT_THAT(*done, HasSubstr("kept what the storage etcd has"));
    EXPECT_EQ(stored("etcd"), make_log(60, 55));
}

TEST_F(BackupInEtcdTest, WhatDoesNotContinueTheBackupIsLeftAlone) {
    ASSERT_TRUE(base::make_private_directory(data_dir()).ok());
    {
        auto options = options_of("etcd");
        options.push_back("adopt=true");
        const auto storage = open("etcd", options);
        ASSERT_TRUE(storage.ok()) << storage.error().message;
        ASSERT_TRUE((*storage)->replace_by(make_log(20, 15)).ok());
    }
    lose_disk();
    const auto done = restore(says(good_passphrase), {"adopt=true"});
    ASSERT_FALSE(done.ok());
    EXPECT_EQ(done.error().code, Errc::conflict);
    EXPECT_THAT(done.error().message, HasSubstr("does not continue the backup"));
    EXPECT_FALSE(std::filesystem::exists(data_dir()));
}

TEST_F(BackupInEtcdTest, AnEmptyPrefixIsFilled) {
    (void)etcd().control("del --prefix " + dir.path().filename().string() + "/");
    const auto done = restore();
    ASSERT_TRUE(done.ok()) << done.error().message;
    EXPECT_EQ(stored("etcd"), log);
}

// --- the program

class BackupCommandTest : public BackupTest {
protected:
    test::Ran run(std::vector<std::string> arguments, std::vector<std::string> environment = {}) {
        arguments.insert(arguments.end(), {"--config", file().string()});
        return test::Program{UMBRA_PROGRAM, std::move(arguments), std::move(environment)}.finish();
    }
    std::string passphrase_file(const std::string& text, mode_t mode = 0600) {
        const auto path = (dir / "passphrase").string();
        std::ofstream{path} << text;
        ::chmod(path.c_str(), mode);
        return path;
    }
};

TEST_F(BackupCommandTest, ThePassphraseComesFromAFileOrTheEnvironment) {
    const auto saved = run({"backup", kept().string(), "--passphrase-file",
                            passphrase_file(std::string{good_passphrase} + "\r\nignored\n")});
    EXPECT_EQ(saved.status, 0) << saved.err;
    EXPECT_THAT(saved.out, HasSubstr("saved alpha in "));
    lose_disk();
    const auto wrong = run({"restore", kept().string()}, {"UMBRA_PASSPHRASE=wrong"});
    EXPECT_EQ(wrong.status, 1);
    EXPECT_EQ(wrong.err, "umbra: " + kept().string() + " does not open with this passphrase\n");
    const auto restored =
        run({"restore", kept().string()}, {std::string{"UMBRA_PASSPHRASE="} + good_passphrase});
    EXPECT_EQ(restored.status, 0) << restored.err;
    const auto again =
        run({"restore", kept().string()}, {std::string{"UMBRA_PASSPHRASE="} + good_passphrase});
    EXPECT_EQ(again.status, 4) << again.err;
    const auto there = run({"backup", kept().string()}, {"UMBRA_PASSPHRASE=x"});
    EXPECT_EQ(there.status, 4) << there.err;
}

TEST_F(BackupCommandTest, APassphraseFileThatCannotBeOneIsNamed) {
    const auto refused = [&](const std::string& path) {
        const auto ran = run({"backup", kept().string(), "--passphrase-file", path});
        EXPECT_NE(ran.status, 0);
        EXPECT_FALSE(std::filesystem::exists(kept()));
        return ran.err;
    };
    EXPECT_THAT(refused(passphrase_file("long enough for it\n", 0640)), HasSubstr("chmod 600"));
    EXPECT_THAT(refused(passphrase_file("\nsecond line\n")), HasSubstr("has no passphrase"));
    EXPECT_THAT(refused(passphrase_file(std::string(seal::passphrase_bytes_max + 1, 'p'))),
                HasSubstr("at most 1024 bytes"));
    EXPECT_THAT(refused((dir / "missing").string()), HasSubstr("cannot open"));
    const auto longest = run({"backup", kept().string(), "--passphrase-file",
                              passphrase_file(std::string(seal::passphrase_bytes_max, 'p'))});
    EXPECT_EQ(longest.status, 0) << longest.err;
}

/// The program at a terminal, typed at.
class Terminal {
public:
    explicit Terminal(std::vector<std::string> arguments) {
        std::vector<char*> raw;
        for (auto& word : arguments) raw.push_back(word.data());
        raw.push_back(nullptr);
        pid_ = ::forkpty(&fd_, nullptr, nullptr, nullptr);
        if (pid_ != 0) return;
        ::unsetenv("UMBRA_PASSPHRASE");
        ::execv(raw[0], raw.data());
        ::_exit(127);
    }
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;
    ~Terminal() {
        ::kill(pid_, SIGKILL);
        if (!waited_) ::waitpid(pid_, nullptr, 0);
        ::close(fd_);
    }
    /// Types when `question` was asked as the next thing.
    void answer(const std::string& question, const std::string& keys) {
        while (shown_.find(question) == std::string::npos && read_some()) {
        }
        EXPECT_THAT(shown_, HasSubstr(question));
        all_ += std::exchange(shown_, {});
        EXPECT_EQ(::write(fd_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
    }
    int finish() {
        while (read_some()) {
        }
        all_ += std::exchange(shown_, {});
        int status = 0;
        ::waitpid(pid_, &status, 0);
        waited_ = true;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    [[nodiscard]] const std::string& all() const { return all_; }

private:
    bool read_some() {
        pollfd one{fd_, POLLIN, 0};
        if (::poll(&one, 1, 20'000) <= 0) {
            ADD_FAILURE() << "the program is silent: " << shown_;
            ::kill(pid_, SIGKILL);
            return false;
        }
        char buffer[4096];
        const ssize_t n = ::read(fd_, buffer, sizeof buffer);
        if (n > 0) shown_.append(buffer, static_cast<std::size_t>(n));
        return n > 0;
    }
    int fd_ = -1;
    pid_t pid_ = -1;
    bool waited_ = false;
    std::string shown_, all_;
};

TEST_F(BackupCommandTest, AtATerminalItIsAskedForTwiceAndNotShown) {
    const std::vector<std::string> command{UMBRA_PROGRAM, "backup", kept().string(), "--config",
                                           file().string()};
    {
        Terminal terminal{command};
        terminal.answer("Passphrase of the backup: ", "one passphrase\n");
        terminal.answer("The same again: ", "another passphrase\n");
        EXPECT_EQ(terminal.finish(), 2);
        EXPECT_THAT(terminal.all(), HasSubstr("are not the same"));
        EXPECT_THAT(terminal.all(), testing::Not(HasSubstr("one passphrase")));
        EXPECT_FALSE(std::filesystem::exists(kept()));
    }
    {
        Terminal terminal{command};
        terminal.answer("Passphrase of the backup: ", "begun\x03");
        EXPECT_EQ(terminal.finish(), 1);
        EXPECT_THAT(terminal.all(), HasSubstr("no passphrase was given"));
    }
    {
        Terminal terminal{command};
        // Taken back: a line, a letter of two bytes.
        terminal.answer("Passphrase of the backup: ",
                        "wrong\x15" + std::string{good_passphrase} + "\xc3\xa4\x7f\n");
        terminal.answer("The same again: ", std::string{good_passphrase} + "\n");
        EXPECT_EQ(terminal.finish(), 0) << terminal.all();
    }
    lose_disk();
    EXPECT_TRUE(restore().ok());
}

}  // namespace
}  // namespace umbra::instance
