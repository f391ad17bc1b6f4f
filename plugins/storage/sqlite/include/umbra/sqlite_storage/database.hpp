#pragma once

#include <umbra/sdk/result.hpp>

#include <atomic>
#include <cstdint>
#include <map>
#include <sqlite3.h>
#include <string>
#include <string_view>

namespace umbra::sqlite_storage {

/// A prepared statement, bound and stepped in place. Texts and blobs that are bound must live until
/// the statement is reset; columns live until the next step. Threads: one.
class Statement {
public:
    /// Takes over `raw`.
    Statement(sqlite3* db, sqlite3_stmt* raw) : db_(db), raw_(raw) {}
    ~Statement() { ::sqlite3_finalize(raw_); }
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;

    /// Number as the 64 bits that it has: a large unsigned one is stored as negative.
    Statement& bind(int index, std::uint64_t value);
    Statement& bind_blob(int index, const void* data, std::size_t size);
    Statement& bind_blob(int index, std::string_view bytes) {
        return bind_blob(index, bytes.data(), bytes.size());
    }
    /// @return SQLITE_ROW, SQLITE_DONE or an error; errors of bind() come here too.
    int step();
    void reset();

    [[nodiscard]] std::uint64_t number(int column) const;
    [[nodiscard]] std::string_view blob(int column) const;

private:
    sqlite3* db_;
    sqlite3_stmt* raw_;
    int bound_ = SQLITE_OK;
};

/// One connection. Statements are prepared once for each text and kept.
///
/// Errors (`error()`): `data_loss` for damage, and for an input or output that failed, a sync among
/// them; `exhausted` for a full disk or quota, and for memory; `conflict` when somebody else holds
/// the file.
///
/// Threads: one, but for `interrupt()`.
class Database {
public:
    explicit Database(std::string path) : path_(std::move(path)) {}
    ~Database() { close(); }
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    /// @param busy_ms  How long a lock that somebody else holds is waited for.
    Result<Done> open(int busy_ms);
    /// Does not checkpoint: an error would go unseen.
    void close();
    [[nodiscard]] bool is_open() const { return db_ != nullptr; }

    /// Runs statements without results; an answer of a pragma is ignored.
    Result<Done> run(const char* sql);
    /// The first column of the only row, as text; for pragmas.
    Result<std::string> ask(const char* sql);
    Result<std::uint64_t> ask_number(const char* sql);
    /// Valid until `close()`, reset by the caller; `sql` is static.
    Result<Statement*> prepared(const char* sql);
    /// Runs a prepared statement that was bound, to its end, and resets it.
    Result<Done> finish(Statement& statement);

    /// Ends a transaction whatever state it is in.
    void rollback();
    /// Moves the log of SQLite into the database and empties it; both are durable then.
    /// @return Also an error that SQLite itself would keep for itself.
    Result<Done> checkpoint();
    /// Pages that the last commits left in the log.
    [[nodiscard]] int log_pages() const { return log_pages_; }

    /// What a call means that has just failed with `code`; reads errno.
    [[nodiscard]] Error error(const char* what, int code) const;
    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] sqlite3* raw() const { return db_; }

    void interrupt() noexcept { interrupted_ = true; }

private:
    static int wait_for_lock(void* self, int count);

    std::string path_;
    sqlite3* db_ = nullptr;
    int busy_ms_ = 0;
    int log_pages_ = 0;
    std::atomic<bool> interrupted_{false};
    std::map<std::string_view, Statement> prepared_;
};

}  // namespace umbra::sqlite_storage
