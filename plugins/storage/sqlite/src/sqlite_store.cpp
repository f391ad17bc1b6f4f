#include <umbra/sqlite_storage/schema.hpp>
#include <umbra/sqlite_storage/sqlite_store.hpp>
#include <umbra/storage_queue/checksum.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace umbra::sqlite_storage {

namespace {

using storage_queue::checksum;
using storage_queue::file_error;

constexpr const char* insert_entry =
    "INSERT INTO entry (seq, epoch, hash, body, sum) VALUES (?, ?, ?, ?, ?)";
constexpr const char* insert_snapshot =
    "INSERT OR REPLACE INTO snapshot (id, seq, epoch, hash, body, sum) VALUES (1, ?, ?, ?, ?, ?)";
constexpr const char* select_entries =
    "SELECT seq, epoch, hash, body, sum FROM entry WHERE seq >= ? ORDER BY seq LIMIT ?";
constexpr const char* select_snapshot =
    "SELECT seq, epoch, hash, body, sum FROM snapshot WHERE id = 1";
constexpr const char* select_commits = "SELECT commits FROM state WHERE id = 1";
constexpr const char* select_last = "SELECT last_seq FROM state WHERE id = 1";
constexpr const char* update_state = "UPDATE state SET commits = ?, last_seq = ? WHERE id = 1";
constexpr const char* delete_after = "DELETE FROM entry WHERE seq > ?";
constexpr const char* delete_up_to = "DELETE FROM entry WHERE seq <= ?";

constexpr const char* remedy =
    "; restore a backup, or move the files of the storage away so that this instance fetches "
    "everything from its peer";

/// Resets a statement when the reading of its rows ends, however it ends.
struct Resetting {
    Statement& statement;
    ~Resetting() { statement.reset(); }
};

Result<Done> sync_file(const std::string& path, int flags) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return file_error("open", path, errno);
    struct stat status {};
    int error = ::fstat(fd, &status) == 0 ? 0 : errno;
    const bool usable = error == 0 && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode));
    const bool synced = usable && ::fsync(fd) == 0;
    if (usable && !synced) error = errno;
    ::close(fd);
    if (error == 0 && !usable) return Error{Errc::denied, path + " is not a file; move it away"};
    if (error == 0) return Done{};
    auto failure = file_error("make durable", path, error);
    failure.code = Errc::data_loss;
    return failure;
}

}  // namespace

SqliteStore::SqliteStore(Settings settings)
    : settings_(std::move(settings)),
      checkpoint_pages_(settings_.checkpoint_pages),
      database_(path(settings_.file)),
      mark_(path(settings_.file + ".mark")) {}

std::string SqliteStore::path(const std::string& name) const {
    return settings_.directory + "/" + name;
}

Result<Done> SqliteStore::ready() const {
    if (lost_) return *lost_;
    if (!open_)
        return Error{Errc::conflict, "the storage in " + settings_.directory + " is not open"};
    return Done{};
}

Error SqliteStore::damaged(const std::string& what) const {
    return {Errc::data_loss, database_.path() + ": " + what + remedy};
}

Result<StorageOpened> SqliteStore::open() {
    if (lost_) return *lost_;
    if (open_)
        return Error{Errc::conflict, "the storage in " + settings_.directory + " is open already"};
    auto detail = recover();
    if (!detail.ok()) {
        // Without a checkpoint: what was found stays as it is.
        database_.close();
        mark_.close();
        lock_.release();
        return detail.error();
    }
    open_ = true;
    return StorageOpened{extent_.last, extent_.snapshot, std::move(detail).value()};
}

Result<Done> SqliteStore::close() {
    drop_stage();
    Result<Done> closed = Done{};
    if (open_ && !lost_) closed = database_.checkpoint();
    database_.close();
    mark_.close();
    // Last: whoever gets the lock next must find everything at rest.
    lock_.release();
    open_ = false;
    return closed;
}

