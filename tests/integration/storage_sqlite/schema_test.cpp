// Databases of other versions and of other programs, made with SQLite itself.

#include "integration/plugin/storage_conformance.hpp"
#include "integration/plugin/storage_driver.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sqlite3.h>

namespace umbra::plugin_test {
namespace {

/// Schema 1, as it was written. Never changed: it stands for databases out there.
constexpr const char* schema_1 = R"(
    CREATE TABLE entry (
        seq INTEGER PRIMARY KEY CHECK (seq > 0), epoch INTEGER NOT NULL,
        hash BLOB NOT NULL CHECK (length(hash) = 32), body BLOB NOT NULL) STRICT;
    CREATE TABLE snapshot (
        id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL CHECK (seq > 0),
        epoch INTEGER NOT NULL, hash BLOB NOT NULL CHECK (length(hash) = 32),
        body BLOB NOT NULL) STRICT;
    PRAGMA application_id = 1431126610; PRAGMA user_version = 1;)";

class Sqlite {
public:
    explicit Sqlite(const std::string& path) { EXPECT_EQ(::sqlite3_open(path.c_str(), &db_), 0); }
    ~Sqlite() { ::sqlite3_close(db_); }
    Sqlite(const Sqlite&) = delete;
    Sqlite& operator=(const Sqlite&) = delete;

    void run(const std::string& sql) {
        char* why = nullptr;
        EXPECT_EQ(::sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, &why), SQLITE_OK) << why;
    }
    std::string ask(const char* sql) {
        std::string answer;
        const auto take = [](void* out, int, char** texts, char**) {
            *static_cast<std::string*>(out) += texts[0];
            return 0;
        };
        EXPECT_EQ(::sqlite3_exec(db_, sql, take, &answer, nullptr), SQLITE_OK);
        return answer;
    }
    void insert(const std::string& into, const LogEntry& entry) {
        const auto sql = "INSERT INTO " + into + " VALUES (?, ?, ?, ?)";
        sqlite3_stmt* statement = nullptr;
        ASSERT_EQ(::sqlite3_prepare_v2(db_, sql.c_str(), -1, &statement, nullptr), SQLITE_OK);
        ::sqlite3_bind_int64(statement, 1, static_cast<sqlite3_int64>(entry.position.seq));
        ::sqlite3_bind_int64(statement, 2, static_cast<sqlite3_int64>(entry.position.epoch));
        ::sqlite3_bind_blob(statement, 3, entry.position.hash.data(), 32, SQLITE_STATIC);
        ::sqlite3_bind_blob64(statement, 4, entry.body.data(), entry.body.size(), SQLITE_STATIC);
        EXPECT_EQ(::sqlite3_step(statement), SQLITE_DONE);
        ::sqlite3_finalize(statement);
    }

private:
    sqlite3* db_ = nullptr;
};

class SqliteSchema : public ::testing::Test {
protected:
    Result<StorageOpened> open(const OptionValues& options = {}) {
        storage_.reset();
        storage_.emplace(plugin(), directory_.path(), options);
        return storage_->open().get();
    }
    static const PluginFile& plugin() {
        static const PluginFile file{storage_under_test().file, UMBRA_KIND_STORAGE};
        return file;
    }
    [[nodiscard]] std::string path() const { return directory_.path() + "/config.db"; }
    [[nodiscard]] std::string bytes() const {
        std::ifstream in{path(), std::ios::binary};
        return {std::istreambuf_iterator<char>{in}, {}};
    }
    void expect_refused_and_left_alone(Errc code, const std::string& text) {
        const auto before = bytes();
        const auto opened = open();
        ASSERT_FALSE(opened.ok());
        EXPECT_EQ(opened.error().code, code);
        EXPECT_EQ(opened.error().message, path() + text);
        storage_.reset();
        EXPECT_TRUE(bytes() == before);
    }

    TemporaryDirectory directory_;
    std::optional<StorageDriver> storage_;
};

