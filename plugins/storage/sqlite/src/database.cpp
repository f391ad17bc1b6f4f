#include <umbra/sqlite_storage/database.hpp>

#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>

namespace umbra::sqlite_storage {

namespace {

constexpr int lock_poll_ms = 10;

bool is_full(int code, int system_error) {
    if ((code & 0xff) == SQLITE_FULL) return true;
    if (code != SQLITE_IOERR_WRITE && code != SQLITE_IOERR_TRUNCATE) return false;
    return system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG;
}

Errc meaning(int code, int system_error) {
    if (is_full(code, system_error) || code == SQLITE_IOERR_NOMEM) return Errc::exhausted;
    switch (code & 0xff) {
        case SQLITE_IOERR:
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return Errc::data_loss;
        case SQLITE_NOMEM:
            return Errc::exhausted;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return Errc::conflict;
        case SQLITE_CANTOPEN:
            return Errc::unavailable;
        case SQLITE_PERM:
        case SQLITE_READONLY:
        case SQLITE_AUTH:
            return Errc::denied;
        case SQLITE_TOOBIG:
            return Errc::invalid;
        case SQLITE_INTERRUPT:
            return Errc::closed;
        default:
            return Errc::internal;
    }
}

const char* remedy(int code, bool full) {
    if (full) return "; make space on that file system, nothing was changed";
    switch (code & 0xff) {
        case SQLITE_BUSY:
            return "; another program holds it, end that one";
        case SQLITE_IOERR:
            return "; what is on the disk is unknown, check it and start the instance again";
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            return "; restore a backup, or move its files away so that this instance fetches "
                   "everything from its peer";
        default:
            return "";
    }
}

}  // namespace

Statement& Statement::bind(int index, std::uint64_t value) {
    const int code = ::sqlite3_bind_int64(raw_, index, static_cast<sqlite3_int64>(value));
    if (bound_ == SQLITE_OK) bound_ = code;
    return *this;
}

Statement& Statement::bind_blob(int index, const void* data, std::size_t size) {
    // Not a null pointer: that would be stored as NULL.
    const int code = ::sqlite3_bind_blob64(raw_, index, size == 0 ? "" : data, size, SQLITE_STATIC);
    if (bound_ == SQLITE_OK) bound_ = code;
    return *this;
}

int Statement::step() {
    if (bound_ != SQLITE_OK) return bound_;
    errno = 0;
    const int code = ::sqlite3_step(raw_);
    return code == SQLITE_ROW || code == SQLITE_DONE ? code : ::sqlite3_extended_errcode(db_);
}

void Statement::reset() {
    bound_ = SQLITE_OK;
    ::sqlite3_reset(raw_);
    ::sqlite3_clear_bindings(raw_);
}

std::uint64_t Statement::number(int column) const {
    return static_cast<std::uint64_t>(::sqlite3_column_int64(raw_, column));
}

std::string_view Statement::blob(int column) const {
    const auto* data = static_cast<const char*>(::sqlite3_column_blob(raw_, column));
    const auto size = static_cast<std::size_t>(::sqlite3_column_bytes(raw_, column));
    return data == nullptr ? std::string_view{} : std::string_view{data, size};
}

int Database::wait_for_lock(void* self, int count) {
    const auto& database = *static_cast<Database*>(self);
    if (database.interrupted_ || count * lock_poll_ms >= database.busy_ms_) return 0;
    std::this_thread::sleep_for(std::chrono::milliseconds{lock_poll_ms});
    return 1;
}

Result<Done> Database::open(int busy_ms) {
    busy_ms_ = busy_ms;
    log_pages_ = 0;
    errno = 0;
    const int code = ::sqlite3_open_v2(path_.c_str(), &db_,
                                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    if (db_ == nullptr) return Error{Errc::exhausted, "no memory to open " + path_};
    ::sqlite3_extended_result_codes(db_, 1);
    if (code != SQLITE_OK) {
        auto failure = error("open", ::sqlite3_extended_errcode(db_));
        close();
        return failure;
    }
    ::sqlite3_busy_handler(db_, &wait_for_lock, this);
    // Both would hide errors or leave files that nothing has checked.
    ::sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    ::sqlite3_db_config(db_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    ::sqlite3_wal_hook(
        db_,
        [](void* self, sqlite3*, const char*, int pages) {
            static_cast<Database*>(self)->log_pages_ = pages;
            return SQLITE_OK;
        },
        this);
    return Done{};
}

void Database::close() {
    prepared_.clear();
    if (db_ != nullptr) ::sqlite3_close_v2(db_);
    db_ = nullptr;
}

Result<Done> Database::run(const char* sql) {
    errno = 0;
    const int code = ::sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return error("use", ::sqlite3_extended_errcode(db_));
    return Done{};
}

Result<std::string> Database::ask(const char* sql) {
    std::string answer;
    const auto take = [](void* out, int columns, char** texts, char**) {
        auto& all = *static_cast<std::string*>(out);
        if (columns > 0 && texts[0] != nullptr)
            all += (all.empty() ? "" : "; ") + std::string{texts[0]};
        return 0;
    };
    errno = 0;
    const int code = ::sqlite3_exec(db_, sql, take, &answer, nullptr);
    if (code != SQLITE_OK) return error("read", ::sqlite3_extended_errcode(db_));
    return answer;
}

Result<std::uint64_t> Database::ask_number(const char* sql) {
    auto statement = prepared(sql);
    if (!statement.ok()) return statement.error();
    auto& query = **statement;
    const int code = query.step();
    const auto value = code == SQLITE_ROW ? query.number(0) : 0;
    auto failure = code == SQLITE_ROW || code == SQLITE_DONE ? Error{} : error("read", code);
    query.reset();
    if (code == SQLITE_ROW) return value;
    if (code == SQLITE_DONE) return Error{Errc::data_loss, path_ + ": a row is missing"};
    return failure;
}

Result<Statement*> Database::prepared(const char* sql) {
    auto found = prepared_.find(sql);
    if (found == prepared_.end()) {
        sqlite3_stmt* raw = nullptr;
        errno = 0;
        if (::sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &raw, nullptr) !=
            SQLITE_OK)
            return error("use", ::sqlite3_extended_errcode(db_));
        found = prepared_.try_emplace(sql, db_, raw).first;
    }
    return &found->second;
}

Result<Done> Database::finish(Statement& statement) {
    int code = SQLITE_ROW;
    while (code == SQLITE_ROW) code = statement.step();
    const auto failure = code == SQLITE_DONE ? Error{} : error("write", code);
    statement.reset();
    if (code != SQLITE_DONE) return failure;
    return Done{};
}

void Database::rollback() {
    // Some errors have rolled it back already.
    if (db_ != nullptr && ::sqlite3_get_autocommit(db_) == 0)
        (void)::sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
}

Result<Done> Database::checkpoint() {
    const int code =
        ::sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
    if (code != SQLITE_OK) return error("checkpoint", ::sqlite3_extended_errcode(db_));
    log_pages_ = 0;
    return Done{};
}

Error Database::error(const char* what, int code) const {
    // SQLite's own record of it misses a failed COMMIT.
    const int system_error = errno;
    const bool from_system = (code & 0xff) == SQLITE_IOERR || (code & 0xff) == SQLITE_CANTOPEN;
    const bool full = is_full(code, system_error);
    std::string reason = ::sqlite3_errstr(code);
    if (const char* more = ::sqlite3_errmsg(db_); more != nullptr && reason != more)
        reason += std::string{" ("} + more + ")";
    if (from_system && system_error != 0)
        reason += ": " + std::generic_category().message(system_error);
    return {meaning(code, system_error),
            std::string{"cannot "} + what + " " + path_ + ": " + reason + remedy(code, full),
            full && !from_system ? ENOSPC
            : from_system        ? system_error
                                 : 0};
}

}  // namespace umbra::sqlite_storage