Result<std::string> SqliteStore::recover() {
    if (auto r = lock_.take(settings_.directory); !r.ok()) return r.error();
    if (auto r = prepare_files(); !r.ok()) return r.error();
    if (auto r = database_.open(settings_.busy_ms); !r.ok()) return r.error();
    if (auto r = configure(); !r.ok()) return r.error();
    const auto version = check_schema(database_);
    if (!version.ok()) return version.error();
    if (*version != 0)
        if (auto r = check_structure(); !r.ok()) return r.error();
    commits_ = 0;
    if (*version == schema_version) {
        const auto commits = database_.ask_number(select_commits);
        if (!commits.ok()) return commits.error();
        commits_ = *commits;
    }
    if (auto r = check_mark(); !r.ok()) return r.error();

    // Only now may anything be written.
    const auto mode = database_.ask("PRAGMA journal_mode = WAL");
    if (!mode.ok()) return mode.error();
    if (*mode != "wal")
        return Error{Errc::unsupported, database_.path() +
                                            ": this file system cannot hold a "
                                            "write-ahead log of SQLite"};
    auto migrated = migrate(database_, *version);
    if (!migrated.ok()) return migrated;
    if (auto r = check_content(); !r.ok()) return r.error();
    // A full disk does not keep the log from being opened: what is in the WAL has been synced.
    if (auto r = database_.checkpoint(); !r.ok() && r.error().code != Errc::exhausted)
        return r.error();
    if (auto r = mark_.start(commits_); !r.ok()) return r.error();
    if (auto r = sync_directory(); !r.ok()) return r.error();
    return migrated;
}

Result<Done> SqliteStore::prepare_files() {
    if (auto r = sync_file(database_.path(), O_RDWR | O_CREAT); !r.ok()) return r;
    // A commit of a process that was killed may be complete and not yet on the disk.
    const auto wal = database_.path() + "-wal";
    auto r = sync_file(wal, O_RDWR);
    if (!r.ok() && r.error().sys_errno == ENOENT) return Done{};
    return r;
}

Result<Done> SqliteStore::sync_directory() {
    return sync_file(settings_.directory, O_RDONLY | O_DIRECTORY);
}

Result<Done> SqliteStore::configure() {
    // Exclusive before the first access: the index of the WAL is kept in memory then, and no file
    // is mapped that a full disk could take away.
    return database_.run(
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL;"
        "PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY;");
}

Result<Done> SqliteStore::check_structure() {
    const auto found = database_.ask("PRAGMA integrity_check(3)");
    if (!found.ok()) return found.error();
    if (*found != "ok") return damaged("is damaged: " + *found);
    return Done{};
}

Result<Done> SqliteStore::check_mark() {
    const auto mark = mark_.read();
    if (!mark.ok()) return mark.error();
    if (*mark <= commits_) return Done{};
    return damaged("has " + std::to_string(commits_) + " commits, but " + std::to_string(*mark) +
                   " were durable: the end of " + settings_.file +
                   "-wal is damaged, or the file was replaced by an older one");
}

Result<LogEntry> SqliteStore::row(Statement& statement, const char* what) {
    LogEntry entry;
    entry.position.seq = statement.number(0);
    entry.position.epoch = statement.number(1);
    const auto hash = statement.blob(2);
    const bool whole = hash.size() == entry.position.hash.size();
    if (whole) std::memcpy(entry.position.hash.data(), hash.data(), hash.size());
    entry.body = statement.blob(3);
    if (!whole || checksum(entry) != statement.number(4))
        return damaged(std::string{what} + " " + std::to_string(entry.position.seq) +
                       " does not match its checksum");
    return entry;
}