TEST_F(SqliteSchema, AnOlderOneIsMigratedWithEverythingInIt) {
    auto large = entry_of(7, std::string(100'000, '\0'), UINT64_MAX - 1);
    {
        Sqlite db{path()};
        db.run(schema_1);
        db.insert("snapshot (seq, epoch, hash, body) ", entry_of(4, "one to four"));
        for (const auto& entry : {entry_of(5), entry_of(6, ""), large}) db.insert("entry", entry);
    }
    const auto opened = open();
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    EXPECT_EQ(opened->detail, "migrated " + path() + " from schema 1 to 2");
    EXPECT_EQ(opened->snapshot.seq, 4u);
    ASSERT_TRUE(storage_->append({entry_of(8)}).get().ok());
    const auto again = open();
    ASSERT_TRUE(again.ok()) << again.error().message;
    EXPECT_EQ(again->detail, "");
    EXPECT_EQ(again->last, position_of(8));
    EXPECT_EQ(*storage_->read(1, 10).get(),
              (std::vector{entry_of(5), entry_of(6, ""), large, entry_of(8)}));
    EXPECT_EQ(*storage_->read_snapshot().get(), entry_of(4, "one to four"));
}

TEST_F(SqliteSchema, AMigrationEndsWithTheSchemaOfAFreshDatabase) {
    Sqlite{path()}.run(schema_1);
    const auto schema = [&] {
        EXPECT_TRUE(open().ok());
        storage_.reset();
        Sqlite db{path()};
        EXPECT_EQ(db.ask("PRAGMA user_version"), "2");
        EXPECT_EQ(db.ask("PRAGMA integrity_check"), "ok");
        return db.ask(
            "SELECT group_concat(name || type || \"notnull\" || pk) FROM ("
            "SELECT t.* FROM sqlite_schema s, pragma_table_info(s.name) t)");
    };
    const auto migrated = schema();
    std::filesystem::remove(path());
    std::filesystem::remove(path() + ".mark");
    EXPECT_EQ(migrated, schema());
}

TEST_F(SqliteSchema, ALaterOneIsRefusedByItsNumber) {
    ASSERT_TRUE(open().ok());
    storage_.reset();
    Sqlite{path()}.run("PRAGMA user_version = 3");
    expect_refused_and_left_alone(Errc::unsupported,
                                  " has schema 3, this version of Umbra knows schemas up to 2; run "
                                  "the version that wrote it");
}

TEST_F(SqliteSchema, ADatabaseOfAnotherProgramIsLeftAlone) {
    Sqlite{path()}.run("CREATE TABLE bookmarks (url TEXT)");
    expect_refused_and_left_alone(Errc::conflict,
                                  " is not a database of Umbra's storage \"sqlite\"; give the "
                                  "option \"file\" another name, or "
                                  "move that file away");
}

TEST_F(SqliteSchema, AFileThatIsNoDatabaseIsLeftAlone) {
    std::ofstream{path()} << std::string(5000, 'x');
    const auto opened = open();
    ASSERT_FALSE(opened.ok());
    EXPECT_EQ(opened.error().code, Errc::data_loss) << opened.error().message;
    EXPECT_EQ(bytes(), std::string(5000, 'x'));
}

TEST_F(SqliteSchema, AnotherProgramThatHoldsTheDatabaseIsWaitedFor) {
    ASSERT_TRUE(open().ok());
    ASSERT_TRUE(storage_->append({entry_of(1)}).get().ok());
    storage_.reset();
    std::optional<Sqlite> other{path()};
    other->run("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE;");
    using std::chrono::steady_clock;
    const auto began = steady_clock::now();
    const auto refused = open({{"busy_timeout", std::int64_t{100'000'000}}});
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Errc::conflict) << refused.error().message;
    EXPECT_GE(steady_clock::now() - began, std::chrono::milliseconds{90});
    storage_.emplace(plugin(), directory_.path());
    const auto waiting = storage_->open();
    other.reset();
    const auto opened = waiting.get();
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    EXPECT_EQ(storage_->read(1, 1).get()->size(), 1u);
}

TEST_F(SqliteSchema, NobodyElseWritesWhileTheStorageIsOpen) {
    ASSERT_TRUE(open().ok());
    sqlite3* db = nullptr;
    ASSERT_EQ(::sqlite3_open(path().c_str(), &db), SQLITE_OK);
    EXPECT_EQ(::sqlite3_exec(db, "DELETE FROM entry", nullptr, nullptr, nullptr), SQLITE_BUSY);
    ::sqlite3_close(db);
}

}  // namespace
}  // namespace umbra::plugin_test