Result<Done> SqliteStore::check_content() {
    extent_ = {};
    const auto snapshot = load_snapshot();
    if (!snapshot.ok()) return snapshot.error();
    extent_ = {snapshot.value().position, snapshot.value().position};

    auto prepared = database_.prepared(select_entries);
    if (!prepared.ok()) return prepared.error();
    auto& entries = **prepared;
    const Resetting at_the_end{entries};
    entries.bind(1, 0).bind(2, static_cast<std::uint64_t>(INT64_MAX));
    int code = SQLITE_ROW;
    while ((code = entries.step()) == SQLITE_ROW) {
        const auto entry = row(entries, "entry");
        if (!entry.ok()) return entry.error();
        const auto& position = entry.value().position;
        if (position.seq != extent_.last.seq + 1)
            return damaged("entry " + std::to_string(position.seq) + " follows entry " +
                           std::to_string(extent_.last.seq));
        extent_.last = position;
    }
    if (code != SQLITE_DONE) return database_.error("read", code);
    const auto last = database_.ask_number(select_last);
    if (!last.ok()) return last.error();
    if (*last != extent_.last.seq)
        return damaged("ends with entry " + std::to_string(extent_.last.seq) +
                       " instead of entry " + std::to_string(*last));
    return Done{};
}

Result<Done> SqliteStore::begin() { return database_.run("BEGIN IMMEDIATE"); }

Error SqliteStore::fail(Error error) {
    database_.rollback();
    if (error.code == Errc::data_loss) lost_ = error;
    return error;
}

Result<Done> SqliteStore::insert(const char* sql, const LogEntry& entry) {
    auto prepared = database_.prepared(sql);
    if (!prepared.ok()) return prepared.error();
    const auto& position = entry.position;
    prepared.value()
        ->bind(1, position.seq)
        .bind(2, position.epoch)
        .bind_blob(3, position.hash.data(), position.hash.size())
        .bind_blob(4, entry.body)
        .bind(5, checksum(entry));
    return database_.finish(**prepared);
}

Result<Done> SqliteStore::delete_entries(const char* sql, std::uint64_t seq) {
    auto prepared = database_.prepared(sql);
    if (!prepared.ok()) return prepared.error();
    prepared.value()->bind(1, seq);
    return database_.finish(**prepared);
}

Result<Done> SqliteStore::end(const storage_queue::Extent& extent) {
    auto prepared = database_.prepared(update_state);
    if (!prepared.ok()) return prepared.error();
    prepared.value()->bind(1, commits_ + 1).bind(2, extent.last.seq);
    if (auto r = database_.finish(**prepared); !r.ok()) return r;
    if (auto r = database_.run("COMMIT"); !r.ok()) return r;
    extent_ = extent;
    mark_.set(++commits_);
    if (database_.log_pages() < checkpoint_pages_) return Done{};
    // The commit is durable whatever comes of this; on a full disk the WAL grows on. Any other
    // failure is final: a second try would succeed for pages that the kernel has dropped.
    if (const auto r = database_.checkpoint(); !r.ok() && r.error().code != Errc::exhausted)
        lost_ = r.error();
    return Done{};
}

Result<Done> SqliteStore::stage(const std::vector<LogEntry>& entries) {
    if (auto r = ready(); !r.ok()) return r;
    if (stage_failed_) return *stage_failed_;
    if (auto r = storage_queue::check_append(staging_ ? staged_.last : extent_.last, entries);
        !r.ok())
        return r;
    if (entries.empty()) return Done{};
    const auto staged = [&]() -> Result<Done> {
        if (!staging_)
            if (auto r = begin(); !r.ok()) return r;
        for (const auto& entry : entries)
            if (auto r = insert(insert_entry, entry); !r.ok()) return r;
        return Done{};
    }();
    if (!staged.ok()) {
        stage_failed_ = fail(staged.error());
        return *stage_failed_;
    }
    staging_ = true;
    staged_ = {extent_.snapshot, entries.back().position};
    return Done{};
}

Result<Done> SqliteStore::commit() {
    const auto failed = std::exchange(stage_failed_, {});
    const bool staging = std::exchange(staging_, false);
    if (auto r = ready(); !r.ok()) return r;
    if (failed) return *failed;
    if (!staging) return Done{};
    if (auto r = end(staged_); !r.ok()) return fail(r.error());
    return Done{};
}

void SqliteStore::drop_stage() {
    staging_ = false;
    stage_failed_.reset();
    database_.rollback();
}

Result<std::vector<LogEntry>> SqliteStore::read(std::uint64_t from_seq, std::size_t max) {
    if (auto r = ready(); !r.ok()) return r.error();
    std::vector<LogEntry> list;
    if (from_seq > extent_.last.seq || max == 0) return list;
    auto prepared = database_.prepared(select_entries);
    if (!prepared.ok()) return prepared.error();
    auto& entries = **prepared;
    const Resetting at_the_end{entries};
    entries.bind(1, from_seq).bind(2, std::min<std::uint64_t>(max, INT64_MAX));
    int code = SQLITE_ROW;
    while ((code = entries.step()) == SQLITE_ROW) {
        auto entry = row(entries, "entry");
        if (!entry.ok()) return fail(entry.error());
        list.push_back(std::move(entry).value());
    }
    if (code != SQLITE_DONE) return fail(database_.error("read", code));
    return list;
}

Result<LogEntry> SqliteStore::read_snapshot() {
    if (auto r = ready(); !r.ok()) return r.error();
    auto snapshot = load_snapshot();
    if (!snapshot.ok()) return fail(snapshot.error());
    return snapshot;
}

Result<LogEntry> SqliteStore::load_snapshot() {
    auto prepared = database_.prepared(select_snapshot);
    if (!prepared.ok()) return prepared.error();
    auto& snapshot = **prepared;
    const Resetting at_the_end{snapshot};
    const int code = snapshot.step();
    if (code == SQLITE_DONE) return LogEntry{};
    if (code != SQLITE_ROW) return database_.error("read", code);
    return row(snapshot, "the snapshot up to entry");
}

Result<Done> SqliteStore::truncate(std::uint64_t seq) {
    if (auto r = ready(); !r.ok()) return r;
    const auto cut = storage_queue::check_truncate(extent_, seq);
    if (!cut.ok()) return cut.error();
    if (!*cut) return Done{};
    auto extent = extent_;
    extent.last = extent_.snapshot;
    if (seq > extent_.snapshot.seq) {
        const auto last = read(seq, 1);
        if (!last.ok()) return last.error();
        extent.last = last.value().at(0).position;
    }
    const auto done = [&]() -> Result<Done> {
        if (auto r = begin(); !r.ok()) return r;
        if (auto r = delete_entries(delete_after, seq); !r.ok()) return r;
        return end(extent);
    }();
    if (!done.ok()) return fail(done.error());
    return Done{};
}

Result<Done> SqliteStore::install(const LogEntry& snapshot) {
    if (auto r = ready(); !r.ok()) return r;
    if (auto r = storage_queue::check_snapshot(snapshot); !r.ok()) return r;
    const auto done = [&]() -> Result<Done> {
        if (auto r = begin(); !r.ok()) return r;
        if (auto r = delete_entries(delete_after, 0); !r.ok()) return r;
        if (auto r = insert(insert_snapshot, snapshot); !r.ok()) return r;
        return end({snapshot.position, snapshot.position});
    }();
    if (!done.ok()) return fail(done.error());
    return Done{};
}

Result<Done> SqliteStore::compact(const LogEntry& snapshot) {
    if (auto r = ready(); !r.ok()) return r;
    if (auto r = storage_queue::check_snapshot(snapshot); !r.ok()) return r;
    std::optional<LogPosition> known;
    const auto seq = snapshot.position.seq;
    if (seq > extent_.snapshot.seq && seq <= extent_.last.seq) {
        const auto entry = read(seq, 1);
        if (!entry.ok()) return entry.error();
        known = entry.value().at(0).position;
    }
    if (auto r = storage_queue::check_compact(extent_, snapshot, known); !r.ok()) return r;
    const auto done = [&]() -> Result<Done> {
        if (auto r = begin(); !r.ok()) return r;
        if (auto r = delete_entries(delete_up_to, seq); !r.ok()) return r;
        if (auto r = insert(insert_snapshot, snapshot); !r.ok()) return r;
        return end({snapshot.position, extent_.last});
    }();
    if (!done.ok()) return fail(done.error());
    return Done{};
}

}  // namespace umbra::sqlite_storage
